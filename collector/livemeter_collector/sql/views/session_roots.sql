-- Every session that is known under another id than the one it was told by, with the id of the session it is:
-- a connection that resumed one of another process's, and was given no name by its application, belongs to that
-- one's session, which may itself have gone on from an earlier one; and what a session was called before its
-- application named it is that session. (Only ids of connections are given up so: a name is a name.)
-- `parent_id` is the connection that was resumed. The dictionary session_root is loaded from here.
-- Every round doubles the steps taken at once, so ten follow a session through a thousand processes, and
-- handles that point at each other in a circle end like any others.
-- requires: session_links
CREATE OR REPLACE VIEW session_roots AS
WITH RECURSIVE
edges AS
(
    SELECT
        lower(hex(links.connection_id)) AS alias,
        lower(hex(links.parent_id)) AS parent,
        multiIf(
            links.session_id != '', links.session_id,
            links.parent_session_id != '', links.parent_session_id,
            parent
        ) AS target,
        toDateTime64(0, 3) AS told_at
    FROM session_links AS links
    UNION ALL
    SELECT first_session.2 AS alias, '' AS parent, told_session.2 AS target, told_session.1 AS told_at
    FROM connections FINAL
    WHERE alias != target AND target != '' AND match(alias, '^[0-9a-f]{32}$')
),
steps AS
(
    -- What was told by name, and told last, holds.
    SELECT alias, max(parent) AS parent_id, argMax(target, (told_at, target)) AS session_id, 0 AS round
    FROM edges
    GROUP BY alias
    UNION ALL
    SELECT
        step.alias AS alias,
        step.parent_id AS parent_id,
        if(coalesce(next.alias, '') = '', step.session_id, coalesce(next.session_id, '')) AS session_id,
        step.round + 1 AS round
    FROM steps AS step
    LEFT JOIN steps AS next ON next.alias = step.session_id
    WHERE step.round < 10
)
SELECT alias, session_id, parent_id
FROM steps
WHERE round = 10
