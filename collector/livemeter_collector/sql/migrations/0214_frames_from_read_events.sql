-- A row a frame, from what 0213 read; otherwise as 0161 has it. What belongs to the whole event is read before the
-- rows are made of it: behind ARRAY JOIN it would be read again for every frame.
CREATE OR REPLACE MATERIALIZED VIEW frames_from_logs TO frames AS
SELECT
    connection_id,
    toUInt32(first_seq + position - 1) AS seq,
    fromUnixTimestamp64Milli(least(greatest(
        base + elapsed,
        toUnixTimestamp64Milli(now64(3) - INTERVAL 400 DAY)),
        toUnixTimestamp64Milli(now64(3) + INTERVAL 1 DAY))) AS ts,
    if(is_received = 1, 'received', 'sent') AS direction,
    kind,
    if(empty(fields), [kind], fields) AS contents,
    bytes,
    audio_ms,
    sample_rate,
    turn
FROM live_events_read
ARRAY JOIN
    offsets AS elapsed,
    arrayEnumerate(offsets) AS position,
    directions AS is_received,
    kinds AS kind,
    all_fields AS fields,
    sizes AS bytes,
    audio AS audio_ms,
    sample_rates AS sample_rate,
    turns AS turn
