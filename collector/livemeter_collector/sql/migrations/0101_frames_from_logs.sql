-- A packed event (columns as JSON in the body) to one row a frame.
-- Total by construction: a damaged body has columns cut to the shortest, an absurd time is clamped.
CREATE MATERIALIZED VIEW frames_from_logs TO frames AS
WITH
    JSONExtract(Body, 'Tuple(base Int64, seq UInt32, offset Array(Int64), direction Array(UInt8), kind Array(String), contents Array(Array(String)), bytes Array(UInt32), audio_ms Array(UInt32), turn Array(UInt32))') AS packed,
    arrayMin([
        length(packed.offset), length(packed.direction), length(packed.kind), length(packed.contents),
        length(packed.bytes), length(packed.audio_ms), length(packed.turn)
    ]) AS frames,
    arrayMap(i -> (
        packed.seq + i - 1,
        packed.base + arrayCumSum(packed.offset)[i],
        packed.direction[i] = 1 ? 'received' : 'sent',
        packed.kind[i],
        empty(packed.contents[i]) ? [packed.kind[i]] : packed.contents[i],
        packed.bytes[i],
        packed.audio_ms[i],
        packed.turn[i]
    ), range(1, frames + 1)) AS rows
SELECT
    toFixedString(substring(unhex(LogAttributes['gemini_live.connection.id']), 1, 16), 16) AS connection_id,
    toUInt32(row.1) AS seq,
    fromUnixTimestamp64Milli(least(greatest(
        row.2,
        toUnixTimestamp64Milli(now64(3) - INTERVAL 400 DAY)),
        toUnixTimestamp64Milli(now64(3) + INTERVAL 1 DAY))) AS ts,
    row.3 AS direction,
    row.4 AS kind,
    row.5 AS contents,
    row.6 AS bytes,
    row.7 AS audio_ms,
    row.8 AS turn
FROM otel_logs
ARRAY JOIN rows AS row
WHERE EventName = 'gemini_live.frames'
