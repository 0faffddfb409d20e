-- Tokens, queries and money by the columns named in {by}, whose values come as one array, in its order.
SELECT
    arrayMap(
        name -> multiIf(
            name = 'model', model,
            name = 'direction', direction,
            name = 'modality', multiIf(kind = 'transcription', 'TRANSCRIPTION', kind = 'grounding', 'GROUNDING', modality),
            name = 'kind', kind,
            name = 'user', user_id,
            name = 'app', app,
            name = 'session', costs.session_id,
            name = 'phase', coalesce(phases.app_phase, ''),
            name = 'platform', platform,
            name = 'tier', tier,
            name = 'hour', formatDateTime(ts, '%Y-%m-%dT%H:00Z', 'UTC'),
            name = 'day', formatDateTime(ts, '%Y-%m-%d', 'UTC'),
            startsWith(name, 'label:'), labels[substring(name, 7)],
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
LEFT JOIN
(
    -- Read only where it is asked for.
    SELECT connection_id, turn, any(app_phase) AS app_phase
    FROM livemeter.live_turns
    WHERE has({by:Array(String)}, 'phase')
    GROUP BY connection_id, turn
) AS phases ON phases.connection_id = costs.connection_id AND phases.turn = costs.turn
WHERE ts >= fromUnixTimestamp64Milli({since_ms:Int64})
GROUP BY keys
ORDER BY keys
