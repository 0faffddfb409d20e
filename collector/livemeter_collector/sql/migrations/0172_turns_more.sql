-- What was added to a turn's event later is NULL in turns that came before, where NULL says nobody knows.
ALTER TABLE turns
    ADD COLUMN IF NOT EXISTS complete_reason           LowCardinality(String),
    ADD COLUMN IF NOT EXISTS generation_complete       Nullable(Bool),
    ADD COLUMN IF NOT EXISTS began_while_user_spoke    Nullable(Bool),
    ADD COLUMN IF NOT EXISTS flushes                   Nullable(UInt32),
    ADD COLUMN IF NOT EXISTS transcript_longest_gap_ms Nullable(Float64),
    ADD COLUMN IF NOT EXISTS app_phase                 LowCardinality(String)
