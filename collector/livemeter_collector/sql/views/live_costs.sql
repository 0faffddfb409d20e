-- Money, computed when read from the prices in force at the time. usd is NULL where no price is known.
-- requires: live_usage
CREATE OR REPLACE VIEW live_costs AS
WITH
    livemeter_price_direction(kind) AS price_direction,
    livemeter_price_modality(kind, modality) AS price_modality,
    dictGetOrNull(
        'livemeter.price_by_key', ('usd', 'usd_low', 'usd_high', 'usd_per_mtok'),
        livemeter_price_key(model, platform, tier, price_direction, price_modality), toDateTime(ts)
    ) AS price,
    dictGetOrNull(
        'livemeter.price_by_key', 'usd',
        livemeter_price_key(model, platform, tier, 'cached_input', price_modality), toDateTime(ts)
    ) AS cached_price,
    kind = 'cached' AND isNotNull(cached_price) AS is_discounted
SELECT
    ts, session_id, connection_id, seq, turn, pass, app, user_id, labels, model, platform, tier, service_tier, traffic_type,
    kind, modality, quantity, unit, billable, fresh, carried, source,
    if(price_direction = 'input', 'input', 'output') AS direction,
    quantity * if(is_discounted, cached_price, price.1) AS usd,
    quantity * if(is_discounted, cached_price, price.2) AS usd_low,
    quantity * if(is_discounted, cached_price, price.3) AS usd_high,
    carried * if(is_discounted, cached_price, price.1) AS carried_usd,
    if(is_discounted, cached_price * 1000000, price.4) AS price_usd_per_mtok,
    first_after_resume
FROM live_usage
WHERE billable
