-- Connections' ids grow with time, and so do their rows: questions about a day read that day.
ALTER TABLE usage ADD INDEX IF NOT EXISTS by_time ts TYPE minmax GRANULARITY 1
