-- Which connection of another process a connection went on from: the one that was given its resumption handle,
-- the earliest if there are several. Session ids are those that the processes told, empty where one told the
-- connection's own id.
CREATE OR REPLACE VIEW session_links AS
SELECT
    resumed.connection_id AS connection_id,
    max(resumed.session_id) AS session_id,
    min((given.at, given.connection_id, given.session_id)) AS earliest,
    earliest.2 AS parent_id,
    earliest.3 AS parent_session_id
FROM (SELECT handle, connection_id, session_id FROM handles WHERE role = 'resumed') AS resumed
INNER JOIN
(
    SELECT handle, connection_id, session_id, at
    FROM handles
    WHERE role = 'given' AND handle IN (SELECT handle FROM handles WHERE role = 'resumed')
) AS given ON given.handle = resumed.handle
WHERE given.connection_id != resumed.connection_id
GROUP BY resumed.connection_id
