-- As live_usage_hourly, with money: prices change on whole hours, so that it equals the sum of live_costs.
-- requires: live_usage_hourly
CREATE OR REPLACE VIEW live_costs_hourly AS
WITH livemeter_unit_prices([(hour, model, platform, tier, kind, modality, quantity, carried)])[1] AS price
SELECT
    hour, app, user_id, model, platform, tier, kind, modality,
    if(livemeter_price_direction(kind) = 'input', 'input', 'output') AS direction,
    quantity, unit, fresh, carried,
    quantity * price.1 AS usd,
    quantity * price.2 AS usd_low,
    quantity * price.3 AS usd_high,
    carried * price.1 AS carried_usd
FROM live_usage_hourly
