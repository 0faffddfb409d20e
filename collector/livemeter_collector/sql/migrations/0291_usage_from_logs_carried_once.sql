-- As 0216 has it, but for what is carried of a prompt: of a modality's tokens as many as the context held, and
-- those that were cached are the first of them, which have a row of their own. Made anew for 0290, too: a
-- materialized view keeps the functions as they were when it was made.
CREATE OR REPLACE MATERIALIZED VIEW usage_from_logs TO usage AS
SELECT
    told.1 AS connection_id,
    told.2 AS session_id,
    told.3 AS emitter_id,
    told.4 AS seq,
    told.5 AS ts,
    told.6 AS app,
    told.7 AS user_id,
    told.8 AS labels,
    told.9 AS model,
    told.10 AS platform,
    livemeter_tier(told.12, told.11) AS tier,
    told.11 AS service_tier,
    told.12 AS traffic_type,
    told.13 AS turn,
    told.14 AS pass,
    row.1 AS kind,
    row.2 AS modality,
    row.3 AS quantity,
    'token' AS unit,
    told.15 AS billable,
    toUInt64(row.3 - row.5) AS fresh,
    row.5 AS carried,
    row.4 AS source,
    told.17 AS previous_prompt,
    told.16 AS first_after_resume
FROM
(
    SELECT
        told,
        arrayConcat(
            arrayMap(
                (row, tokens, upto) -> (
                    'prompt', row.1,
                    toUInt64(tokens - least(tokens, cached_untold - least(cached_untold, upto - tokens))) AS uncached,
                    row.3,
                    toUInt64(greatest(row.2, least(row.2, context[row.1]) + uncached) - row.2)
                ),
                split[1], not_told, arrayCumSum(not_told)
            ),
            arrayMap(row -> ('cached', row.1, row.2, row.3, row.2), split[2]),
            arrayMap(row -> ('tool_use_prompt', row.1, row.2, row.3, toUInt64(0)), split[3]),
            arrayMap(row -> ('response', row.1, row.2, row.3, toUInt64(0)), split[4]),
            [('thoughts', 'TEXT', thoughts, 'reported', toUInt64(0))]
        ) AS all_rows
    FROM
    (
        SELECT
            told, split, context, thoughts,
            -- Cached tokens are inside the prompt: first those whose modality is told, then the rest in order.
            arrayMap(row -> toUInt64(row.2 - least(row.2, cached_details[row.1])), split[1]) AS not_told,
            toUInt64(cached - least(cached, arraySum(row -> least(row.2, cached_details[row.1]), split[1]))) AS cached_untold
        FROM
        (
            SELECT
                told,
                body.cached AS cached,
                body.cached_details AS cached_details,
                body.previous_context AS context,
                body.thoughts AS thoughts,
                arrayMap(
                    part -> livemeter_split_tokens(part.1, part.2, toUInt64(round(part.3 * 25 / 1000))),
                    [
                        (body.prompt, body.prompt_details, body.context_audio_ms),
                        (body.cached, body.cached_details, toFloat64(0)),
                        (body.tool_use, body.tool_use_details, toFloat64(0)),
                        (body.response, body.response_details, body.response_audio_ms)
                    ]
                ) AS split
            FROM
            (
                SELECT
                    JSONExtract(Body, 'Tuple(prompt UInt64, tool_use UInt64, cached UInt64, response UInt64, thoughts UInt64, prompt_details Map(String, UInt64), tool_use_details Map(String, UInt64), cached_details Map(String, UInt64), response_details Map(String, UInt64), previous_prompt Nullable(UInt64), previous_context Map(String, UInt64), context_audio_ms Float64, response_audio_ms Float64)') AS body,
                    (
                        livemeter_connection_id(LogAttributes['gemini_live.connection.id']),
                        LogAttributes['gemini_live.session.id'],
                        LogAttributes['gemini_live.emitter.id'],
                        toUInt64OrZero(LogAttributes['gemini_live.emitter.seq']),
                        livemeter_event_time(Timestamp),
                        ServiceName,
                        LogAttributes['user.id'],
                        livemeter_labels(LogAttributes),
                        LogAttributes['gen_ai.request.model'],
                        LogAttributes['gemini_live.platform'],
                        LogAttributes['gemini_live.usage.service_tier'],
                        LogAttributes['gemini_live.usage.traffic_type'],
                        toUInt32OrZero(LogAttributes['gemini_live.turn.number']),
                        toUInt32OrZero(LogAttributes['gemini_live.usage.pass']),
                        LogAttributes['gemini_live.usage.repeat'] != 'true',
                        LogAttributes['gemini_live.usage.first_after_resume'] = 'true',
                        body.previous_prompt
                    ) AS told
                FROM otel_logs
                WHERE EventName = 'gemini_live.usage'
                    AND livemeter_is_connection_id(LogAttributes['gemini_live.connection.id'])
                    AND isNotNull(toUInt64OrNull(LogAttributes['gemini_live.emitter.seq']))
            )
        )
    )
)
ARRAY JOIN arrayFilter(row -> row.3 > 0, all_rows) AS row
