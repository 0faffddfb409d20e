-- Where each piece of about so many connections begins, and whether something was said in it since then.
SELECT
    lower(hex(min(connection_id))) AS start,
    max(last_event_at) >= fromUnixTimestamp64Milli({since_ms:Int64}) AS is_recent
FROM
(
    SELECT connection_id, last_event_at, row_number() OVER (ORDER BY connection_id) AS number
    FROM livemeter.connections FINAL
)
GROUP BY intDiv(number - 1, {piece:UInt64})
ORDER BY start
