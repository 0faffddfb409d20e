-- As 0233, for turns.
ALTER TABLE turns ADD INDEX IF NOT EXISTS by_time started_at TYPE minmax GRANULARITY 1
