-- Decimal to the last sum; a chart draws doubles.
SELECT
    toFloat64(sum(costs.usd)) AS "Spend",
    toFloat64(sum(costs.usd_low)) AS "at least",
    toFloat64(sum(costs.usd_high)) AS "at most"
FROM livemeter.live_costs AS costs
WHERE $__timeFilter_ms(costs.ts)
    AND $__conditionalAll(costs.app IN (${app:singlequote}), $app)
    AND $__conditionalAll(costs.model IN (${model:singlequote}), $model)
