-- All turns with what their passes used, quantities alone; see session_totals.
-- requires: turn_figures, unsettled
CREATE OR REPLACE VIEW turn_totals AS
WITH (SELECT (connection_ids, session_ids) FROM unsettled) AS unsettled
SELECT
    connection_id, session_id, turn, started_at, turn_ms, first_audio_ms, first_audio_from, generation_ms,
    user_speech_ms, model_speech_ms, interrupted, end_reason, complete_reason, generation_complete,
    began_while_user_spoke, app_phase, has_output, transcript_chars_in, transcript_chars_out,
    transcript_longest_gap_ms, flushes, passes, usage
FROM settled_turns FINAL
WHERE connection_id NOT IN unsettled.1
UNION ALL
SELECT
    connection_id, session_id, turn, started_at, turn_ms, first_audio_ms, first_audio_from, generation_ms,
    user_speech_ms, model_speech_ms, interrupted, end_reason, complete_reason, generation_complete,
    began_while_user_spoke, app_phase, has_output, transcript_chars_in, transcript_chars_out,
    transcript_longest_gap_ms, flushes, passes, usage
FROM turn_figures
