-- Unsettled sessions as they are now.
INSERT INTO livemeter.settled_sessions
(
    session_id, started_at, ended_at, last_closed_at, app, user_id, labels, model, platform, connection_ids,
    resumes, go_aways, framework_name, framework_version, app_phases, outcome, outcome_detail,
    close_code, close_reason, closed_by, http_status, diagnosis, ended_well,
    turns, interruptions, user_speech_s, model_speech_s, turns_with_output, turns_covered, tool_calls,
    resumes_known, resumes_shrunk, usage, computed_at, is_gone
)
SELECT
    session_id, started_at, ended_at, last_closed_at, app, user_id, labels, model, platform, connection_ids,
    resumes, go_aways, framework_name, framework_version, app_phases, outcome, outcome_detail,
    close_code, close_reason, closed_by, http_status, diagnosis, ended_well,
    turns, interruptions, user_speech_s, model_speech_s, turns_with_output, turns_covered, tool_calls,
    resumes_known, resumes_shrunk, usage, fromUnixTimestamp64Milli({at_ms:Int64}) AS computed_at, 0 AS is_gone
FROM livemeter.session_figures
