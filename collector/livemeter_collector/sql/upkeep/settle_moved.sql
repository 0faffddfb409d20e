-- Settled sessions that turned out to be another one's, though nothing more came of them: their connections count
-- as touched. A row that is inserted again as it is changes nothing else.
INSERT INTO livemeter.connections
SELECT * REPLACE (now64(3) AS arrived_at)
FROM livemeter.connections FINAL
WHERE connection_id IN
(
    SELECT arrayJoin(connection_ids)
    FROM livemeter.settled_sessions FINAL
    WHERE livemeter_session(session_id) != session_id
)
