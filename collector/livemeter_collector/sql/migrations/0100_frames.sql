-- Every frame of every connection, as it crossed the socket. One row a frame, unpacked by the engine.
-- A repeated delivery merges away: (connection, seq) is the frame's name.
CREATE TABLE frames
(
    connection_id FixedString(16) CODEC(ZSTD(1)),
    seq           UInt32 CODEC(Delta(4), ZSTD(1)),
    ts            DateTime64(3) CODEC(Delta(8), ZSTD(1)),
    direction     Enum8('sent' = 0, 'received' = 1) CODEC(ZSTD(1)),
    kind          LowCardinality(String) CODEC(ZSTD(1)),
    contents      Array(LowCardinality(String)) CODEC(ZSTD(1)),
    bytes         UInt32 CODEC(ZSTD(1)),
    audio_ms      UInt32 CODEC(ZSTD(1)),
    turn          UInt32 CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(ts)
ORDER BY (connection_id, seq)
SETTINGS non_replicated_deduplication_window = 1000
