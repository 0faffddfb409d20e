-- Frames come packed (columns as JSON in the body) or as a record each; both end as the same rows.
-- What belongs to the whole event is read before the rows are made of it: behind ARRAY JOIN it would be
-- read again for every frame. Columns are put together, not chosen by `if`, whose branches would each
-- parse the body again.
-- A view that changes is replaced under its name, in one step: nothing is missed meanwhile, and by that name a
-- batch that comes again is recognised as stored, before and after. (MODIFY QUERY breaks that with a restart.)
-- Total by construction: a damaged body has columns cut to the shortest, an absurd time is clamped.
-- `sample_rate` and `handles` came later: a body without them is whole.
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
FROM
(
    SELECT
        livemeter_connection_id(LogAttributes['gemini_live.connection.id']) AS connection_id,
        JSONExtract(Body, 'Tuple(base Int64, seq UInt32, offset Array(Int64), direction Array(UInt8), kind Array(String), contents Array(Array(String)), bytes Array(UInt32), audio_ms Array(UInt32), sample_rate Array(UInt32), turn Array(UInt32))') AS packed,
        EventName = 'gemini_live.frame' AS records,
        (1 - records) * arrayMin([
            length(packed.offset), length(packed.direction), length(packed.kind), length(packed.contents),
            length(packed.bytes), length(packed.audio_ms), length(packed.turn)
        ]) AS frames,
        if(records, toUInt32OrZero(LogAttributes['gemini_live.frame.seq']), packed.seq) AS first_seq,
        if(records, toUnixTimestamp64Milli(Timestamp), packed.base) AS base,
        arrayConcat(arrayResize(arrayCumSum(packed.offset), frames), arrayResize([toInt64(0)], records)) AS offsets,
        arrayConcat(arrayResize(packed.direction, frames), arrayResize([toUInt8(LogAttributes['gemini_live.frame.direction'] = 'received')], records)) AS directions,
        arrayConcat(arrayResize(packed.kind, frames), arrayResize([LogAttributes['gemini_live.frame.kind']], records)) AS kinds,
        arrayConcat(arrayResize(packed.contents, frames), arrayResize([JSONExtract(LogAttributes['gemini_live.frame.contents'], 'Array(String)')], records)) AS all_fields,
        arrayConcat(arrayResize(packed.bytes, frames), arrayResize([toUInt32OrZero(LogAttributes['gemini_live.frame.bytes'])], records)) AS sizes,
        arrayConcat(arrayResize(packed.audio_ms, frames), arrayResize([toUInt32OrZero(LogAttributes['gemini_live.frame.audio_ms'])], records)) AS audio,
        arrayConcat(arrayResize(packed.sample_rate, frames), arrayResize([toUInt32OrZero(LogAttributes['gemini_live.frame.sample_rate_hz'])], records)) AS sample_rates,
        arrayConcat(arrayResize(packed.turn, frames), arrayResize([toUInt32OrZero(LogAttributes['gemini_live.turn.number'])], records)) AS turns
    FROM otel_logs
    WHERE EventName IN ('gemini_live.frames', 'gemini_live.frame')
)
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
