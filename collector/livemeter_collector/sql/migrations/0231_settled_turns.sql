-- Turns with what their passes used, of settled sessions (view turn_figures); read as settled_sessions is.
CREATE TABLE settled_turns
(
    connection_id             FixedString(16),
    emitter_id                LowCardinality(String),
    seq                       UInt64 CODEC(T64, ZSTD(1)),
    session_id                String CODEC(ZSTD(1)),
    turn                      UInt32 CODEC(T64, ZSTD(1)),
    started_at                DateTime64(3) CODEC(Delta(8), ZSTD(1)),
    turn_ms                   Float64 CODEC(ZSTD(1)),
    first_audio_ms            Nullable(Float64) CODEC(ZSTD(1)),
    first_audio_from          LowCardinality(String),
    generation_ms             Nullable(Float64) CODEC(ZSTD(1)),
    user_speech_ms            Nullable(Float64) CODEC(ZSTD(1)),
    model_speech_ms           Float64 CODEC(ZSTD(1)),
    interrupted               Bool,
    end_reason                LowCardinality(String),
    complete_reason           LowCardinality(String),
    generation_complete       Nullable(Bool),
    began_while_user_spoke    Nullable(Bool),
    app_phase                 LowCardinality(String),
    has_output                Bool,
    transcript_chars_in       UInt32 CODEC(ZSTD(1)),
    transcript_chars_out      UInt32 CODEC(ZSTD(1)),
    transcript_longest_gap_ms Nullable(Float64) CODEC(ZSTD(1)),
    flushes                   Nullable(UInt32) CODEC(ZSTD(1)),
    passes                    UInt32 CODEC(ZSTD(1)),
    usage                     Array(Tuple(
                                  hour DateTime('UTC'), model LowCardinality(String), platform LowCardinality(String),
                                  tier LowCardinality(String), kind LowCardinality(String), modality LowCardinality(String),
                                  quantity UInt64, carried UInt64
                              )) CODEC(ZSTD(1)),
    computed_at               DateTime64(3) CODEC(Delta(8), ZSTD(1))
)
ENGINE = ReplacingMergeTree(computed_at)
PARTITION BY toYYYYMM(started_at)
ORDER BY (started_at, connection_id, emitter_id, seq)
SETTINGS non_replicated_deduplication_window = 1000, index_granularity = 4096
