-- What is no number, or one beyond 2^53, is left out: no process has emitted so many events.
CREATE MATERIALIZED VIEW emitters_from_logs TO emitters AS
WITH
    livemeter_event_time(Timestamp) AS at,
    toUInt64OrDefault(LogAttributes['gemini_live.emitter.seq'], toUInt64(9007199254740992)) AS number
SELECT
    LogAttributes['gemini_live.emitter.id'] AS emitter_id,
    anyLast(ServiceName) AS app,
    min(at) AS first_event_at,
    max(at) AS last_event_at,
    groupBitmapStateIf(number, number < 9007199254740992) AS numbers,
    groupUniqArrayArray(if(
        EventName = 'gemini_live.dropped_records',
        [(number, LogAttributes['gemini_live.dropped.reason'], toUInt64OrZero(LogAttributes['gemini_live.dropped.count']))],
        []
    )) AS dropped
FROM otel_logs
WHERE startsWith(EventName, 'gemini_live.') AND LogAttributes['gemini_live.emitter.id'] != ''
GROUP BY emitter_id
