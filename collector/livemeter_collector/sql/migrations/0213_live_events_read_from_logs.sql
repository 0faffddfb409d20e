-- Frames come packed (columns as JSON in the body) or as a record each; here both are columns. Columns are put
-- together, not chosen by `if`, whose branches would each parse the body again.
-- Each step is a query of its own, so that what several expressions share is prepared once: every insert prepares
-- this statement anew.
-- Total by construction: a damaged body has columns cut to the shortest. `sample_rate` and `handles` came later: a
-- body without them is whole. Frames without a number, or beyond the last one that there is, would take the place
-- of others: they are none.
CREATE MATERIALIZED VIEW live_events_read_from_logs TO live_events_read AS
SELECT
    EventName,
    Body,
    LogAttributes,
    connection_id,
    is_connection,
    longest,
    shortest,
    is_numbered,
    first_seq,
    base,
    arrayConcat(arrayResize(arrayCumSum(packed.offset), frames), arrayResize([toInt64(0)], records)) AS offsets,
    arrayConcat(arrayResize(packed.direction, frames), arrayResize([record.1], records)) AS directions,
    arrayConcat(arrayResize(packed.kind, frames), arrayResize([record.2], records)) AS kinds,
    arrayConcat(arrayResize(packed.contents, frames), arrayResize([record.3], records)) AS all_fields,
    arrayConcat(arrayResize(packed.bytes, frames), arrayResize([record.4], records)) AS sizes,
    arrayConcat(arrayResize(packed.audio_ms, frames), arrayResize([record.5], records)) AS audio,
    arrayConcat(arrayResize(packed.sample_rate, frames), arrayResize([record.6], records)) AS sample_rates,
    arrayConcat(arrayResize(packed.turn, frames), arrayResize([record.7], records)) AS turns
FROM
(
    SELECT
        EventName, Body, LogAttributes, connection_id, is_connection, packed, record, longest, shortest, first_seq, base,
        is_numbered,
        if(is_record, 0, shortest) * (is_connection AND is_numbered) AS frames,
        toUInt8(is_record AND is_connection AND is_numbered) AS records
    FROM
    (
        SELECT
            EventName, Body, LogAttributes, connection_id, is_connection, packed, record, is_record,
            arrayMax(lengths) AS longest,
            arrayMin(lengths) AS shortest,
            coalesce(told_seq, 0) AS first_seq,
            isNotNull(told_seq) AND first_seq + shortest <= 4294967296 AS is_numbered,
            if(is_record, at_ms, packed.base) AS base
        FROM
        (
            SELECT
                EventName, Body, LogAttributes, connection_id, is_connection, packed, record, is_record, at_ms,
                [
                    length(packed.offset), length(packed.direction), length(packed.kind), length(packed.contents),
                    length(packed.bytes), length(packed.audio_ms), length(packed.turn)
                ] AS lengths,
                if(is_record, record.8, packed.seq) AS told_seq
            FROM
            (
                SELECT
                    EventName, Body, LogAttributes,
                    livemeter_connection_id(LogAttributes['gemini_live.connection.id']) AS connection_id,
                    livemeter_is_connection_id(LogAttributes['gemini_live.connection.id']) AS is_connection,
                    EventName = 'gemini_live.frame' AS is_record,
                    toUnixTimestamp64Milli(Timestamp) AS at_ms,
                    JSONExtract(if(EventName = 'gemini_live.frames', Body, ''), 'Tuple(base Int64, seq Nullable(UInt32), offset Array(Int64), direction Array(UInt8), kind Array(String), contents Array(Array(String)), bytes Array(UInt32), audio_ms Array(UInt32), sample_rate Array(UInt32), turn Array(UInt32))') AS packed,
                    (
                        toUInt8(LogAttributes['gemini_live.frame.direction'] = 'received'),
                        LogAttributes['gemini_live.frame.kind'],
                        livemeter_strings(LogAttributes['gemini_live.frame.contents']),
                        toUInt32OrZero(LogAttributes['gemini_live.frame.bytes']),
                        toUInt32OrZero(LogAttributes['gemini_live.frame.audio_ms']),
                        toUInt32OrZero(LogAttributes['gemini_live.frame.sample_rate_hz']),
                        toUInt32OrZero(LogAttributes['gemini_live.turn.number']),
                        toUInt32OrNull(LogAttributes['gemini_live.frame.seq'])
                    ) AS record
                FROM otel_logs
                WHERE startsWith(EventName, 'gemini_live.')
            )
        )
    )
)
