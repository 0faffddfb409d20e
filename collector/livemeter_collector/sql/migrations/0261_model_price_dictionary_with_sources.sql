-- As 0152, with where each price is from. Loading prices reloads it where they are loaded; a server looks by
-- itself for what changed, so that every node of it and a price written by hand are priced alike. An embedded
-- engine never looks: there SYSTEM RELOAD DICTIONARY livemeter.model_price is part of every change.
CREATE OR REPLACE DICTIONARY model_price
(
    model         String,
    platform      String,
    tier          String,
    direction     String,
    modality      String,
    first_second  DateTime,
    last_second   DateTime,
    usd           Decimal(38, 18),
    usd_low       Decimal(38, 18),
    usd_high      Decimal(38, 18),
    usd_per_mtok  Decimal(38, 18),
    source        String,
    low_modality  String,
    high_modality String,
    valid_from    DateTime('UTC'),
    valid_to      DateTime('UTC')
)
PRIMARY KEY model, platform, tier, direction, modality
SOURCE(CLICKHOUSE(
    TABLE 'model_price_terms' DB 'livemeter'
    INVALIDATE_QUERY 'SELECT count(), sum(rows), max(modification_time), groupBitXor(sipHash64(name, hash_of_all_files)) FROM system.parts WHERE active AND database = ''livemeter'' AND table = ''model_prices'''
))
LAYOUT(COMPLEX_KEY_RANGE_HASHED(range_lookup_strategy 'max'))
RANGE(MIN first_second MAX last_second)
LIFETIME(MIN 10 MAX 20)
