-- Live events, or parts of them, that could not be made rows of the typed tables, and why. What is here of a
-- frame is here alone; other events are in `logs` as well, as they came.
-- No partitions: a batch that comes again must meet its first delivery, whenever that was.
CREATE TABLE rejects
(
    received_at   DateTime64(3) CODEC(Delta(8), ZSTD(1)),
    event_name    LowCardinality(String),
    -- As it was told, however long: it need not be one.
    connection_id String CODEC(ZSTD(1)),
    reason        LowCardinality(String),
    -- The first of each, as text.
    body          String CODEC(ZSTD(1)),
    attributes    Map(LowCardinality(String), String) CODEC(ZSTD(1))
)
ENGINE = MergeTree
ORDER BY received_at
SETTINGS non_replicated_deduplication_window = 1000
