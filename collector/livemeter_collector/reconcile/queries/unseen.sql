-- Turns in which the model made output and no usage frame came, by day and model: how long either side was heard,
-- and what a token of it costs. (Who was heard earlier in the session was billed again, and nobody told of it.)
SELECT
    toString(toDate(turns.started_at, {time_zone:String})) AS day,
    connections.platform AS platform,
    connections.model AS model,
    count() AS turns,
    sum(turns.user_speech_ms) AS heard_ms,
    sum(turns.model_speech_ms) AS said_ms,
    max(dictGetOrNull(
        'livemeter.model_price', 'usd',
        (connections.model, connections.platform, 'standard', 'input', 'AUDIO'), toDateTime(turns.started_at)
    )) AS input_usd,
    max(dictGetOrNull(
        'livemeter.model_price', 'usd',
        (connections.model, connections.platform, 'standard', 'output', 'AUDIO'), toDateTime(turns.started_at)
    )) AS output_usd
FROM
(
    SELECT connection_id, started_at, user_speech_ms, model_speech_ms
    FROM livemeter.live_turns
    WHERE has_output AND NOT has_usage
        AND started_at >= fromUnixTimestamp64Milli({start_ms:Int64})
        AND started_at < fromUnixTimestamp64Milli({end_ms:Int64})
) AS turns
INNER JOIN (SELECT connection_id, platform, model FROM livemeter.live_connections) AS connections
    ON connections.connection_id = turns.connection_id
GROUP BY day, platform, model
ORDER BY day, platform, model
