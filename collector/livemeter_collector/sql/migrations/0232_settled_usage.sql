-- Billable usage of settled sessions by hour and connection (view usage_figures); read as settled_sessions is.
CREATE TABLE settled_usage
(
    hour          DateTime('UTC') CODEC(Delta(4), ZSTD(1)),
    connection_id FixedString(16),
    session_id    String CODEC(ZSTD(1)),
    app           LowCardinality(String),
    user_id       String CODEC(ZSTD(1)),
    model         LowCardinality(String),
    platform      LowCardinality(String),
    tier          LowCardinality(String),
    kind          LowCardinality(String),
    modality      LowCardinality(String),
    quantity      UInt64 CODEC(T64, ZSTD(1)),
    fresh         UInt64 CODEC(T64, ZSTD(1)),
    carried       UInt64 CODEC(T64, ZSTD(1)),
    computed_at   DateTime64(3) CODEC(Delta(8), ZSTD(1))
)
ENGINE = ReplacingMergeTree(computed_at)
PARTITION BY toYYYYMM(hour)
ORDER BY (hour, connection_id, app, user_id, model, platform, tier, kind, modality)
SETTINGS non_replicated_deduplication_window = 1000
