-- A session's tool calls in the order in which they were made or, without a call, answered.
SELECT
    turn, connection_id, call_id, name,
    toTimeZone(called_at, 'UTC') AS called_at,
    toTimeZone(responded_at, 'UTC') AS responded_at,
    latency_ms, request_bytes, response_bytes, id_match, in_flight, status, closed_after_ms
FROM livemeter.live_tool_calls AS calls
WHERE session_id = {session:String}
ORDER BY coalesce(calls.called_at, calls.responded_at), turn, call_id
