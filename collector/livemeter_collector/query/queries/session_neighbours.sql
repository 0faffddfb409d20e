-- The ids next to each of these in sorted order ('' for none): they say how much of an id is unique.
SELECT session_id, before, after
FROM
(
    SELECT
        session_id,
        lagInFrame(session_id, 1, '') OVER sorted AS before,
        leadInFrame(session_id, 1, '') OVER sorted AS after
    FROM (SELECT DISTINCT session_id FROM livemeter.live_connections)
    WINDOW sorted AS (ORDER BY session_id ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
)
WHERE has({sessions:Array(String)}, session_id)
