-- As model_price (0261), by livemeter_price_key, with what accounting multiplies. The two are loaded together.
CREATE DICTIONARY price_by_key
(
    key          UInt64,
    first_second DateTime,
    last_second  DateTime,
    usd          Decimal(38, 18),
    usd_low      Decimal(38, 18),
    usd_high     Decimal(38, 18),
    usd_per_mtok Decimal(38, 18)
)
PRIMARY KEY key
SOURCE(CLICKHOUSE(
    QUERY 'SELECT livemeter_price_key(model, platform, tier, direction, modality) AS key, first_second, last_second, usd, usd_low, usd_high, usd_per_mtok FROM livemeter.model_price_terms'
    INVALIDATE_QUERY 'SELECT count(), sum(rows), max(modification_time), groupBitXor(sipHash64(name, hash_of_all_files)) FROM system.parts WHERE active AND database = ''livemeter'' AND table = ''model_prices'''
))
LAYOUT(RANGE_HASHED(range_lookup_strategy 'max'))
RANGE(MIN first_second MAX last_second)
LIFETIME(MIN 10 MAX 20)
