-- What differs of one connection's usage by hour, model, platform, tier, kind and modality: quantity, fresh and
-- carried as the facts say them and as they are remembered.
SELECT
    formatDateTime(hour, '%FT%TZ', 'UTC') AS hour,
    model, platform, tier, kind, modality,
    tuple(sumIf(quantity, NOT is_remembered), sumIf(fresh, NOT is_remembered), sumIf(carried, NOT is_remembered)) AS recorded,
    tuple(sumIf(quantity, is_remembered), sumIf(fresh, is_remembered), sumIf(carried, is_remembered)) AS remembered
FROM
(
    SELECT false AS is_remembered, hour, model, platform, tier, kind, modality, quantity, fresh, carried
    FROM livemeter.usage_figures
    WHERE connection_id = toFixedString(unhex({key:String}), 16)
    UNION ALL
    SELECT true AS is_remembered, hour, model, platform, tier, kind, modality, quantity, fresh, carried
    FROM livemeter.settled_usage FINAL
    WHERE connection_id = toFixedString(unhex({key:String}), 16)
) AS of_connection
GROUP BY of_connection.hour, model, platform, tier, kind, modality
HAVING recorded != remembered
ORDER BY hour, model, platform, tier, kind, modality
