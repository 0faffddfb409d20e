-- What a price is looked up by. Names of five parts cost five times as long to look up as one number.
CREATE FUNCTION livemeter_price_key AS (model, platform, tier, direction, modality) ->
    cityHash64(model, platform, tier, direction, modality)
