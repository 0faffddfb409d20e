-- A session's turns in their order. A turn without a usage frame has no known tokens.
SELECT
    turn, connection_id,
    toTimeZone(started_at, 'UTC') AS started_at,
    turn_ms, first_audio_ms, first_audio_from, generation_ms, user_speech_ms, model_speech_ms,
    interrupted, end_reason, has_output, toBool(has_usage) AS has_usage, transcript_chars_in, transcript_chars_out,
    if(turns.has_usage, turns.input_tokens, NULL) AS input_tokens,
    if(turns.has_usage, turns.output_tokens, NULL) AS output_tokens,
    cost_usd, unpriced_quantity
FROM livemeter.live_turns AS turns
WHERE session_id = {session:String}
ORDER BY turns.started_at, turn, connection_id
