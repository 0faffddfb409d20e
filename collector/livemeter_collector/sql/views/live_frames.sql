-- A row a frame: when it crossed the socket, which way, what it held.
CREATE OR REPLACE VIEW live_frames AS
SELECT
    frames.ts AS ts,
    connections.session_id AS session_id,
    lower(hex(frames.connection_id)) AS connection_id,
    frames.seq AS seq,
    frames.direction AS direction,
    frames.kind AS kind,
    frames.contents AS contents,
    frames.bytes AS bytes,
    frames.audio_ms AS audio_ms,
    frames.turn AS turn
FROM frames FINAL
LEFT JOIN (SELECT connection_id, session_id FROM connections FINAL) AS connections USING (connection_id)
