-- One usage event to its rows: prompt (without what was cached), tool use, cached, response, thoughts.
-- Live bills 25 tokens for a second of audio, in and out; that rate stands in for missing details.
CREATE MATERIALIZED VIEW usage_from_logs TO usage AS
WITH
    JSONExtract(Body, 'Tuple(prompt UInt64, tool_use UInt64, cached UInt64, response UInt64, thoughts UInt64, prompt_details Map(String, UInt64), tool_use_details Map(String, UInt64), cached_details Map(String, UInt64), response_details Map(String, UInt64), previous_prompt Nullable(UInt64), previous_context Map(String, UInt64), context_audio_ms Float64, response_audio_ms Float64)') AS body,
    25 / 1000 AS audio_tokens_per_ms,
    livemeter_split_tokens(body.prompt, body.prompt_details, toUInt64(round(body.context_audio_ms * audio_tokens_per_ms))) AS whole_prompt,
    -- Cached tokens are inside the prompt: first those whose modality is told, then the rest in order.
    arrayMap(row -> least(row.2, body.cached_details[row.1]), whole_prompt) AS cached_told,
    arrayMap((row, told) -> toUInt64(row.2 - told), whole_prompt, cached_told) AS not_told,
    body.cached - least(body.cached, arraySum(cached_told)) AS cached_untold,
    arrayMap((tokens, upto) -> toUInt64(tokens - least(tokens, toUInt64(cached_untold) - least(toUInt64(cached_untold), upto - tokens))), not_told, arrayCumSum(not_told)) AS uncached,
    arrayConcat(
        arrayMap((row, tokens) -> ('prompt', row.1, tokens, row.3, least(tokens, body.previous_context[row.1])), whole_prompt, uncached),
        arrayMap(row -> ('cached', row.1, row.2, row.3, row.2), livemeter_split_tokens(body.cached, body.cached_details, toUInt64(0))),
        arrayMap(row -> ('tool_use_prompt', row.1, row.2, row.3, toUInt64(0)), livemeter_split_tokens(body.tool_use, body.tool_use_details, toUInt64(0))),
        arrayMap(row -> ('response', row.1, row.2, row.3, toUInt64(0)), livemeter_split_tokens(body.response, body.response_details, toUInt64(round(body.response_audio_ms * audio_tokens_per_ms)))),
        [('thoughts', 'TEXT', body.thoughts, 'reported', toUInt64(0))]
    ) AS all_rows
SELECT
    livemeter_connection_id(LogAttributes['gemini_live.connection.id']) AS connection_id,
    LogAttributes['gemini_live.session.id'] AS session_id,
    LogAttributes['gemini_live.emitter.id'] AS emitter_id,
    toUInt64OrZero(LogAttributes['gemini_live.emitter.seq']) AS seq,
    livemeter_event_time(Timestamp) AS ts,
    ServiceName AS app,
    LogAttributes['user.id'] AS user_id,
    livemeter_labels(LogAttributes) AS labels,
    LogAttributes['gen_ai.request.model'] AS model,
    LogAttributes['gemini_live.platform'] AS platform,
    livemeter_tier(LogAttributes['gemini_live.usage.traffic_type'], LogAttributes['gemini_live.usage.service_tier']) AS tier,
    LogAttributes['gemini_live.usage.service_tier'] AS service_tier,
    LogAttributes['gemini_live.usage.traffic_type'] AS traffic_type,
    toUInt32OrZero(LogAttributes['gemini_live.turn.number']) AS turn,
    toUInt32OrZero(LogAttributes['gemini_live.usage.pass']) AS pass,
    row.1 AS kind,
    row.2 AS modality,
    row.3 AS quantity,
    'token' AS unit,
    LogAttributes['gemini_live.usage.repeat'] != 'true' AS billable,
    toUInt64(row.3 - row.5) AS fresh,
    row.5 AS carried,
    row.4 AS source,
    body.previous_prompt AS previous_prompt,
    LogAttributes['gemini_live.usage.first_after_resume'] = 'true' AS first_after_resume
FROM otel_logs
ARRAY JOIN arrayFilter(row -> row.3 > 0, all_rows) AS row
WHERE EventName = 'gemini_live.usage'
