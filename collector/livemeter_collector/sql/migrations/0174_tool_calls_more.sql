-- Arguments and result are content: JSON where the application switched content on, empty otherwise.
ALTER TABLE tool_calls
    ADD COLUMN IF NOT EXISTS encoding      Array(String),
    ADD COLUMN IF NOT EXISTS scheduling    LowCardinality(String),
    ADD COLUMN IF NOT EXISTS will_continue Nullable(Bool),
    ADD COLUMN IF NOT EXISTS arguments     String CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS result        String CODEC(ZSTD(1))
