-- One session's row as the facts say it and as it is remembered, each as a JSON object.
SELECT is_remembered, formatRowNoNewline('JSONEachRow', * EXCEPT (is_remembered)) AS columns
FROM
(
    SELECT false AS is_remembered, *
    REPLACE (arrayMap(id -> lower(hex(id)), connection_ids) AS connection_ids)
    FROM livemeter.session_figures
    WHERE session_id = {key:String}
    UNION ALL
    SELECT true AS is_remembered, * EXCEPT (computed_at, is_gone)
    REPLACE (arrayMap(id -> lower(hex(id)), connection_ids) AS connection_ids)
    FROM livemeter.settled_sessions FINAL
    WHERE session_id = {key:String}
)
