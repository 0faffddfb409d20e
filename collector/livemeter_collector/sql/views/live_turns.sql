-- A row a turn, with the tokens and the money of its passes. Processes that share a session number its turns
-- each for itself: only with its connection does a turn's number name it.
-- A session's id was resolved when the turn was computed or settled, so one session's turns are found by an index.
-- requires: turn_totals
CREATE OR REPLACE VIEW live_turns AS
WITH livemeter_unit_prices(usage) AS prices
SELECT
    session_id,
    lower(hex(connection_id)) AS connection_id,
    turn,
    started_at, first_audio_ms, first_audio_from, generation_ms, turn_ms, user_speech_ms, model_speech_ms,
    interrupted, end_reason, complete_reason, generation_complete, began_while_user_spoke, app_phase,
    has_output, transcript_chars_in, transcript_chars_out, transcript_longest_gap_ms, flushes,
    toBool(passes > 0) AS has_usage,
    if(has_usage, arraySum(used -> if(used.5 IN ('prompt', 'tool_use_prompt', 'cached'), used.7, 0), usage), NULL) AS input_tokens,
    if(has_usage, arraySum(used -> if(used.5 IN ('response', 'thoughts'), used.7, 0), usage), NULL) AS output_tokens,
    arrayReduce('sum', arrayMap((used, price) -> used.7 * price.1, usage, prices)) AS cost_usd,
    arraySum((used, price) -> if(isNull(price.1), used.7, 0), usage, prices) AS unpriced_quantity
FROM turn_totals
