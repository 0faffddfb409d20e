-- Carried: tokens of the prompt that were in the context before. Only what has a price can have a share.
SELECT
    toFloat64(sum(costs.carried_usd)) / nullIf(toFloat64(sum(costs.usd)), 0) AS "Carried",
    1 - "Carried" AS "Fresh"
FROM livemeter.live_costs AS costs
WHERE $__timeFilter_ms(costs.ts)
    AND $__conditionalAll(costs.app IN (${app:singlequote}), $app)
    AND $__conditionalAll(costs.model IN (${model:singlequote}), $model)
    AND costs.direction = 'input'
