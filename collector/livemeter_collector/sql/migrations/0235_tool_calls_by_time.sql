-- As 0233, for tool calls.
ALTER TABLE tool_calls ADD INDEX IF NOT EXISTS by_time called_at TYPE minmax GRANULARITY 1
