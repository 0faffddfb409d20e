SELECT toStartOfHour(costs.ts) AS time, costs.app AS app, toFloat64(sum(costs.usd)) AS usd
FROM livemeter.live_costs AS costs
WHERE $__timeFilter_ms(costs.ts)
    AND $__conditionalAll(costs.app IN (${app:singlequote}), $app)
    AND $__conditionalAll(costs.model IN (${model:singlequote}), $model)
GROUP BY time, app
ORDER BY time, app
