-- Every term of a session's sum: a quantity, what one of it costs, and the price that says so.
-- The price is looked up as live_costs does; what came cached is priced as that where there is such a price.
WITH
    livemeter_price_modality(kind, modality) AS price_modality,
    kind = 'cached' AND dictHas('livemeter.model_price', (model, platform, tier, 'cached_input', price_modality), toDateTime(ts)) AS is_discounted,
    dictGetOrNull(
        'livemeter.model_price',
        ('usd_per_mtok', 'usd_low', 'usd_high', 'source', 'valid_from', 'valid_to', 'low_modality', 'high_modality'),
        (model, platform, tier, if(is_discounted, 'cached_input', livemeter_price_direction(kind)), price_modality),
        toDateTime(ts)
    ) AS price
SELECT
    toTimeZone(ts, 'UTC') AS at,
    connection_id, turn, pass, model, platform, tier, kind, modality, direction, unit,
    costs.source AS known,
    quantity, carried, usd, usd_low, usd_high,
    price.1 AS price_usd_per_mtok,
    price.2 * 1000000 AS price_low_usd_per_mtok,
    price.3 * 1000000 AS price_high_usd_per_mtok,
    if(isNull(price.1), NULL, if(price_modality = 'UNATTRIBUTED', 'TEXT', price_modality)) AS priced_as,
    price.7 AS low_as,
    price.8 AS high_as,
    price.4 AS price_source,
    price.5 AS valid_from,
    price.6 AS valid_to
FROM livemeter.live_costs AS costs
WHERE session_id = {session:String}
ORDER BY ts, connection_id, seq, direction, kind, modality
