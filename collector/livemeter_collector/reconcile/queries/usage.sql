-- What was recorded on each day of the time zone that billing has, by model, kind and modality: tokens and
-- queries, what they cost, how much of that is only estimated, and what of it lies outside the hours that the
-- billing file covers.
SELECT
    toString(toDate(ts, {time_zone:String})) AS day,
    platform, model, kind, modality,
    sum(costs.quantity) AS quantity,
    sum(costs.usd) AS usd,
    sum(costs.usd_low) AS usd_low,
    sum(costs.usd_high) AS usd_high,
    sumIf(costs.quantity, isNull(costs.usd)) AS unpriced_quantity,
    sum(costs.quantity * (full_price - costs.price_usd_per_mtok / 1000000)) AS discount_usd,
    sumIf(costs.quantity, source != 'reported') AS derived_quantity,
    sumIf(costs.usd, source != 'reported') AS derived_usd,
    sumIf(costs.quantity, is_outside) AS outside_quantity,
    sumIf(costs.usd, is_outside) AS outside_usd
FROM
(
    SELECT
        *,
        ts < fromUnixTimestamp64Milli({from_ms:Int64}) OR ts >= fromUnixTimestamp64Milli({to_ms:Int64}) AS is_outside,
        if(
            kind = 'cached',
            dictGetOrNull(
                'livemeter.model_price', 'usd',
                (model, platform, tier, 'input', livemeter_price_modality(kind, modality)),
                toDateTime(ts)
            ),
            NULL
        ) AS full_price
    FROM livemeter.live_costs
    WHERE ts >= fromUnixTimestamp64Milli({start_ms:Int64}) AND ts < fromUnixTimestamp64Milli({end_ms:Int64})
) AS costs
GROUP BY day, platform, model, kind, modality
ORDER BY day, platform, model, kind, modality
