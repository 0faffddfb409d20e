-- Tokens: a row per usage frame x kind x modality, quantities only; money is computed when read.
-- Transcription estimates and grounding queries are rows of the turn that caused them.
CREATE TABLE usage
(
    connection_id FixedString(16),
    session_id    String,
    emitter_id    LowCardinality(String),
    seq           UInt64,
    ts            DateTime64(3) CODEC(Delta(8), ZSTD(1)),
    app           LowCardinality(String),
    user_id       String,
    labels        Map(LowCardinality(String), String),
    model         LowCardinality(String),
    platform      LowCardinality(String),
    tier          LowCardinality(String),
    service_tier  LowCardinality(String),
    traffic_type  LowCardinality(String),
    turn          UInt32,
    pass          UInt32,
    kind          LowCardinality(String),
    modality      LowCardinality(String),
    quantity      UInt64 CODEC(T64, ZSTD(1)),
    unit          LowCardinality(String),
    billable      Bool,
    fresh         UInt64 CODEC(T64, ZSTD(1)),
    carried       UInt64 CODEC(T64, ZSTD(1)),
    source        LowCardinality(String),
    previous_prompt    Nullable(UInt64),
    first_after_resume Bool
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(ts)
ORDER BY (connection_id, emitter_id, seq, kind, modality)
SETTINGS non_replicated_deduplication_window = 1000
