-- As 0173 has it, of events that can be told apart: a fact's name is its connection, its emitter and its number
-- there. Those without are among the rejects.
CREATE OR REPLACE MATERIALIZED VIEW turns_from_logs TO turns AS
SELECT
    livemeter_connection_id(LogAttributes['gemini_live.connection.id']) AS connection_id,
    LogAttributes['gemini_live.session.id'] AS session_id,
    LogAttributes['gemini_live.emitter.id'] AS emitter_id,
    toUInt64OrZero(LogAttributes['gemini_live.emitter.seq']) AS seq,
    livemeter_event_time(Timestamp) AS ts,
    toUInt32OrZero(LogAttributes['gemini_live.turn.number']) AS turn,
    coalesce(livemeter_time_of(LogAttributes['gemini_live.turn.started_at_unix_ms']), ts) AS started_at,
    coalesce(livemeter_number(LogAttributes['gemini_live.turn.turn_ms']), 0) AS turn_ms,
    livemeter_number(LogAttributes['gemini_live.turn.first_audio_ms']) AS first_audio_ms,
    LogAttributes['gemini_live.turn.first_audio_from'] AS first_audio_from,
    livemeter_number(LogAttributes['gemini_live.turn.generation_ms']) AS generation_ms,
    livemeter_number(LogAttributes['gemini_live.turn.user_speech_ms']) AS user_speech_ms,
    coalesce(livemeter_number(LogAttributes['gemini_live.turn.model_speech_ms']), 0) AS model_speech_ms,
    LogAttributes['gemini_live.turn.interrupted'] = 'true' AS interrupted,
    LogAttributes['gemini_live.turn.end_reason'] AS end_reason,
    LogAttributes['gemini_live.turn.has_output'] = 'true' AS has_output,
    toUInt32OrZero(LogAttributes['gemini_live.turn.transcript_chars_in']) AS transcript_chars_in,
    toUInt32OrZero(LogAttributes['gemini_live.turn.transcript_chars_out']) AS transcript_chars_out,
    LogAttributes['gemini_live.turn.complete_reason'] AS complete_reason,
    livemeter_bool(LogAttributes['gemini_live.turn.generation_complete']) AS generation_complete,
    livemeter_bool(LogAttributes['gemini_live.turn.began_while_user_spoke']) AS began_while_user_spoke,
    toUInt32OrNull(LogAttributes['gemini_live.turn.flushes']) AS flushes,
    livemeter_number(LogAttributes['gemini_live.turn.transcript_longest_gap_ms']) AS transcript_longest_gap_ms,
    LogAttributes['gemini_live.app.phase'] AS app_phase
FROM otel_logs
WHERE EventName = 'gemini_live.turn'
    AND livemeter_is_connection_id(LogAttributes['gemini_live.connection.id'])
    AND isNotNull(toUInt64OrNull(LogAttributes['gemini_live.emitter.seq']))
