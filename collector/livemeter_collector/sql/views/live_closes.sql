-- Every connection that closed, with the diagnosis of its close.
-- requires: live_connections
CREATE OR REPLACE VIEW live_closes AS
SELECT
    closed_at, session_id, connection_id, app, model, platform, attempt,
    close_code, close_reason, closed_by, clean, phase, http_status, error_type,
    diagnosis, cause, hint, retry_class, catalogue_version,
    since_tool_response_ms, go_away_at, go_away_time_left_ms, go_away_overrun_ms,
    context_tokens_at_close, last_sent_at, last_received_at, ended_well,
    dateDiff('millisecond', opened_at, assumeNotNull(closed_at)) / 1000 AS age_s
FROM live_connections
WHERE closed_at IS NOT NULL
