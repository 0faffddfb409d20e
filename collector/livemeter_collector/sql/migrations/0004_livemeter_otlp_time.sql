-- Nanoseconds since 1970 as DateTime64(9). Beyond 2262-04-11 the type ends: later times become its last moment.
CREATE FUNCTION livemeter_otlp_time AS (nanoseconds) ->
    fromUnixTimestamp64Nano(toInt64(least(nanoseconds, 9223372036854775807)), 'UTC')
