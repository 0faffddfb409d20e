-- What the engine counted of every insert that came from a collector's journal: one row an insert, whose content
-- may be a whole segment or, after a request that could not be read, a part of one.
-- No partitions: a batch that comes again must meet its first delivery, whenever that was.
CREATE TABLE ledger_inserts
(
    collector_id LowCardinality(String),
    signal       Enum8('logs' = 0, 'traces' = 1, 'metrics' = 2),
    segment      UInt64 CODEC(Delta(8), ZSTD(1)),
    -- As counted at the collector's door.
    requests     UInt64 CODEC(T64, ZSTD(1)),
    records      UInt64 CODEC(T64, ZSTD(1)),
    -- As counted here: log records, spans, data points.
    stored       UInt64 CODEC(T64, ZSTD(1)),
    at           DateTime64(3) CODEC(Delta(8), ZSTD(1))
)
ENGINE = MergeTree
ORDER BY (collector_id, signal, segment)
SETTINGS non_replicated_deduplication_window = 1000
