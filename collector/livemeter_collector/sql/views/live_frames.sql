-- A row a frame: when it crossed the socket, which way, what it held.
CREATE OR REPLACE VIEW live_frames AS
SELECT
    frames.ts AS ts,
    livemeter_session(coalesce(connections.told, '')) AS session_id,
    lower(hex(frames.connection_id)) AS connection_id,
    frames.seq AS seq,
    frames.direction AS direction,
    frames.kind AS kind,
    if(empty(frames.contents), [toString(frames.kind)], frames.contents) AS contents,
    frames.bytes AS bytes,
    frames.audio_ms AS audio_ms,
    frames.sample_rate AS sample_rate,
    frames.turn AS turn
FROM frames FINAL
LEFT JOIN
(
    SELECT connection_id, coalesce(nullIf(told_session.2, ''), session_id, lower(hex(connection_id))) AS told
    FROM connections FINAL
) AS connections USING (connection_id)
