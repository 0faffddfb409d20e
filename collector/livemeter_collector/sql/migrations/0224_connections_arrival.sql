-- When the last event of a connection arrived, by the store's own clock: what came since sessions were last
-- settled is found by it. Rows from before say 1970.
ALTER TABLE connections
    ADD COLUMN IF NOT EXISTS arrived_at SimpleAggregateFunction(max, DateTime64(3)),
    ADD INDEX IF NOT EXISTS by_arrival arrived_at TYPE minmax GRANULARITY 1,
    ADD INDEX IF NOT EXISTS by_opening coalesce(opened_at, first_event_at) TYPE minmax GRANULARITY 1
