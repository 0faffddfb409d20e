-- Resumption handles, by the hash that is all anybody keeps of them: which connection was given one, and
-- which connections of other processes were opened with it. (A process that resumes its own connection says
-- so itself.) Rows are found by handle, whichever half came first.
-- `session_id` is the session that a connection said it belongs to; empty says the connection's own id.
CREATE TABLE handles
(
    role          Enum8('given' = 0, 'resumed' = 1),
    handle        FixedString(16) CODEC(NONE),
    connection_id FixedString(16) CODEC(ZSTD(1)),
    session_id    SimpleAggregateFunction(max, String) CODEC(ZSTD(1)),
    at            SimpleAggregateFunction(min, DateTime64(3)) CODEC(Delta(8), ZSTD(1))
)
ENGINE = AggregatingMergeTree
ORDER BY (role, handle, connection_id)
SETTINGS non_replicated_deduplication_window = 1000, index_granularity = 1024
