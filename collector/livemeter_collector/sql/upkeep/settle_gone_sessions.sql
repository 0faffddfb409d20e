-- Rows of unsettled sessions that were not written anew: the session is another one's by now, or began at another
-- time.
INSERT INTO livemeter.settled_sessions (session_id, started_at, computed_at, is_gone)
SELECT session_id, started_at, fromUnixTimestamp64Milli({at_ms:Int64}) AS computed_at, 1 AS is_gone
FROM livemeter.settled_sessions FINAL
WHERE session_id IN (SELECT arrayJoin(session_ids) FROM livemeter.unsettled)
    AND settled_sessions.computed_at < fromUnixTimestamp64Milli({at_ms:Int64})
