-- An event's time, clamped to what a live system can have seen, so that no clock can open a hundred
-- partitions or overflow a type. NULL stays NULL: no comparison with it is true.
CREATE FUNCTION livemeter_event_time AS (event_time) -> toDateTime64(multiIf(
    event_time < now64(9) - INTERVAL 400 DAY, now64(9) - INTERVAL 400 DAY,
    event_time > now64(9) + INTERVAL 1 DAY, now64(9) + INTERVAL 1 DAY,
    event_time
), 3)
