-- What one token (or query) of each element of hourly usage costs: (usd, usd_low, usd_high), NULL where no price is
-- known. An element: (hour, model, platform, tier, kind, modality, quantity, carried).
CREATE FUNCTION livemeter_unit_prices AS (usage) -> arrayMap(
    (price, cached) -> (coalesce(cached, price.1), coalesce(cached, price.2), coalesce(cached, price.3)),
    arrayMap(
        used -> dictGetOrNull(
            'livemeter.price_by_key', ('usd', 'usd_low', 'usd_high'),
            livemeter_price_key(
                used.2, used.3, used.4, livemeter_price_direction(used.5), livemeter_price_modality(used.5, used.6)
            ),
            used.1
        ),
        usage
    ),
    arrayMap(
        used -> dictGetOrNull(
            'livemeter.price_by_key', 'usd',
            livemeter_price_key(
                used.2, used.3, used.4, if(used.5 = 'cached', 'cached_input', ''), livemeter_price_modality(used.5, used.6)
            ),
            used.1
        ),
        usage
    )
)
