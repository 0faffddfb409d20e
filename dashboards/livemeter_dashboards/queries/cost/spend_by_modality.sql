-- Transcription and grounding cost by rules of their own, so they stand beside the modalities.
SELECT
    $__timeInterval(costs.ts) AS time,
    costs.direction AS direction,
    multiIf(costs.kind = 'transcription', 'TRANSCRIPTION', costs.kind = 'grounding', 'GROUNDING', costs.modality) AS modality,
    toFloat64(sum(costs.usd)) AS usd
FROM livemeter.live_costs AS costs
WHERE $__timeFilter_ms(costs.ts)
    AND $__conditionalAll(costs.app IN (${app:singlequote}), $app)
    AND $__conditionalAll(costs.model IN (${model:singlequote}), $model)
GROUP BY time, direction, modality
ORDER BY time, direction, modality
