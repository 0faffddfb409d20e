-- The prices in force at {at_s}, with where they are from, and beside them what was used and has no price then.
-- Where two periods overlap, the one that starts later holds, as for the dictionary that figures are priced by.
WITH
    toDateTime({at_s:Int64}, 'UTC') AS at,
    in_force AS
    (
        SELECT
            model, platform, tier, direction, modality, toNullable(usd_per_mtok) AS usd,
            toNullable(valid_from) AS holds_from, toNullable(valid_to) AS holds_to, toNullable(source) AS told_by
        FROM livemeter.model_prices
        WHERE valid_from <= at AND at < valid_to
        ORDER BY valid_from DESC
        LIMIT 1 BY model, platform, tier, direction, modality
    ),
    used AS
    (
        SELECT DISTINCT
            model, platform, tier,
            livemeter_price_direction(kind) AS direction, livemeter_price_modality(kind, usage.modality) AS modality
        FROM livemeter.usage AS usage
        WHERE billable
    ),
    unpriced AS
    (
        SELECT model, platform, tier, direction, modality, NULL AS usd, NULL AS holds_from, NULL AS holds_to, NULL AS told_by
        FROM used
        WHERE isNull(dictGetOrNull(
            'livemeter.model_price', 'usd', (model, platform, tier, direction, modality), at
        ))
    )
SELECT
    model, platform, tier, direction, modality,
    usd AS usd_per_mtok, holds_from AS valid_from, holds_to AS valid_to, told_by AS source
FROM (SELECT * FROM in_force UNION ALL SELECT * FROM unpriced)
WHERE ({model:String} = '' OR model = {model:String})
    AND ({platform:String} = '' OR platform = {platform:String})
    AND ({tier:String} = '' OR tier = {tier:String})
ORDER BY model, platform, tier, direction, modality
