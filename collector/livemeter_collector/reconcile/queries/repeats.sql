-- Usage frames that repeat another and were not counted: what they would have come to.
SELECT
    sum(repeats.quantity) AS quantity,
    sum(repeats.quantity * price) AS usd
FROM
(
    SELECT
        quantity,
        dictGetOrNull(
            'livemeter.model_price', 'usd',
            (model, platform, tier, livemeter_price_direction(kind), livemeter_price_modality(kind, modality)),
            toDateTime(ts)
        ) AS price
    FROM livemeter.live_usage
    WHERE NOT billable
        AND ts >= fromUnixTimestamp64Milli({start_ms:Int64}) AND ts < fromUnixTimestamp64Milli({end_ms:Int64})
) AS repeats
