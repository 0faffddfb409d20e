-- Frames of a connection that did not arrive: those it observed are counted at its close, and numbered from 0
-- before. Connections without any frame have no row, because frames can be switched off. It counts every frame
-- it is asked about: ask about a connection, not about all.
-- requires: live_connections
CREATE OR REPLACE VIEW live_frame_losses AS
SELECT
    connections.session_id AS session_id,
    connections.connection_id AS connection_id,
    connections.app AS app,
    coalesce(connections.frames, frames.seen) AS frames_observed,
    frames.stored AS frames_stored,
    toUInt64(if(frames_observed > frames.stored, frames_observed - frames.stored, 0)) AS frames_missing
FROM
(
    SELECT lower(hex(frames.connection_id)) AS connection_id, count() AS stored, max(frames.seq) + 1 AS seen
    FROM frames FINAL
    GROUP BY frames.connection_id
) AS frames
INNER JOIN (SELECT session_id, connection_id, app, frames FROM live_connections) AS connections
    ON connections.connection_id = frames.connection_id
