-- A row a tool call, and one for every answer that met no open call (id_match no, duplicate or late).
CREATE OR REPLACE VIEW live_tool_calls AS
SELECT
    livemeter_session(tool_calls.session_id) AS session_id,
    lower(hex(tool_calls.connection_id)) AS connection_id,
    turn, call_id, name, called_at, responded_at, latency_ms, request_bytes, response_bytes,
    encoding, scheduling, will_continue, arguments, result,
    id_match, in_flight, status,
    dateDiff('millisecond', responded_at, closes.closed_at) AS closed_after_ms
FROM (SELECT * FROM tool_calls FINAL) AS tool_calls
LEFT JOIN (SELECT connection_id, closed_at FROM connections FINAL) AS closes USING (connection_id)
