-- What has to be computed from the facts, as one row of two arrays: all connections of the sessions of which
-- something came since they were last settled, and those sessions under every id that they have, or had.
-- Arrays, because a question asks for them in many places, and a row is made once.
-- requires: touched_connections
CREATE OR REPLACE VIEW unsettled AS
WITH
    (SELECT (groupArray(connection_id), groupUniqArrayArray(session_ids)) FROM touched_connections) AS touched
SELECT
    arrayDistinct(arrayConcat(
        touched.1,
        (SELECT groupUniqArrayArray(connection_ids) FROM settled_sessions FINAL WHERE session_id IN touched.2)
    )) AS connection_ids,
    touched.2 AS session_ids
