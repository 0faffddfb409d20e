-- Turns of unsettled sessions as they are now.
INSERT INTO livemeter.settled_turns
(
    connection_id, emitter_id, seq, session_id, turn, started_at, turn_ms, first_audio_ms, first_audio_from,
    generation_ms, user_speech_ms, model_speech_ms, interrupted, end_reason, complete_reason, generation_complete,
    began_while_user_spoke, app_phase, has_output, transcript_chars_in, transcript_chars_out,
    transcript_longest_gap_ms, flushes, passes, usage, computed_at
)
SELECT
    connection_id, emitter_id, seq, session_id, turn, started_at, turn_ms, first_audio_ms, first_audio_from,
    generation_ms, user_speech_ms, model_speech_ms, interrupted, end_reason, complete_reason, generation_complete,
    began_while_user_spoke, app_phase, has_output, transcript_chars_in, transcript_chars_out,
    transcript_longest_gap_ms, flushes, passes, usage, fromUnixTimestamp64Milli({at_ms:Int64}) AS computed_at
FROM livemeter.turn_figures
