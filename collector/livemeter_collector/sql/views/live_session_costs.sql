-- Where a session's money went: direction x modality, with transcription and grounding on rows of their own.
-- requires: session_totals
CREATE OR REPLACE VIEW live_session_costs AS
SELECT
    session_id,
    if(livemeter_price_direction(used.5) = 'input', 'input', 'output') AS direction,
    multiIf(used.5 = 'transcription', 'TRANSCRIPTION', used.5 = 'grounding', 'GROUNDING', used.6) AS modality,
    any(if(used.5 = 'grounding', 'query', 'token')) AS unit,
    sum(used.7) AS quantity,
    sum(used.8) AS carried,
    sum(used.7 * price.1) AS usd,
    sum(used.7 * price.2) AS usd_low,
    sum(used.7 * price.3) AS usd_high,
    sumIf(used.7, isNull(price.1)) AS unpriced_quantity
FROM
(
    SELECT session_id, usage, livemeter_unit_prices(usage) AS prices
    FROM session_totals
)
ARRAY JOIN usage AS used, prices AS price
GROUP BY session_id, direction, modality
