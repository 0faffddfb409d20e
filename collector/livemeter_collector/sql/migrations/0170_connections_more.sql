-- What a connection's events tell beside what 0140 has. `told_session` is the session id that was told last and
-- `first_session` the one that was told first: an application may name a session after the dial. Rows from
-- before have neither and keep `session_id`.
ALTER TABLE connections
    ADD COLUMN IF NOT EXISTS told_session               SimpleAggregateFunction(max, Tuple(at DateTime64(3), session_id String)),
    ADD COLUMN IF NOT EXISTS first_session              SimpleAggregateFunction(min, Tuple(at DateTime64(3), session_id String)),
    ADD COLUMN IF NOT EXISTS thinking_budget            SimpleAggregateFunction(anyLast, Nullable(Int64)),
    ADD COLUMN IF NOT EXISTS thinking_level             SimpleAggregateFunction(anyLast, LowCardinality(Nullable(String))),
    -- JSON, because the last of several maps would win even where it is empty.
    ADD COLUMN IF NOT EXISTS setup_labels               SimpleAggregateFunction(anyLast, Nullable(String)),
    ADD COLUMN IF NOT EXISTS setup_bytes                SimpleAggregateFunction(anyLast, Nullable(UInt64)),
    ADD COLUMN IF NOT EXISTS setup_config               SimpleAggregateFunction(anyLast, Nullable(String)),
    ADD COLUMN IF NOT EXISTS instruction_bytes          SimpleAggregateFunction(anyLast, Nullable(UInt64)),
    ADD COLUMN IF NOT EXISTS instruction_hash           SimpleAggregateFunction(anyLast, Nullable(String)),
    ADD COLUMN IF NOT EXISTS compression_trigger_tokens SimpleAggregateFunction(anyLast, Nullable(UInt64)),
    ADD COLUMN IF NOT EXISTS compression_target_tokens  SimpleAggregateFunction(anyLast, Nullable(UInt64)),
    ADD COLUMN IF NOT EXISTS framework_name             SimpleAggregateFunction(anyLast, LowCardinality(Nullable(String))),
    ADD COLUMN IF NOT EXISTS framework_version          SimpleAggregateFunction(anyLast, LowCardinality(Nullable(String))),
    ADD COLUMN IF NOT EXISTS python_version             SimpleAggregateFunction(anyLast, LowCardinality(Nullable(String))),
    ADD COLUMN IF NOT EXISTS os_type                    SimpleAggregateFunction(anyLast, LowCardinality(Nullable(String))),
    ADD COLUMN IF NOT EXISTS ping_interval_s            SimpleAggregateFunction(anyLast, Nullable(Float64)),
    ADD COLUMN IF NOT EXISTS ping_timeout_s             SimpleAggregateFunction(anyLast, Nullable(Float64)),
    ADD COLUMN IF NOT EXISTS exception_chain            SimpleAggregateFunction(anyLast, Nullable(String)),
    ADD COLUMN IF NOT EXISTS pings_sent                 SimpleAggregateFunction(anyLast, Nullable(UInt64)),
    ADD COLUMN IF NOT EXISTS pings_missed               SimpleAggregateFunction(anyLast, Nullable(UInt64)),
    ADD COLUMN IF NOT EXISTS ping_p50_ms                SimpleAggregateFunction(anyLast, Nullable(Float64)),
    ADD COLUMN IF NOT EXISTS ping_max_ms                SimpleAggregateFunction(anyLast, Nullable(Float64)),
    ADD COLUMN IF NOT EXISTS loop_lag_max_ms            SimpleAggregateFunction(anyLast, Nullable(Float64)),
    ADD COLUMN IF NOT EXISTS frames                     SimpleAggregateFunction(anyLast, Nullable(UInt64)),
    ADD COLUMN IF NOT EXISTS tool_calls_open            SimpleAggregateFunction(anyLast, Nullable(UInt32)),
    ADD COLUMN IF NOT EXISTS app_phase                  SimpleAggregateFunction(anyLast, LowCardinality(Nullable(String))),
    -- What the application said about the session.
    ADD COLUMN IF NOT EXISTS app_phases                 SimpleAggregateFunction(groupUniqArrayArray, Array(Tuple(at DateTime64(3), phase String))),
    ADD COLUMN IF NOT EXISTS expected_tools             SimpleAggregateFunction(groupUniqArrayArray, Array(String)),
    ADD COLUMN IF NOT EXISTS outcome                    SimpleAggregateFunction(max, Tuple(at DateTime64(3), outcome String, detail String))
