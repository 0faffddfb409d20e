-- A session's turns in their order.
SELECT
    turn, connection_id,
    toTimeZone(started_at, 'UTC') AS started_at,
    turn_ms, first_audio_ms, first_audio_from, generation_ms, user_speech_ms, model_speech_ms,
    interrupted, end_reason, has_output, toBool(turns.has_usage) AS has_usage, transcript_chars_in, transcript_chars_out,
    input_tokens, output_tokens, cost_usd, unpriced_quantity
FROM livemeter.live_turns AS turns
WHERE session_id = {session:String}
ORDER BY turns.started_at, turn, connection_id
