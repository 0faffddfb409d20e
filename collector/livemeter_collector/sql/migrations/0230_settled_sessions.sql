-- Sessions as they were computed once nothing more came (view session_figures): a row is right for as long as
-- nothing arrives for its session, and is not read from then on. Quantities alone; money is computed when read.
-- `is_gone`: the session is another one's by now, or began at another time.
CREATE TABLE settled_sessions
(
    session_id        String,
    started_at        DateTime64(3) CODEC(Delta(8), ZSTD(1)),
    ended_at          DateTime64(3) CODEC(Delta(8), ZSTD(1)),
    last_closed_at    Nullable(DateTime64(3)) CODEC(ZSTD(1)),
    app               LowCardinality(String),
    user_id           String CODEC(ZSTD(1)),
    labels            Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    model             LowCardinality(String),
    platform          LowCardinality(String),
    connection_ids    Array(FixedString(16)) CODEC(ZSTD(1)),
    resumes           UInt32 CODEC(ZSTD(1)),
    go_aways          UInt32 CODEC(ZSTD(1)),
    framework_name    LowCardinality(Nullable(String)),
    framework_version LowCardinality(Nullable(String)),
    app_phases        Array(String) CODEC(ZSTD(1)),
    outcome           Nullable(String) CODEC(ZSTD(1)),
    outcome_detail    Nullable(String) CODEC(ZSTD(1)),
    close_code        Nullable(UInt16) CODEC(ZSTD(1)),
    close_reason      Nullable(String) CODEC(ZSTD(1)),
    closed_by         LowCardinality(Nullable(String)),
    http_status       Nullable(UInt16) CODEC(ZSTD(1)),
    diagnosis         LowCardinality(Nullable(String)),
    ended_well        Bool,
    turns             UInt32 CODEC(ZSTD(1)),
    interruptions     UInt32 CODEC(ZSTD(1)),
    user_speech_s     Nullable(Float64) CODEC(ZSTD(1)),
    model_speech_s    Float64 CODEC(ZSTD(1)),
    turns_with_output UInt32 CODEC(ZSTD(1)),
    turns_covered     UInt32 CODEC(ZSTD(1)),
    tool_calls        UInt32 CODEC(ZSTD(1)),
    resumes_known     UInt32 CODEC(ZSTD(1)),
    resumes_shrunk    UInt32 CODEC(ZSTD(1)),
    -- Billable usage by hour, because prices change on whole hours.
    usage             Array(Tuple(
                          hour DateTime('UTC'), model LowCardinality(String), platform LowCardinality(String),
                          tier LowCardinality(String), kind LowCardinality(String), modality LowCardinality(String),
                          quantity UInt64, carried UInt64
                      )) CODEC(ZSTD(1)),
    computed_at       DateTime64(3) CODEC(Delta(8), ZSTD(1)),
    is_gone           UInt8,
    INDEX by_session session_id TYPE bloom_filter(0.001) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(computed_at, is_gone)
PARTITION BY toYYYYMM(started_at)
ORDER BY (started_at, session_id)
SETTINGS non_replicated_deduplication_window = 1000, index_granularity = 1024
