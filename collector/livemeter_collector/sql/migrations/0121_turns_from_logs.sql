CREATE MATERIALIZED VIEW turns_from_logs TO turns AS
SELECT
    livemeter_connection_id(LogAttributes['gemini_live.connection.id']) AS connection_id,
    LogAttributes['gemini_live.session.id'] AS session_id,
    LogAttributes['gemini_live.emitter.id'] AS emitter_id,
    toUInt64OrZero(LogAttributes['gemini_live.emitter.seq']) AS seq,
    livemeter_event_time(Timestamp) AS ts,
    toUInt32OrZero(LogAttributes['gemini_live.turn.number']) AS turn,
    livemeter_event_time(fromUnixTimestamp64Milli(toInt64OrZero(LogAttributes['gemini_live.turn.started_at_unix_ms']))) AS started_at,
    toFloat64OrZero(LogAttributes['gemini_live.turn.turn_ms']) AS turn_ms,
    toFloat64OrNull(LogAttributes['gemini_live.turn.first_audio_ms']) AS first_audio_ms,
    LogAttributes['gemini_live.turn.first_audio_from'] AS first_audio_from,
    toFloat64OrNull(LogAttributes['gemini_live.turn.generation_ms']) AS generation_ms,
    toFloat64OrNull(LogAttributes['gemini_live.turn.user_speech_ms']) AS user_speech_ms,
    toFloat64OrZero(LogAttributes['gemini_live.turn.model_speech_ms']) AS model_speech_ms,
    LogAttributes['gemini_live.turn.interrupted'] = 'true' AS interrupted,
    LogAttributes['gemini_live.turn.end_reason'] AS end_reason,
    LogAttributes['gemini_live.turn.has_output'] = 'true' AS has_output,
    toUInt32OrZero(LogAttributes['gemini_live.turn.transcript_chars_in']) AS transcript_chars_in,
    toUInt32OrZero(LogAttributes['gemini_live.turn.transcript_chars_out']) AS transcript_chars_out
FROM otel_logs
WHERE EventName = 'gemini_live.turn'
