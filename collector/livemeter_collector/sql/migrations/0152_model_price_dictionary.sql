-- The price in force at a time. Where periods meet, the later one holds (strategy max). It is reloaded
-- whenever prices are loaded; LIFETIME 0 says that nothing else reloads it.
CREATE DICTIONARY model_price
(
    model        String,
    platform     String,
    tier         String,
    direction    String,
    modality     String,
    valid_from   DateTime,
    valid_to     DateTime,
    usd          Decimal(38, 18),
    usd_low      Decimal(38, 18),
    usd_high     Decimal(38, 18),
    usd_per_mtok Decimal(38, 18)
)
PRIMARY KEY model, platform, tier, direction, modality
SOURCE(CLICKHOUSE(TABLE 'model_price_terms' DB 'livemeter'))
LAYOUT(COMPLEX_KEY_RANGE_HASHED(range_lookup_strategy 'max'))
RANGE(MIN valid_from MAX valid_to)
LIFETIME(0)
