SELECT
    sumIf(costs.quantity, costs.modality = 'UNATTRIBUTED') / nullIf(sum(costs.quantity), 0) AS "Unattributed",
    sumIf(costs.quantity, isNull(costs.usd)) / nullIf(sum(costs.quantity), 0) AS "Unpriced"
FROM livemeter.live_costs AS costs
WHERE $__timeFilter_ms(costs.ts)
    AND $__conditionalAll(costs.app IN (${app:singlequote}), $app)
    AND $__conditionalAll(costs.model IN (${model:singlequote}), $model)
    AND costs.unit = 'token'
