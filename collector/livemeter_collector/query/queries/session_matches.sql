-- Session ids that begin so; an id that is exactly this sorts first.
SELECT DISTINCT session_id
FROM livemeter.live_connections
WHERE startsWith(session_id, {prefix:String})
ORDER BY session_id
LIMIT {limit:UInt64}
