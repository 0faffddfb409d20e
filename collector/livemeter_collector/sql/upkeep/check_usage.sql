-- Hourly usage of the connections in a piece, as the facts say it and as it is remembered; see check_turns.
WITH
    toFixedString(unhex({start:String}), 16) AS first_id,
    if({end:String} = '', repeat(char(255), 17), unhex({end:String})) AS end_id
SELECT
    lower(hex(connection_id)) AS key,
    key AS connection,
    countIf(NOT is_remembered) AS recorded,
    countIf(is_remembered) AS remembered,
    toString(sumIf(row_hash, NOT is_remembered)) AS recorded_hash,
    toString(sumIf(row_hash, is_remembered)) AS remembered_hash,
    recorded AS counted
FROM
(
    SELECT is_remembered, connection_id, cityHash64(formatRow('RowBinary', * EXCEPT (is_remembered))) AS row_hash
    FROM
    (
        SELECT false AS is_remembered, *
        FROM livemeter.usage_figures
        WHERE connection_id >= first_id AND connection_id < end_id
        UNION ALL
        SELECT true AS is_remembered, * EXCEPT (computed_at)
        FROM livemeter.settled_usage FINAL
        WHERE connection_id >= first_id AND connection_id < end_id
    )
)
GROUP BY connection_id
