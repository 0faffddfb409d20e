-- Sessions that started since a time, the newest first; '' lets every status, model or user through.
SELECT
    session_id, app, user_id, labels, model, platform,
    toTimeZone(started_at, 'UTC') AS started_at,
    toTimeZone(ended_at, 'UTC') AS ended_at,
    duration_s, status, connections, reconnects, turns, tool_calls, interruptions, go_aways,
    user_speech_s, model_speech_s,
    input_tokens, output_tokens,
    cost_usd, cost_low_usd, cost_high_usd, carried_cost_usd,
    unpriced_quantity, usage_coverage, context_lost,
    close_code, close_reason, closed_by, http_status, diagnosis
FROM livemeter.live_sessions AS sessions
WHERE sessions.started_at >= fromUnixTimestamp64Milli({since_ms:Int64})
    AND ({status:String} = '' OR status = {status:String})
    AND ({model:String} = '' OR model = {model:String})
    AND ({user:String} = '' OR user_id = {user:String})
    AND ({session:String} = '' OR session_id = {session:String})
ORDER BY sessions.started_at DESC, session_id
LIMIT {limit:UInt64}
