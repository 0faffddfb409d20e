-- Prices per token as accounting needs them. A modality of its own has one price; what a frame left
-- UNATTRIBUTED is priced as text, between the cheapest and the dearest modality of its direction.
CREATE VIEW model_price_terms AS
SELECT
    model, platform, tier, direction, modality, valid_from, valid_to,
    prices.usd_per_mtok / 1000000 AS usd, usd AS usd_low, usd AS usd_high, prices.usd_per_mtok AS usd_per_mtok
FROM model_prices AS prices
UNION ALL
SELECT
    model, platform, tier, direction, 'UNATTRIBUTED' AS modality, valid_from, valid_to,
    anyIf(prices.usd_per_mtok, prices.modality = 'TEXT') / 1000000 AS usd,
    min(prices.usd_per_mtok) / 1000000 AS usd_low,
    max(prices.usd_per_mtok) / 1000000 AS usd_high,
    anyIf(prices.usd_per_mtok, prices.modality = 'TEXT') AS usd_per_mtok
FROM model_prices AS prices
WHERE direction IN ('input', 'output')
GROUP BY model, platform, tier, direction, valid_from, valid_to
HAVING countIf(prices.modality = 'TEXT') > 0
