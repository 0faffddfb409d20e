-- Hertz; 0 where a frame carried no PCM, and for frames that came before anybody told.
-- Contents as plain strings: rows with an array of LowCardinality are put together one by one when an insert
-- is deduplicated, which took most of an insert's time.
-- The index finds a connection's frames by the id that readers know, among any number of others'.
ALTER TABLE frames
    ADD COLUMN IF NOT EXISTS sample_rate UInt32 CODEC(ZSTD(1)) AFTER audio_ms,
    MODIFY COLUMN contents Array(String) CODEC(ZSTD(1)),
    ADD INDEX IF NOT EXISTS by_connection lower(hex(connection_id)) TYPE minmax GRANULARITY 1
