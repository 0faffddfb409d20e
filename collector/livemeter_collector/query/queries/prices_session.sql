-- A session's sum, as live_sessions has it.
SELECT session_id, cost_usd, cost_low_usd, cost_high_usd, unpriced_quantity
FROM livemeter.live_sessions
WHERE session_id = {session:String}
