-- A time told in Unix milliseconds, clamped as any event's; NULL when it is no number. It is clamped as a
-- number, because a time beyond a type's end cannot even be compared with one inside.
CREATE FUNCTION livemeter_time_of AS (milliseconds) -> fromUnixTimestamp64Milli(multiIf(
    toInt64OrNull(milliseconds) < toUnixTimestamp64Milli(now64(3) - INTERVAL 400 DAY), toUnixTimestamp64Milli(now64(3) - INTERVAL 400 DAY),
    toInt64OrNull(milliseconds) > toUnixTimestamp64Milli(now64(3) + INTERVAL 1 DAY), toUnixTimestamp64Milli(now64(3) + INTERVAL 1 DAY),
    toInt64OrNull(milliseconds)
))
