-- All sessions, quantities alone: as they were settled, or computed from the facts where something came since.
-- requires: session_figures, unsettled
CREATE OR REPLACE VIEW session_totals AS
WITH (SELECT (connection_ids, session_ids) FROM unsettled) AS unsettled
SELECT
    session_id, started_at, ended_at, last_closed_at, app, user_id, labels, model, platform, connection_ids,
    resumes, go_aways, framework_name, framework_version, app_phases, outcome, outcome_detail,
    close_code, close_reason, closed_by, http_status, diagnosis, ended_well,
    turns, interruptions, user_speech_s, model_speech_s, turns_with_output, turns_covered, tool_calls,
    resumes_known, resumes_shrunk, usage
FROM settled_sessions FINAL
WHERE session_id NOT IN unsettled.2
UNION ALL
SELECT
    session_id, started_at, ended_at, last_closed_at, app, user_id, labels, model, platform, connection_ids,
    resumes, go_aways, framework_name, framework_version, app_phases, outcome, outcome_detail,
    close_code, close_reason, closed_by, http_status, diagnosis, ended_well,
    turns, interruptions, user_speech_s, model_speech_s, turns_with_output, turns_covered, tool_calls,
    resumes_known, resumes_shrunk, usage
FROM session_figures
