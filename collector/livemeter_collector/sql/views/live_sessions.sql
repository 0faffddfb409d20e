-- A row a session: what a person would call one, over however many connections.
-- status: active (an event within two minutes), ended (the last close was in order), failed (it was
-- not), lost (no close was seen and nothing came for two minutes).
-- It reads alike with and without join_use_nulls, because a read-only reader's setting wins over a view's.
-- requires: live_connections, live_costs, live_tool_calls
CREATE OR REPLACE VIEW live_sessions AS
WITH connections AS
(
    SELECT
        session_id,
        argMax(app, opened_at) AS app,
        argMax(user_id, opened_at) AS user_id,
        argMax(labels, opened_at) AS labels,
        argMax(model, opened_at) AS model,
        argMax(platform, opened_at) AS platform,
        min(opened_at) AS started_at,
        max(coalesce(closed_at, last_event_at)) AS ended_at,
        count() AS connections,
        countIf(resumed) AS resumes,
        countIf(go_away_at IS NOT NULL) AS go_aways,
        argMax(framework_name, opened_at) AS framework_name,
        argMax(framework_version, opened_at) AS framework_version,
        arrayMap(entered -> entered.2, arraySort(groupUniqArrayArray(app_phases))) AS phases,
        -- Only what was told has a time.
        argMax(tuple(outcome, outcome_detail), coalesce(outcome_at, toDateTime64(0, 3))) AS last_outcome,
        -- A tuple of its own keeps a NULL of the last connection, where argMax alone would skip it.
        argMax(
            tuple(close_code, close_reason, diagnosis, closed_by, ended_well, closed_at, http_status), opened_at
        ) AS last_close,
        multiIf(
            last_close.6 IS NULL AND ended_at > now64(3) - INTERVAL 2 MINUTE, 'active',
            last_close.6 IS NULL, 'lost',
            last_close.5, 'ended',
            'failed'
        ) AS status
    FROM live_connections
    GROUP BY session_id
),
turns AS
(
    SELECT
        session_id,
        count() AS turns,
        countIf(interrupted) AS interruptions,
        sum(user_speech_ms) / 1000 AS user_speech_s,
        sum(model_speech_ms) / 1000 AS model_speech_s,
        countIf(has_output) AS turns_with_output,
        countIf(has_output AND has_usage) AS turns_covered
    FROM
    (
        -- As live_turns has it, without what the turns cost: that is added up below.
        SELECT
            livemeter_session(turns.session_id) AS session_id, interrupted, user_speech_ms, model_speech_ms, has_output,
            coalesce(passes.frames, 0) > 0 AS has_usage
        FROM (SELECT * FROM turns FINAL) AS turns
        LEFT JOIN
        (
            SELECT connection_id, turn, count() AS frames
            FROM usage FINAL
            WHERE billable AND pass > 0
            GROUP BY connection_id, turn
        ) AS passes ON passes.connection_id = turns.connection_id AND passes.turn = turns.turn
    )
    GROUP BY session_id
),
costs AS
(
    SELECT
        session_id,
        sumIf(quantity, direction = 'input' AND unit = 'token') AS input_tokens,
        sumIf(quantity, kind IN ('response', 'thoughts')) AS output_tokens,
        sum(costs.usd) AS usd,
        sum(costs.usd_low) AS usd_low,
        sum(costs.usd_high) AS usd_high,
        sum(costs.carried_usd) AS carried_usd,
        sumIf(quantity, isNull(costs.usd)) AS unpriced_quantity
    FROM live_costs AS costs
    GROUP BY session_id
),
tools AS
(
    SELECT session_id, count() AS tool_calls
    FROM live_tool_calls
    WHERE called_at IS NOT NULL
    GROUP BY session_id
),
first_prompts AS
(
    -- Those that follow a resume; what a process took over from another, only the other knows the prompt before.
    SELECT
        connection_id, seq,
        livemeter_session(any(usage.session_id)) AS session_id,
        sum(quantity) AS prompt,
        any(previous_prompt) AS previous,
        if(previous IS NULL, dictGetOrDefault('livemeter.session_root', 'parent_id', lower(hex(connection_id)), ''), '') AS parent_id
    FROM usage FINAL
    WHERE first_after_resume AND kind IN ('prompt', 'cached')
    GROUP BY connection_id, seq
),
last_prompts AS
(
    SELECT lower(hex(connection_id)) AS parent_id, argMax(prompt, (ts, seq)) AS prompt
    FROM
    (
        SELECT connection_id, seq, max(usage.ts) AS ts, sum(quantity) AS prompt
        FROM usage FINAL
        WHERE billable AND kind IN ('prompt', 'cached') AND connection_id IN
        (
            SELECT toFixedString(unhex(parent_id), 16) FROM first_prompts WHERE parent_id != ''
        )
        GROUP BY connection_id, emitter_id, seq
    )
    GROUP BY connection_id
),
resumes AS
(
    -- The first prompt after each resume against the last one before it. Compression may shrink one.
    SELECT session_id, count() AS known, countIf(prompt < previous AND NOT compressed) AS shrunk
    FROM
    (
        SELECT
            first_prompts.session_id AS session_id,
            first_prompts.prompt AS prompt,
            coalesce(first_prompts.previous, nullIf(last_prompts.prompt, 0)) AS previous,
            coalesce(connections.compression, false) AS compressed
        FROM first_prompts
        LEFT JOIN last_prompts ON last_prompts.parent_id = first_prompts.parent_id
        LEFT JOIN (SELECT connection_id, compression FROM livemeter.connections FINAL) AS connections
            ON connections.connection_id = first_prompts.connection_id
    )
    WHERE previous IS NOT NULL
    GROUP BY session_id
)
SELECT
    connections.session_id AS session_id,
    app, user_id, labels, model, platform, started_at, ended_at,
    dateDiff('millisecond', started_at, ended_at) / 1000 AS duration_s,
    status,
    connections.connections AS connections,
    connections.connections - 1 AS reconnects,
    coalesce(turns.turns, 0) AS turns,
    coalesce(tools.tool_calls, 0) AS tool_calls,
    coalesce(interruptions, 0) AS interruptions,
    go_aways,
    user_speech_s,
    coalesce(model_speech_s, 0) AS model_speech_s,
    last_close.1 AS close_code,
    last_close.2 AS close_reason,
    last_close.4 AS closed_by,
    last_close.7 AS http_status,
    last_close.3 AS diagnosis,
    last_outcome.1 AS outcome,
    last_outcome.2 AS outcome_detail,
    phases AS app_phases,
    framework_name, framework_version,
    -- Where the model made output and no usage frame ever came, tokens and cost are not known: NULL, not 0.
    -- A session that used nothing costs nothing; one whose model has no price is NULL again.
    coalesce(turns_with_output > 0 AND turns_covered = 0, false) AS is_unseen,
    coalesce(costs.session_id, '') = '' AS is_unused,
    if(is_unseen, NULL, coalesce(costs.input_tokens, 0)) AS input_tokens,
    if(is_unseen, NULL, coalesce(costs.output_tokens, 0)) AS output_tokens,
    multiIf(is_unseen AND is_unused, NULL, is_unused, toDecimal128(0, 18), costs.usd) AS cost_usd,
    multiIf(is_unseen AND is_unused, NULL, is_unused, toDecimal128(0, 18), costs.usd_low) AS cost_low_usd,
    multiIf(is_unseen AND is_unused, NULL, is_unused, toDecimal128(0, 18), costs.usd_high) AS cost_high_usd,
    multiIf(is_unseen AND is_unused, NULL, is_unused, toDecimal128(0, 18), costs.carried_usd) AS carried_cost_usd,
    coalesce(unpriced_quantity, 0) AS unpriced_quantity,
    turns_covered / nullIf(turns_with_output, 0) AS usage_coverage,
    -- Without a usage frame after a resume nobody knows: NULL, not false.
    multiIf(coalesce(shrunk, 0) > 0, true, resumes > coalesce(known, 0), NULL, false) AS context_lost
FROM connections
LEFT JOIN turns ON turns.session_id = connections.session_id
LEFT JOIN costs ON costs.session_id = connections.session_id
LEFT JOIN tools ON tools.session_id = connections.session_id
LEFT JOIN resumes ON resumes.session_id = connections.session_id
