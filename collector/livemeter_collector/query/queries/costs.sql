-- Tokens, queries and money by the columns named in {by}, whose values come as one array, in its order.
SELECT
    arrayMap(
        name -> multiIf(
            name = 'model', model,
            name = 'direction', direction,
            name = 'modality', multiIf(kind = 'transcription', 'TRANSCRIPTION', kind = 'grounding', 'GROUNDING', modality),
            name = 'user', user_id,
            name = 'app', app,
            name = 'session', session_id,
            name = 'hour', formatDateTime(ts, '%Y-%m-%dT%H:00Z', 'UTC'),
            name = 'day', formatDateTime(ts, '%Y-%m-%d', 'UTC'),
            ''
        ),
        {by:Array(String)}
    ) AS keys,
    sumIf(costs.quantity, unit = 'token') AS tokens,
    sumIf(costs.quantity, unit = 'token' AND direction = 'input') AS input_tokens,
    sum(costs.carried) AS carried,
    sumIf(costs.quantity, unit = 'query') AS queries,
    sum(costs.usd) AS usd,
    sum(costs.usd_low) AS usd_low,
    sum(costs.usd_high) AS usd_high,
    sum(costs.carried_usd) AS carried_usd,
    sumIf(costs.quantity, isNull(costs.usd)) AS unpriced_quantity
FROM livemeter.live_costs AS costs
WHERE ts >= fromUnixTimestamp64Milli({since_ms:Int64})
GROUP BY keys
ORDER BY keys
