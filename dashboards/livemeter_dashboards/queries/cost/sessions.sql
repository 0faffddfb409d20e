-- session_id keeps its name and the first place: links to the page of a session are made from it.
SELECT
    costs.session_id AS session_id,
    argMax(costs.app, costs.ts) AS app,
    argMax(costs.user_id, costs.ts) AS user_id,
    argMax(costs.model, costs.ts) AS model,
    min(costs.ts) AS first_usage_at,
    sumIf(costs.quantity, costs.direction = 'input' AND costs.unit = 'token') AS input_tokens,
    sumIf(costs.quantity, costs.kind IN ('response', 'thoughts')) AS output_tokens,
    toFloat64(sum(costs.usd)) AS usd,
    toFloat64(sum(costs.usd_low)) AS usd_low,
    toFloat64(sum(costs.usd_high)) AS usd_high,
    toFloat64(sum(costs.carried_usd)) / nullIf(toFloat64(sumIf(costs.usd, costs.direction = 'input')), 0) AS carried_share,
    sumIf(costs.quantity, isNull(costs.usd)) AS unpriced_quantity
FROM livemeter.live_costs AS costs
WHERE $__timeFilter_ms(costs.ts)
    AND $__conditionalAll(costs.app IN (${app:singlequote}), $app)
    AND $__conditionalAll(costs.model IN (${model:singlequote}), $model)
GROUP BY session_id
ORDER BY usd DESC NULLS LAST, session_id
LIMIT 100
