-- What is asked of a fleet: each question under a line with the view that it is about and a name. $since is a
-- time, a day before the fleet's end; $session, $connection and $user are ids in quotes. What ends in `all days` is
-- about the whole fleet and takes longer as it grows.

-- live_sessions: newest 100
SELECT session_id, app, user_id, model, started_at, duration_s, status, turns, cost_usd, diagnosis
FROM live_sessions
WHERE started_at >= $since
ORDER BY started_at DESC, session_id
LIMIT 100

-- live_sessions: newest 100, whole rows
SELECT *
FROM live_sessions
WHERE started_at >= $since
ORDER BY started_at DESC, session_id
LIMIT 100

-- live_sessions: dearest 100
SELECT session_id, app, user_id, model, turns, cost_usd, carried_cost_usd, unpriced_quantity
FROM live_sessions
WHERE started_at >= $since
ORDER BY cost_usd DESC NULLS LAST, session_id
LIMIT 100

-- live_sessions: by status
SELECT status, count() AS sessions, sum(cost_usd) AS usd
FROM live_sessions
WHERE started_at >= $since
GROUP BY status
ORDER BY status

-- live_sessions: by hour
SELECT toStartOfHour(started_at) AS hour, count(), countIf(status = 'failed'), avg(duration_s)
FROM live_sessions
WHERE started_at >= $since
GROUP BY hour
ORDER BY hour

-- live_sessions: of one user, newest 20
SELECT session_id, started_at, status, cost_usd
FROM live_sessions
WHERE started_at >= $since AND user_id = $user
ORDER BY started_at DESC
LIMIT 20

-- live_sessions: one
SELECT *
FROM live_sessions
WHERE session_id = $session

-- live_sessions: how many, all days
SELECT count()
FROM live_sessions

-- live_connections: newest 100
SELECT connection_id, session_id, app, model, attempt, opened_at, setup_ms, closed_at, close_code, diagnosis
FROM live_connections
WHERE opened_at >= $since
ORDER BY opened_at DESC, connection_id
LIMIT 100

-- live_connections: newest 100, whole rows
SELECT *
FROM live_connections
WHERE opened_at >= $since
ORDER BY opened_at DESC, connection_id
LIMIT 100

-- live_connections: setup by platform and hour
SELECT platform, toStartOfHour(opened_at) AS hour, count(), quantiles(0.5, 0.99)(setup_ms), countIf(resumed)
FROM live_connections
WHERE opened_at >= $since
GROUP BY ALL
ORDER BY ALL

-- live_connections: of one session
SELECT *
FROM live_connections
WHERE session_id = $session
ORDER BY opened_at

-- live_connections: one
SELECT *
FROM live_connections
WHERE connection_id = $connection

-- live_closes: by code and diagnosis
SELECT close_code, diagnosis, count() AS closes, any(hint)
FROM live_closes
WHERE closed_at >= $since
GROUP BY close_code, diagnosis
ORDER BY closes DESC, close_code, diagnosis

-- live_closes: bad ones, newest 100
SELECT *
FROM live_closes
WHERE closed_at >= $since AND NOT ended_well
ORDER BY closed_at DESC, connection_id
LIMIT 100

-- live_turns: latency by hour
SELECT toStartOfHour(started_at) AS hour, count(), quantiles(0.5, 0.95, 0.99)(first_audio_ms), countIf(interrupted)
FROM live_turns
WHERE started_at >= $since
GROUP BY hour
ORDER BY hour

-- live_turns: latency by model
SELECT model, count(), quantiles(0.5, 0.95, 0.99)(first_audio_ms)
FROM live_turns AS turns
INNER JOIN
(
    SELECT connection_id, model FROM live_connections WHERE opened_at >= $since - INTERVAL 1 HOUR
) AS connections USING (connection_id)
WHERE turns.started_at >= $since
GROUP BY model
ORDER BY model

-- live_turns: dearest 100
SELECT session_id, turn, started_at, input_tokens, output_tokens, cost_usd
FROM live_turns
WHERE started_at >= $since
ORDER BY cost_usd DESC NULLS LAST, connection_id, turn
LIMIT 100

-- live_turns: of one session
SELECT *
FROM live_turns
WHERE session_id = $session
ORDER BY started_at

-- live_tool_calls: by name
SELECT name, count(), countIf(status != 'ok'), quantiles(0.5, 0.99)(latency_ms)
FROM live_tool_calls
WHERE called_at >= $since
GROUP BY name
ORDER BY name

