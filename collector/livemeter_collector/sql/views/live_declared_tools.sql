-- A row for every tool that a session declared, or that its application expected to be called.
-- requires: live_connections, live_tool_calls
CREATE OR REPLACE VIEW live_declared_tools AS
SELECT
    tools.session_id AS session_id,
    tools.name AS name,
    toBool(tools.declared) AS declared,
    toBool(tools.expected) AS expected,
    coalesce(calls.calls, 0) AS calls
FROM
(
    SELECT
        session_id,
        arrayJoin(arrayDistinct(arrayConcat(declared_names, expected_tools))) AS name,
        max(has(declared_names, name)) AS declared,
        max(has(expected_tools, name)) AS expected
    FROM
    (
        SELECT session_id, livemeter_strings(coalesce(declared_tools, '')) AS declared_names, expected_tools
        FROM live_connections
    )
    GROUP BY session_id, name
) AS tools
LEFT JOIN
(
    SELECT session_id, name, count() AS calls
    FROM live_tool_calls
    WHERE called_at IS NOT NULL
    GROUP BY session_id, name
) AS calls ON calls.session_id = tools.session_id AND calls.name = tools.name
