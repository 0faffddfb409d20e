-- As 0151, and with each price where it is from and which modalities bound it.
-- A period ends before `valid_to`: what is priced by the hour it was used in and what is priced by the second agree
-- then also where no other price follows.
-- A query of grounding is bounded as UNATTRIBUTED is: the first ones of a month may be free, and nobody tells
-- which were, so FIRST_QUERY is what a query costs at least.
CREATE OR REPLACE VIEW model_price_terms AS
SELECT
    model, platform, tier, direction, modality,
    valid_from AS first_second, valid_to - 1 AS last_second,
    prices.usd_per_mtok / 1000000 AS usd, usd AS usd_low, usd AS usd_high, prices.usd_per_mtok AS usd_per_mtok,
    source, modality AS low_modality, modality AS high_modality, valid_from, valid_to
FROM model_prices AS prices
WHERE direction != 'grounding'
UNION ALL
SELECT
    model, platform, tier, direction,
    if(direction = 'grounding', 'QUERY', 'UNATTRIBUTED') AS modality,
    valid_from AS first_second, valid_to - 1 AS last_second,
    anyIf(prices.usd_per_mtok, prices.modality IN ('TEXT', 'QUERY')) / 1000000 AS usd,
    min(prices.usd_per_mtok) / 1000000 AS usd_low,
    max(prices.usd_per_mtok) / 1000000 AS usd_high,
    anyIf(prices.usd_per_mtok, prices.modality IN ('TEXT', 'QUERY')) AS usd_per_mtok,
    anyIf(prices.source, prices.modality IN ('TEXT', 'QUERY')) AS source,
    argMin(prices.modality, (prices.usd_per_mtok, prices.modality)) AS low_modality,
    argMax(prices.modality, (prices.usd_per_mtok, prices.modality)) AS high_modality,
    valid_from, valid_to
FROM model_prices AS prices
WHERE direction IN ('input', 'output', 'grounding')
GROUP BY model, platform, tier, direction, valid_from, valid_to
HAVING countIf(prices.modality IN ('TEXT', 'QUERY')) > 0
