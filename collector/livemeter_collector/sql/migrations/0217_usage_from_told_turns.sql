-- As 0116 has it, of events that can be told apart: a fact's name is its connection, its emitter and its number
-- there. Those without are among the rejects.
CREATE OR REPLACE MATERIALIZED VIEW usage_from_turns TO usage AS
WITH
    toUInt64OrZero(LogAttributes['gemini_live.turn.transcript_bytes_in']) AS bytes_in,
    toUInt64OrZero(LogAttributes['gemini_live.turn.transcript_bytes_out']) AS bytes_out,
    [
        ('transcription', 'TEXT', toUInt64(intDiv(bytes_in + 3, 4) + intDiv(bytes_out + 3, 4)), 'token', 'estimated'),
        ('grounding', '', toUInt64OrZero(LogAttributes['gemini_live.turn.grounding_queries']), 'query', 'reported')
    ] AS all_rows
SELECT
    livemeter_connection_id(LogAttributes['gemini_live.connection.id']) AS connection_id,
    LogAttributes['gemini_live.session.id'] AS session_id,
    LogAttributes['gemini_live.emitter.id'] AS emitter_id,
    toUInt64OrZero(LogAttributes['gemini_live.emitter.seq']) AS seq,
    livemeter_event_time(Timestamp) AS ts,
    ServiceName AS app,
    LogAttributes['user.id'] AS user_id,
    livemeter_labels(LogAttributes) AS labels,
    LogAttributes['gen_ai.request.model'] AS model,
    LogAttributes['gemini_live.platform'] AS platform,
    'standard' AS tier,
    '' AS service_tier,
    '' AS traffic_type,
    toUInt32OrZero(LogAttributes['gemini_live.turn.number']) AS turn,
    toUInt32(0) AS pass,
    row.1 AS kind,
    row.2 AS modality,
    row.3 AS quantity,
    row.4 AS unit,
    true AS billable,
    row.3 AS fresh,
    toUInt64(0) AS carried,
    row.5 AS source,
    CAST(NULL, 'Nullable(UInt64)') AS previous_prompt,
    false AS first_after_resume
FROM otel_logs
ARRAY JOIN arrayFilter(row -> row.3 > 0, all_rows) AS row
WHERE EventName = 'gemini_live.turn'
    AND livemeter_is_connection_id(LogAttributes['gemini_live.connection.id'])
    AND isNotNull(toUInt64OrNull(LogAttributes['gemini_live.emitter.seq']))
