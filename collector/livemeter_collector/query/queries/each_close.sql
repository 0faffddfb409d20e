-- Every close, the newest first.
SELECT
    toTimeZone(closes.closed_at, 'UTC') AS closed_at,
    session_id, connection_id, app, model, platform, attempt, age_s,
    close_code, close_reason, closed_by, clean, phase, http_status, error_type, toBool(closes.ended_well) AS ended_well,
    diagnosis, cause, hint, retry_class, catalogue_version,
    since_tool_response_ms,
    toTimeZone(closes.go_away_at, 'UTC') AS go_away_at,
    go_away_time_left_ms, go_away_overrun_ms, context_tokens_at_close
FROM livemeter.live_closes AS closes
WHERE closes.closed_at >= fromUnixTimestamp64Milli({since_ms:Int64})
ORDER BY closes.closed_at DESC, connection_id
LIMIT {limit:UInt64}
