-- Where one session's money went, input before output, the dearest first.
SELECT
    direction, modality,
    if(unit = 'token', quantity, 0) AS tokens,
    if(unit = 'token' AND direction = 'input', quantity, 0) AS input_tokens,
    carried,
    if(unit = 'query', quantity, 0) AS queries,
    usd, usd_low, usd_high, unpriced_quantity
FROM livemeter.live_session_costs
WHERE session_id = {session:String}
ORDER BY direction, usd DESC NULLS LAST, modality
