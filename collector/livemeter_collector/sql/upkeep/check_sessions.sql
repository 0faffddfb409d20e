-- Sessions with connections in a piece, as the facts say them and as they are remembered: the whole row as a hash.
-- Asked with the piece in the log_comment, and `settle=all`.
-- A session counts in the piece that has its first connection. Without any it is looked for at the first id.
WITH
    (SELECT (connection_ids, session_ids) FROM livemeter.unsettled) AS looked_at,
    toFixedString(unhex({start:String}), 16) AS first_id,
    if({end:String} = '', repeat(char(255), 17), unhex({end:String})) AS end_id
SELECT
    session_id AS key,
    lower(hex(any(connection))) AS connection,
    countIf(NOT is_remembered) AS recorded,
    countIf(is_remembered) AS remembered,
    toString(sumIf(row_hash, NOT is_remembered)) AS recorded_hash,
    toString(sumIf(row_hash, is_remembered)) AS remembered_hash,
    countIf(NOT is_remembered AND begins_here) AS counted
FROM
(
    SELECT
        is_remembered, session_id,
        if(empty(connection_ids), [toFixedString('', 16)], connection_ids) AS ids,
        arrayFilter(id -> id >= first_id AND id < end_id, ids) AS ids_here,
        if(empty(ids_here), ids, ids_here)[1] AS connection,
        ids[1] >= first_id AND ids[1] < end_id AS begins_here,
        cityHash64(formatRow('RowBinary', * EXCEPT (is_remembered))) AS row_hash
    FROM
    (
        SELECT false AS is_remembered, * FROM livemeter.session_figures
        UNION ALL
        SELECT true AS is_remembered, * EXCEPT (computed_at, is_gone)
        FROM livemeter.settled_sessions FINAL
        WHERE session_id IN looked_at.2
            OR arrayExists(
                id -> id >= first_id AND id < end_id,
                if(empty(connection_ids), [toFixedString('', 16)], connection_ids)
            )
    )
)
GROUP BY session_id
