-- What is known of a connection, from whichever of its events arrived, in whatever order and however
-- often: every column keeps one value by a function that repetition does not change.
CREATE TABLE connections
(
    connection_id FixedString(16),
    session_id              SimpleAggregateFunction(anyLast, Nullable(String)),
    app                     SimpleAggregateFunction(anyLast, LowCardinality(Nullable(String))),
    user_id                 SimpleAggregateFunction(anyLast, Nullable(String)),
    labels                  SimpleAggregateFunction(anyLast, Map(String, String)),
    model                   SimpleAggregateFunction(anyLast, LowCardinality(Nullable(String))),
    platform                SimpleAggregateFunction(anyLast, LowCardinality(Nullable(String))),
    opened_at               SimpleAggregateFunction(min, Nullable(DateTime64(3))),
    first_event_at          SimpleAggregateFunction(min, DateTime64(3)),
    last_event_at           SimpleAggregateFunction(max, DateTime64(3)),
    -- The setup, once the server has answered it.
    started_at              SimpleAggregateFunction(min, Nullable(DateTime64(3))),
    setup_ms                SimpleAggregateFunction(anyLast, Nullable(Float64)),
    google_session_id       SimpleAggregateFunction(anyLast, Nullable(String)),
    attempt                 SimpleAggregateFunction(anyLast, Nullable(UInt32)),
    resumed                 SimpleAggregateFunction(anyLast, Nullable(Bool)),
    resumed_from            SimpleAggregateFunction(anyLast, Nullable(String)),
    reconnect_delay_ms      SimpleAggregateFunction(anyLast, Nullable(Float64)),
    gap_ms                  SimpleAggregateFunction(anyLast, Nullable(Float64)),
    api_version             SimpleAggregateFunction(anyLast, LowCardinality(Nullable(String))),
    location                SimpleAggregateFunction(anyLast, LowCardinality(Nullable(String))),
    voice                   SimpleAggregateFunction(anyLast, LowCardinality(Nullable(String))),
    vad_mode                SimpleAggregateFunction(anyLast, LowCardinality(Nullable(String))),
    response_modalities     SimpleAggregateFunction(anyLast, LowCardinality(Nullable(String))),
    input_transcription     SimpleAggregateFunction(anyLast, Nullable(Bool)),
    output_transcription    SimpleAggregateFunction(anyLast, Nullable(Bool)),
    session_resumption      SimpleAggregateFunction(anyLast, Nullable(Bool)),
    compression             SimpleAggregateFunction(anyLast, Nullable(Bool)),
    declared_tools          SimpleAggregateFunction(anyLast, Nullable(String)),
    sdk_version             SimpleAggregateFunction(anyLast, LowCardinality(Nullable(String))),
    websockets_version      SimpleAggregateFunction(anyLast, LowCardinality(Nullable(String))),
    -- goAway, when one came.
    go_away_at              SimpleAggregateFunction(max, Nullable(DateTime64(3))),
    go_away_time_left_ms    SimpleAggregateFunction(anyLast, Nullable(Float64)),
    -- The close.
    closed_at               SimpleAggregateFunction(max, Nullable(DateTime64(3))),
    close_code              SimpleAggregateFunction(anyLast, Nullable(UInt16)),
    close_reason            SimpleAggregateFunction(anyLast, Nullable(String)),
    closed_by               SimpleAggregateFunction(anyLast, LowCardinality(Nullable(String))),
    clean                   SimpleAggregateFunction(anyLast, Nullable(Bool)),
    phase                   SimpleAggregateFunction(anyLast, LowCardinality(Nullable(String))),
    http_status             SimpleAggregateFunction(anyLast, Nullable(UInt16)),
    error_type              SimpleAggregateFunction(anyLast, LowCardinality(Nullable(String))),
    diagnosis               SimpleAggregateFunction(anyLast, LowCardinality(Nullable(String))),
    cause                   SimpleAggregateFunction(anyLast, Nullable(String)),
    hint                    SimpleAggregateFunction(anyLast, Nullable(String)),
    retry_class             SimpleAggregateFunction(anyLast, LowCardinality(Nullable(String))),
    catalogue_version       SimpleAggregateFunction(anyLast, LowCardinality(Nullable(String))),
    since_tool_response_ms  SimpleAggregateFunction(anyLast, Nullable(Float64)),
    go_away_overrun_ms      SimpleAggregateFunction(anyLast, Nullable(Float64)),
    context_tokens_at_close SimpleAggregateFunction(anyLast, Nullable(UInt64)),
    last_sent_at            SimpleAggregateFunction(max, Nullable(DateTime64(3))),
    last_received_at        SimpleAggregateFunction(max, Nullable(DateTime64(3)))
)
ENGINE = AggregatingMergeTree
ORDER BY connection_id
SETTINGS non_replicated_deduplication_window = 1000
