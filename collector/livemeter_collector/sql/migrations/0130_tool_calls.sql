-- One row a tool call, written when it ended: answered, cancelled, or left open by the close.
CREATE TABLE tool_calls
(
    connection_id  FixedString(16),
    session_id     String,
    emitter_id     LowCardinality(String),
    seq            UInt64,
    ts             DateTime64(3) CODEC(Delta(8), ZSTD(1)),
    turn           UInt32,
    call_id        String,
    name           LowCardinality(String),
    called_at      Nullable(DateTime64(3)),
    responded_at   Nullable(DateTime64(3)),
    latency_ms     Nullable(Float64),
    request_bytes  UInt64,
    response_bytes UInt64,
    id_match       LowCardinality(String),
    in_flight      UInt32,
    status         LowCardinality(String)
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(ts)
ORDER BY (connection_id, emitter_id, seq)
SETTINGS non_replicated_deduplication_window = 1000
