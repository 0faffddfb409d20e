-- Sessions that started since a time, the newest first; '' lets every status, model or user through.
-- Where the model made output and no usage frame ever came, tokens and cost are not known: NULL, not 0.
WITH coalesce(sessions.usage_coverage = 0, false) AND sessions.input_tokens + sessions.output_tokens = 0 AS is_unseen
SELECT
    session_id, app, user_id, labels, model, platform,
    toTimeZone(started_at, 'UTC') AS started_at,
    toTimeZone(ended_at, 'UTC') AS ended_at,
    duration_s, status, connections, reconnects, turns, tool_calls, interruptions, go_aways,
    user_speech_s, model_speech_s,
    if(is_unseen, NULL, sessions.input_tokens) AS input_tokens,
    if(is_unseen, NULL, sessions.output_tokens) AS output_tokens,
    -- Transcription is estimated without any frame: that much is known.
    if(is_unseen, nullIf(sessions.cost_usd, 0), sessions.cost_usd) AS cost_usd,
    if(is_unseen, nullIf(sessions.cost_low_usd, 0), sessions.cost_low_usd) AS cost_low_usd,
    if(is_unseen, nullIf(sessions.cost_high_usd, 0), sessions.cost_high_usd) AS cost_high_usd,
    if(is_unseen, nullIf(sessions.carried_cost_usd, 0), sessions.carried_cost_usd) AS carried_cost_usd,
    unpriced_quantity, usage_coverage, context_lost,
    close_code, close_reason, closed_by, diagnosis
FROM livemeter.live_sessions AS sessions
WHERE sessions.started_at >= fromUnixTimestamp64Milli({since_ms:Int64})
    AND ({status:String} = '' OR status = {status:String})
    AND ({model:String} = '' OR model = {model:String})
    AND ({user:String} = '' OR user_id = {user:String})
    AND ({session:String} = '' OR session_id = {session:String})
ORDER BY sessions.started_at DESC, session_id
LIMIT {limit:UInt64}
