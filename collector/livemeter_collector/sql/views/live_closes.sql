-- Every connection that closed, with the diagnosis of its close.
-- requires: live_connections
CREATE OR REPLACE VIEW live_closes AS
SELECT
    closed_at, session_id, connection_id, app, model, platform, attempt,
    close_code, close_reason, closed_by, clean, phase, http_status, error_type, exception_chain,
    diagnosis, cause, hint, retry_class, catalogue_version,
    since_tool_response_ms, tool_calls_open, go_away_at, go_away_time_left_ms, go_away_overrun_ms,
    context_tokens_at_close, last_sent_at, last_received_at, app_phase,
    ping_interval_s, ping_timeout_s, pings_sent, pings_missed, ping_p50_ms, ping_max_ms, loop_lag_max_ms,
    sdk_version, websockets_version, framework_name, framework_version, python_version, os_type,
    ended_well,
    dateDiff('millisecond', opened_at, assumeNotNull(closed_at)) / 1000 AS age_s
FROM live_connections
WHERE closed_at IS NOT NULL
