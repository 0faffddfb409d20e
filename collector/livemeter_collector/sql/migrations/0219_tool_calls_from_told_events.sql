-- As 0175 has it, of events that can be told apart: a fact's name is its connection, its emitter and its number
-- there. Those without are among the rejects.
CREATE OR REPLACE MATERIALIZED VIEW tool_calls_from_logs TO tool_calls AS
SELECT
    livemeter_connection_id(LogAttributes['gemini_live.connection.id']) AS connection_id,
    LogAttributes['gemini_live.session.id'] AS session_id,
    LogAttributes['gemini_live.emitter.id'] AS emitter_id,
    toUInt64OrZero(LogAttributes['gemini_live.emitter.seq']) AS seq,
    livemeter_event_time(Timestamp) AS ts,
    toUInt32OrZero(LogAttributes['gemini_live.turn.number']) AS turn,
    LogAttributes['gen_ai.tool.call.id'] AS call_id,
    LogAttributes['gen_ai.tool.name'] AS name,
    livemeter_time_of(LogAttributes['gemini_live.tool.called_at_unix_ms']) AS called_at,
    livemeter_time_of(LogAttributes['gemini_live.tool.responded_at_unix_ms']) AS responded_at,
    livemeter_number(LogAttributes['gemini_live.tool.latency_ms']) AS latency_ms,
    toUInt64OrZero(LogAttributes['gemini_live.tool.request_bytes']) AS request_bytes,
    toUInt64OrZero(LogAttributes['gemini_live.tool.response_bytes']) AS response_bytes,
    LogAttributes['gemini_live.tool.id_match'] AS id_match,
    toUInt32OrZero(LogAttributes['gemini_live.tool.in_flight']) AS in_flight,
    LogAttributes['gemini_live.tool.status'] AS status,
    livemeter_strings(LogAttributes['gemini_live.tool.encoding']) AS encoding,
    LogAttributes['gemini_live.tool.scheduling'] AS scheduling,
    livemeter_bool(LogAttributes['gemini_live.tool.will_continue']) AS will_continue,
    LogAttributes['gen_ai.tool.call.arguments'] AS arguments,
    LogAttributes['gen_ai.tool.call.result'] AS result
FROM otel_logs
WHERE EventName = 'gemini_live.tool_call'
    AND livemeter_is_connection_id(LogAttributes['gemini_live.connection.id'])
    AND isNotNull(toUInt64OrNull(LogAttributes['gemini_live.emitter.seq']))
