-- What a collector says of itself every few seconds: what it took and what became of that, a row a signal; the
-- last one counts. Every segment up to `done_through` is stored or set aside, and none above it.
CREATE TABLE ledger_door
(
    collector_id       LowCardinality(String),
    signal             Enum8('logs' = 0, 'traces' = 1, 'metrics' = 2),
    at                 DateTime64(3),
    accepted_requests  UInt64,
    accepted_records   UInt64,
    accepted_bytes     UInt64,
    set_aside_requests UInt64,
    set_aside_records  UInt64,
    -- Accepted, and not yet stored or set aside.
    journal_requests   UInt64,
    journal_records    UInt64,
    journal_bytes      UInt64,
    done_through       UInt64
)
ENGINE = ReplacingMergeTree(at)
ORDER BY (collector_id, signal)
