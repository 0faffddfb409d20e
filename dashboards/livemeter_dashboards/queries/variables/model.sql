SELECT DISTINCT model
FROM livemeter.live_connections
WHERE opened_at <= $__toTime_ms AND last_event_at >= $__fromTime_ms AND model != ''
ORDER BY model