-- live_tool_calls: of one session
SELECT *
FROM live_tool_calls
WHERE session_id = $session
ORDER BY called_at

-- live_usage: tokens by model, hour and modality
SELECT model, toStartOfHour(ts) AS hour, kind, modality, sum(quantity), sum(carried)
FROM live_usage
WHERE ts >= $since AND billable
GROUP BY ALL
ORDER BY ALL

-- live_usage: of one session
SELECT *
FROM live_usage
WHERE session_id = $session
ORDER BY ts, seq

-- live_costs: by model, hour and modality
SELECT model, toStartOfHour(ts) AS hour, direction, modality, sum(usd), sum(carried_usd)
FROM live_costs
WHERE ts >= $since
GROUP BY ALL
ORDER BY ALL

-- live_costs: by user, dearest 20
SELECT user_id, sum(usd) AS usd
FROM live_costs
WHERE ts >= $since
GROUP BY user_id
ORDER BY usd DESC, user_id
LIMIT 20

-- live_costs: by label
SELECT labels['tenant'] AS tenant, sum(usd), sum(usd_low), sum(usd_high)
FROM live_costs
WHERE ts >= $since
GROUP BY tenant
ORDER BY tenant

-- live_costs: by day, all days
SELECT toDate(ts) AS day, sum(usd)
FROM live_costs
GROUP BY day
ORDER BY day

-- live_session_costs: one
SELECT *
FROM live_session_costs
WHERE session_id = $session
ORDER BY direction, modality

-- live_session_costs: of all, by modality, all days
SELECT direction, modality, sum(quantity), sum(usd)
FROM live_session_costs
GROUP BY ALL
ORDER BY ALL

-- live_usage_hourly: by hour
SELECT hour, model, sum(quantity), sum(carried)
FROM live_usage_hourly
WHERE hour >= $since AND unit = 'token'
GROUP BY ALL
ORDER BY ALL

-- live_usage_hourly: by day and model, all days
SELECT toDate(hour) AS day, model, sum(quantity)
FROM live_usage_hourly
GROUP BY ALL
ORDER BY ALL

-- live_costs_hourly: by hour
SELECT hour, app, sum(usd), sum(carried_usd)
FROM live_costs_hourly
WHERE hour >= $since
GROUP BY ALL
ORDER BY ALL

-- live_costs_hourly: by day and model, all days
SELECT toDate(hour) AS day, model, sum(usd)
FROM live_costs_hourly
GROUP BY ALL
ORDER BY ALL

-- live_passes: dearest 100
SELECT session_id, turn, pass, prompt_tokens, carried, usd
FROM live_passes
WHERE ts >= $since
ORDER BY usd DESC NULLS LAST, connection_id, seq
LIMIT 100

-- live_passes: of one session
SELECT *
FROM live_passes
WHERE session_id = $session
ORDER BY ts

-- live_declared_tools: never called
SELECT name, count() AS sessions, countIf(calls = 0) AS without
FROM live_declared_tools
WHERE session_id IN (SELECT session_id FROM live_connections WHERE opened_at >= $since)
GROUP BY name
ORDER BY name

-- live_declared_tools: of one session
SELECT *
FROM live_declared_tools
WHERE session_id = $session
ORDER BY name

-- live_findings: by kind
SELECT kind, severity, count()
FROM live_findings
WHERE since >= $since
GROUP BY ALL
ORDER BY ALL

-- live_findings: of one session
SELECT *
FROM live_findings
WHERE session_id = $session

-- live_events: by kind
SELECT kind, count()
FROM live_events
WHERE ts >= $since
GROUP BY kind
ORDER BY kind

-- live_events: of one session
SELECT ts, kind, summary
FROM live_events
WHERE session_id = $session
ORDER BY ts, seq

-- live_transcripts: of one session
SELECT *
FROM live_transcripts
WHERE session_id = $session
ORDER BY ts, seq

-- live_losses: by app
SELECT app, count(), sum(received), sum(missing)
FROM live_losses
WHERE last_event_at >= $since
GROUP BY app
ORDER BY app

-- live_frames: of one connection, by second
SELECT toStartOfSecond(ts) AS second, direction, count(), sum(bytes), sum(audio_ms)
FROM live_frames
WHERE connection_id = $connection
GROUP BY second, direction
ORDER BY second, direction

-- live_frame_losses: of one connection
SELECT *
FROM live_frame_losses
WHERE connection_id = $connection
