-- Which of these sessions and connections are computed from the facts, wherever their other connections are, or
-- will be at the next settling: their session turned out to be another one's.
WITH
    (SELECT (session_ids, arrayMap(id -> lower(hex(id)), connection_ids)) FROM livemeter.unsettled) AS unsettled
SELECT key
FROM (SELECT arrayJoin({keys:Array(String)}) AS key)
WHERE key IN unsettled.1 OR key IN unsettled.2 OR key IN
(
    SELECT arrayJoin(arrayConcat(
        [session_id, livemeter_session(session_id)], arrayMap(id -> lower(hex(id)), connection_ids)
    ))
    FROM livemeter.settled_sessions FINAL
    WHERE livemeter_session(session_id) != session_id
)
