-- As 0191 has it, of events whose connection's id is one: another would join sessions that have nothing in common.
CREATE OR REPLACE MATERIALIZED VIEW handles_from_logs TO handles AS
SELECT
    if(resumed, 'resumed', 'given') AS role,
    sipHash128(hash) AS handle,
    connection_id,
    session_id,
    at
FROM
(
    SELECT
        livemeter_connection_id(LogAttributes['gemini_live.connection.id']) AS connection_id,
        livemeter_event_time(Timestamp) AS at,
        EventName IN ('gemini_live.connection.started', 'gemini_live.connection.closed') AS resumed,
        if(
            lower(LogAttributes['gemini_live.session.id']) = lower(LogAttributes['gemini_live.connection.id']),
            '', LogAttributes['gemini_live.session.id']
        ) AS session_id,
        arrayConcat(
            [LogAttributes['gemini_live.resumption.handle_hash']],
            livemeter_strings(LogAttributes['gemini_live.resumption.handle_hashes']),
            JSONExtract(if(EventName = 'gemini_live.frames', Body, ''), 'handles', 'Array(String)')
        ) AS hashes
    FROM otel_logs
    WHERE livemeter_is_connection_id(LogAttributes['gemini_live.connection.id'])
        AND (
            (EventName = 'gemini_live.frames' AND position(Body, '"handles"') > 0)
            OR EventName = 'gemini_live.resumption'
            OR (
                EventName IN ('gemini_live.connection.started', 'gemini_live.connection.closed')
                AND LogAttributes['gemini_live.connection.resumed_from'] = ''
            )
        )
)
ARRAY JOIN arrayFilter(hash -> hash != '', hashes) AS hash
