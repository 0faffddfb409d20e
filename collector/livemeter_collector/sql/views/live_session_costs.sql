-- Where a session's money went: direction x modality, with transcription and grounding on rows of their own.
-- requires: live_costs
CREATE OR REPLACE VIEW live_session_costs AS
SELECT
    session_id,
    direction,
    multiIf(kind = 'transcription', 'TRANSCRIPTION', kind = 'grounding', 'GROUNDING', costs.modality) AS modality,
    any(costs.unit) AS unit,
    sum(costs.quantity) AS quantity,
    sum(costs.carried) AS carried,
    sum(costs.usd) AS usd,
    sum(costs.usd_low) AS usd_low,
    sum(costs.usd_high) AS usd_high,
    sumIf(costs.quantity, isNull(costs.usd)) AS unpriced_quantity
FROM live_costs AS costs
GROUP BY session_id, direction, modality
