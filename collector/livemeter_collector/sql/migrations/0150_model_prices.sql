-- What a model's tokens cost, as published: a row per model, platform, tier, direction and modality.
-- Periods begin and end on whole hours, so that hourly sums and rows agree. Grounding is priced by the
-- million queries. The whole table is replaced when prices are loaded: a version wins as one.
CREATE TABLE model_prices
(
    model        LowCardinality(String),
    platform     LowCardinality(String),
    tier         LowCardinality(String),
    direction    LowCardinality(String),
    modality     LowCardinality(String),
    usd_per_mtok Decimal(38, 18),
    valid_from   DateTime('UTC'),
    valid_to     DateTime('UTC'),
    source       String
)
ENGINE = MergeTree
ORDER BY (model, platform, tier, direction, modality, valid_from)
