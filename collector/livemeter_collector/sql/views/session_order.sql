-- The connections of sessions that more than one process had, in the order in which they were opened.
-- As a process counts its own: a delay runs from the close of the attempt before to the dial, a gap from the
-- close of the last connection that had come to life to the setup's answer. Both are NULL while one is open.
-- The first condition is there for the many stores in which there are none: nothing is read then.
CREATE OR REPLACE VIEW session_order AS
SELECT
    connection_id,
    row_number() OVER in_order AS number,
    lagInFrame(connection_id) OVER in_order AS previous_id,
    dateDiff('millisecond', lagInFrame(closed_at) OVER in_order, opened_at) AS delay_ms,
    dateDiff('millisecond', (argMaxIf(tuple(closed_at), opened_at, isNotNull(started_at)) OVER earlier).1, started_at) AS gap_ms
FROM
(
    SELECT
        connection_id,
        livemeter_session(coalesce(nullIf(told_session.2, ''), session_id, lower(hex(connection_id)))) AS resolved_id,
        coalesce(connections.opened_at, first_event_at) AS opened_at,
        started_at,
        closed_at
    FROM connections FINAL
)
WHERE (SELECT count() > 0 FROM handles WHERE role = 'resumed') AND resolved_id IN
(
    SELECT livemeter_session(if(session_id = '', lower(hex(connection_id)), session_id))
    FROM handles
    WHERE role = 'resumed'
)
WINDOW
    in_order AS (PARTITION BY resolved_id ORDER BY opened_at, connection_id),
    earlier AS (PARTITION BY resolved_id ORDER BY opened_at, connection_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
