-- Sessions that the first or the last moment of the file's days lies in.
SELECT
    countIf(started_at < fromUnixTimestamp64Milli({start_ms:Int64})) AS begun_before,
    countIf(ended_at >= fromUnixTimestamp64Milli({end_ms:Int64})) AS ended_after
FROM livemeter.live_sessions
WHERE started_at < fromUnixTimestamp64Milli({end_ms:Int64}) AND ended_at >= fromUnixTimestamp64Milli({start_ms:Int64})
