-- Connections of which something arrived since sessions were last settled, with the ids of sessions that they
-- have, or had. What is settled counts two seconds later, so that a question that began before sees either none
-- or all of it.
-- Whoever settles says in its log_comment between which ids it looks (`settle_from`, `settle_to`), and whether at everything
-- (`settle=all`).
CREATE OR REPLACE VIEW touched_connections AS
SELECT
    connection_id,
    coalesce(nullIf(told_session.2, ''), session_id, lower(hex(connection_id))) AS told,
    arrayDistinct([told, livemeter_session(told), lower(hex(connection_id)), first_session.2]) AS session_ids
FROM connections FINAL
WHERE
    arrived_at >= if(
        livemeter_origin('settle') = 'all',
        toDateTime64(0, 3),
        coalesce((SELECT max(upto) FROM settlements WHERE made_at < now64(3) - INTERVAL 2 SECOND), toDateTime64(0, 3))
    )
    AND connection_id >= toFixedString(unhex(livemeter_origin('settle_from')), 16)
    AND (livemeter_origin('settle_to') = '' OR connection_id < toFixedString(unhex(livemeter_origin('settle_to')), 16))
