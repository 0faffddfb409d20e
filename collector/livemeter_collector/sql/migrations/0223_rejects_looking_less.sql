-- As 0215 has it. The figures of a usage frame are looked for in usage frames alone: of frames there are very many
-- more, and looking took a sixth of their insert.
CREATE OR REPLACE MATERIALIZED VIEW rejects_from_logs TO rejects AS
SELECT
    now64(3) AS received_at,
    EventName AS event_name,
    toValidUTF8(substring(LogAttributes['gemini_live.connection.id'], 1, 256)) AS connection_id,
    reason,
    toValidUTF8(substring(Body, 1, 4096)) AS body,
    mapApply((key, value) -> (toValidUTF8(substring(key, 1, 256)), toValidUTF8(substring(value, 1, 1024))), LogAttributes) AS attributes
FROM
(
    SELECT
        EventName, Body, LogAttributes,
        multiIf(
            NOT is_connection AND NOT is_of_none, 'connection id: not 32 hex digits',
            EventName = 'gemini_live.frames', multiIf(
                longest = 0 AND coalesce(promised, 1) > 0, 'frames: the body cannot be read',
                longest > 0 AND NOT is_numbered, 'frames: no number',
                shortest != longest, 'frames: columns of unequal length, cut to the shortest',
                shortest != coalesce(promised, shortest), 'frames: not as many as were announced',
                ''
            ),
            EventName = 'gemini_live.frame' AND NOT is_numbered, 'frame: no number',
            is_keyed AND isNull(event_seq), 'event: no number',
            is_usage AND JSONType(usage) != 'Object', 'usage: the body is no JSON object',
            is_usage AND notEmpty(unread), 'usage: ' || unread[1] || ' cannot be read',
            ''
        ) AS reason
    FROM
    (
        SELECT
            EventName, Body, LogAttributes, is_connection, longest, shortest, is_numbered, usage, is_usage,
            EventName = 'gemini_live.dropped_records' AND LogAttributes['gemini_live.connection.id'] = '' AS is_of_none,
            is_usage OR EventName IN ('gemini_live.turn', 'gemini_live.tool_call') AS is_keyed,
            toUInt64OrNull(LogAttributes['gemini_live.emitter.seq']) AS event_seq,
            toUInt64OrNull(LogAttributes['gemini_live.frames.count']) AS promised,
            arrayFilter(
                figure -> JSONExtractRaw(usage, figure) NOT IN ('', 'null') AND if(
                    endsWith(figure, '_details'),
                    JSONType(usage, figure) != 'Object'
                        OR has(mapValues(JSONExtract(usage, figure, 'Map(String, Nullable(UInt64))')), NULL),
                    isNull(JSONExtract(usage, figure, 'Nullable(UInt64)'))
                ),
                arrayResize(
                    [
                        'prompt', 'tool_use', 'cached', 'response', 'thoughts',
                        'prompt_details', 'tool_use_details', 'cached_details', 'response_details'
                    ],
                    if(is_usage, 9, 0)
                )
            ) AS unread
        FROM
        (
            SELECT
                EventName, Body, LogAttributes, is_connection, longest, shortest, is_numbered,
                EventName = 'gemini_live.usage' AS is_usage,
                if(is_usage, Body, '') AS usage
            FROM live_events_read
        )
    )
)
WHERE reason != ''
