-- A row a session: what a person would call one, over however many connections.
-- status: active (an event within two minutes), ended (the last close was in order), failed (it was
-- not), lost (no close was seen and nothing came for two minutes).
-- requires: session_totals
CREATE OR REPLACE VIEW live_sessions AS
WITH
    livemeter_unit_prices(usage) AS prices,
    arrayReduce('sum', arrayMap((used, price) -> used.7 * price.1, usage, prices)) AS usd,
    arrayReduce('sum', arrayMap((used, price) -> used.7 * price.2, usage, prices)) AS usd_low,
    arrayReduce('sum', arrayMap((used, price) -> used.7 * price.3, usage, prices)) AS usd_high,
    arrayReduce('sum', arrayMap((used, price) -> used.8 * price.1, usage, prices)) AS carried_usd
SELECT
    session_id,
    app, user_id, labels, model, platform, started_at, ended_at,
    dateDiff('millisecond', started_at, ended_at) / 1000 AS duration_s,
    multiIf(
        last_closed_at IS NULL AND ended_at > now64(3) - INTERVAL 2 MINUTE, 'active',
        last_closed_at IS NULL, 'lost',
        ended_well, 'ended',
        'failed'
    ) AS status,
    length(connection_ids) AS connections,
    length(connection_ids) - 1 AS reconnects,
    turns,
    tool_calls,
    interruptions,
    go_aways,
    user_speech_s,
    model_speech_s,
    close_code,
    close_reason,
    closed_by,
    http_status,
    diagnosis,
    outcome,
    outcome_detail,
    app_phases,
    framework_name, framework_version,
    -- Where the model made output and no usage frame ever came, tokens and cost are not known: NULL, not 0.
    -- A session that used nothing costs nothing; one whose model has no price is NULL again.
    turns_with_output > 0 AND NOT arrayExists(used -> used.5 NOT IN ('transcription', 'grounding'), usage) AS is_unseen,
    empty(usage) AS is_unused,
    if(is_unseen, NULL, arraySum(used -> if(used.5 IN ('prompt', 'tool_use_prompt', 'cached'), used.7, 0), usage)) AS input_tokens,
    if(is_unseen, NULL, arraySum(used -> if(used.5 IN ('response', 'thoughts'), used.7, 0), usage)) AS output_tokens,
    multiIf(is_unseen AND is_unused, NULL, is_unused, toDecimal128(0, 18), usd) AS cost_usd,
    multiIf(is_unseen AND is_unused, NULL, is_unused, toDecimal128(0, 18), usd_low) AS cost_low_usd,
    multiIf(is_unseen AND is_unused, NULL, is_unused, toDecimal128(0, 18), usd_high) AS cost_high_usd,
    multiIf(is_unseen AND is_unused, NULL, is_unused, toDecimal128(0, 18), carried_usd) AS carried_cost_usd,
    arraySum((used, price) -> if(isNull(price.1), used.7, 0), usage, prices) AS unpriced_quantity,
    turns_covered / nullIf(turns_with_output, 0) AS usage_coverage,
    -- Without a usage frame after a resume nobody knows: NULL, not false.
    multiIf(resumes_shrunk > 0, true, resumes > resumes_known, NULL, false) AS context_lost
FROM session_totals
