-- Closes by code and diagnosis, the most frequent first, with what the newest of them said.
SELECT
    count() AS closes,
    close_code, http_status, diagnosis,
    uniqExact(session_id) AS sessions,
    toTimeZone(max(closes.closed_at), 'UTC') AS last_closed_at,
    argMax(closes.cause, closes.closed_at) AS cause,
    argMax(closes.hint, closes.closed_at) AS hint,
    argMax(closes.retry_class, closes.closed_at) AS retry_class,
    argMax(closes.close_reason, closes.closed_at) AS close_reason,
    toBool(closes.ended_well) AS ended_well
FROM livemeter.live_closes AS closes
WHERE closes.closed_at >= fromUnixTimestamp64Milli({since_ms:Int64})
GROUP BY close_code, http_status, diagnosis, closes.ended_well
ORDER BY closes DESC, close_code, http_status, diagnosis, ended_well
LIMIT {limit:UInt64}
