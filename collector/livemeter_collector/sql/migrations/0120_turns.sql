-- One row a turn: an exchange from its first frame to turnComplete, or to the close that cut it short.
CREATE TABLE turns
(
    connection_id        FixedString(16),
    session_id           String,
    emitter_id           LowCardinality(String),
    seq                  UInt64,
    ts                   DateTime64(3) CODEC(Delta(8), ZSTD(1)),
    turn                 UInt32,
    started_at           DateTime64(3) CODEC(Delta(8), ZSTD(1)),
    turn_ms              Float64,
    first_audio_ms       Nullable(Float64),
    first_audio_from     LowCardinality(String),
    generation_ms        Nullable(Float64),
    user_speech_ms       Nullable(Float64),
    model_speech_ms      Float64,
    interrupted          Bool,
    end_reason           LowCardinality(String),
    has_output           Bool,
    transcript_chars_in  UInt32,
    transcript_chars_out UInt32
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(ts)
ORDER BY (connection_id, emitter_id, seq)
SETTINGS non_replicated_deduplication_window = 1000
