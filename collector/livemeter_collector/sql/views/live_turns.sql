-- A row a turn, with the tokens and the money of its passes. Processes that share a session number its turns
-- each for itself: only with its connection does a turn's number name it.
-- It reads alike with and without join_use_nulls, because a read-only reader's setting wins over a view's.
-- requires: live_costs
CREATE OR REPLACE VIEW live_turns AS
SELECT
    livemeter_session(turns.session_id) AS session_id,
    lower(hex(turns.connection_id)) AS connection_id,
    turns.turn AS turn,
    started_at, first_audio_ms, first_audio_from, generation_ms, turn_ms, user_speech_ms, model_speech_ms,
    interrupted, end_reason, complete_reason, generation_complete, began_while_user_spoke, app_phase,
    has_output, transcript_chars_in, transcript_chars_out, transcript_longest_gap_ms, flushes,
    toBool(coalesce(costs.passes, 0) > 0) AS has_usage,
    if(has_usage, costs.input_tokens, NULL) AS input_tokens,
    if(has_usage, costs.output_tokens, NULL) AS output_tokens,
    costs.cost_usd AS cost_usd,
    coalesce(costs.unpriced_quantity, 0) AS unpriced_quantity
FROM (SELECT * FROM turns FINAL) AS turns
LEFT JOIN
(
    SELECT
        connection_id, turn,
        uniqExactIf(pass, pass > 0) AS passes,
        sumIf(quantity, direction = 'input' AND unit = 'token') AS input_tokens,
        sumIf(quantity, kind IN ('response', 'thoughts')) AS output_tokens,
        sum(usd) AS cost_usd,
        sumIf(quantity, isNull(usd)) AS unpriced_quantity
    FROM live_costs
    GROUP BY connection_id, turn
) AS costs ON costs.connection_id = lower(hex(turns.connection_id)) AND costs.turn = turns.turn
