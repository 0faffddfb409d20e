-- Unsettled sessions as they are computed from the facts: quantities alone, money is computed when read.
-- It reads alike with and without join_use_nulls, because a read-only reader's setting wins over a view's.
-- requires: unsettled
CREATE OR REPLACE VIEW session_figures AS
WITH
    (SELECT (connection_ids, session_ids) FROM unsettled) AS unsettled,
by_session AS
(
    SELECT
        livemeter_session(coalesce(nullIf(told_session.2, ''), session_id, lower(hex(connection_id)))) AS resolved_id,
        connection_id,
        coalesce(app, '') AS told_app,
        coalesce(user_id, '') AS told_user,
        labels,
        coalesce(model, '') AS told_model,
        coalesce(platform, '') AS told_platform,
        coalesce(connections.opened_at, first_event_at) AS opened_at,
        coalesce(closed_at, last_event_at) AS ended_at,
        -- One that was refused had no context to lose.
        coalesce(resumed, false) AND started_at IS NOT NULL AS resumed,
        go_away_at, framework_name, framework_version,
        app_phases,
        if(outcome.2 = '', toDateTime64(0, 3), outcome.1) AS told_at,
        tuple(nullIf(outcome.2, ''), if(outcome.2 = '', NULL, nullIf(outcome.3, ''))) AS told_outcome,
        tuple(
            close_code, close_reason, diagnosis, closed_by, closed_at, http_status,
            livemeter_ended_well(closed_at, close_code, phase, closed_by, diagnosis)
        ) AS close
    FROM connections FINAL
    WHERE connection_id IN unsettled.1
),
sessions AS
(
    SELECT
        resolved_id AS session_id,
        min(by_session.opened_at) AS started_at,
        max(by_session.ended_at) AS ended_at,
        argMax(told_app, opened_at) AS app,
        argMax(told_user, opened_at) AS user_id,
        argMax(by_session.labels, opened_at) AS labels,
        -- A dial that was refused has not said which model it would have asked for.
        argMaxIf(told_model, opened_at, told_model != '') AS model,
        argMax(told_platform, opened_at) AS platform,
        arraySort(groupArray(connection_id)) AS connection_ids,
        countIf(resumed) AS resumes,
        countIf(go_away_at IS NOT NULL) AS go_aways,
        argMax(by_session.framework_name, opened_at) AS framework_name,
        argMax(by_session.framework_version, opened_at) AS framework_version,
        arrayMap(entered -> entered.2, arraySort(groupUniqArrayArray(by_session.app_phases))) AS app_phases,
        -- Only what was told has a time.
        argMax(told_outcome, told_at) AS last_outcome,
        -- A tuple of its own keeps a NULL of the last connection, where argMax alone would skip it.
        argMax(close, opened_at) AS last_close
    FROM by_session
    GROUP BY session_id
    HAVING session_id IN unsettled.2
),
turns_of AS
(
    SELECT
        session_id,
        count() AS turns,
        countIf(interrupted) AS interruptions,
        sum(user_speech_ms) / 1000 AS user_speech_s,
        sum(model_speech_ms) / 1000 AS model_speech_s,
        countIf(has_output) AS turns_with_output,
        countIf(has_output AND coalesce(passes.frames, 0) > 0) AS turns_covered
    FROM
    (
        SELECT
            livemeter_session(turns.session_id) AS session_id, connection_id, turn,
            interrupted, user_speech_ms, model_speech_ms, has_output
        FROM turns FINAL
        WHERE connection_id IN unsettled.1
    ) AS turns
    LEFT JOIN
    (
        SELECT connection_id, turn, count() AS frames
        FROM usage FINAL
        WHERE billable AND pass > 0 AND connection_id IN unsettled.1
        GROUP BY connection_id, turn
    ) AS passes ON passes.connection_id = turns.connection_id AND passes.turn = turns.turn
    GROUP BY session_id
),
used AS
(
    SELECT
        session_id,
        arraySort(groupArray((hour, model, platform, tier, kind, modality, quantity, carried))) AS usage
    FROM
    (
        SELECT
            livemeter_session(usage.session_id) AS session_id,
            toStartOfHour(usage.ts, 'UTC') AS hour,
            model, platform, tier, kind, modality,
            sum(usage.quantity) AS quantity,
            sum(usage.carried) AS carried
        FROM usage FINAL
        WHERE billable AND connection_id IN unsettled.1
        GROUP BY session_id, hour, model, platform, tier, kind, modality
    )
    GROUP BY session_id
),
tools AS
(
    SELECT livemeter_session(tool_calls.session_id) AS session_id, count() AS tool_calls
    FROM tool_calls FINAL
    WHERE called_at IS NOT NULL AND connection_id IN unsettled.1
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
        AND connection_id IN unsettled.1
    GROUP BY connection_id, seq
),
last_prompts AS
(
    -- By number: a clock that was set back says nothing of what came last.
    SELECT lower(hex(connection_id)) AS parent_id, argMax(prompt, seq) AS prompt
    FROM
    (
        SELECT connection_id, seq, sum(quantity) AS prompt
        FROM usage FINAL
        WHERE billable AND kind IN ('prompt', 'cached') AND connection_id IN
        (
            SELECT toFixedString(unhex(parent_id), 16) FROM first_prompts WHERE parent_id != ''
        )
        GROUP BY connection_id, emitter_id, seq
    )
    GROUP BY connection_id
),
prompts AS
(
    -- The first prompt after each resume against the last one before it. Compression may shrink one.
    SELECT session_id, count() AS known, countIf(prompt < previous AND NOT compressed) AS shrunk
    FROM
    (
        SELECT
            first_prompts.session_id AS session_id,
            first_prompts.prompt AS prompt,
            coalesce(first_prompts.previous, nullIf(last_prompts.prompt, 0)) AS previous,
            coalesce(compressions.compression, false) AS compressed
        FROM first_prompts
        LEFT JOIN last_prompts ON last_prompts.parent_id = first_prompts.parent_id
        LEFT JOIN
        (
            SELECT connection_id, compression
            FROM connections FINAL
            WHERE connection_id IN unsettled.1
        ) AS compressions ON compressions.connection_id = first_prompts.connection_id
    )
    WHERE previous IS NOT NULL
    GROUP BY session_id
)
SELECT
    sessions.session_id AS session_id,
    started_at, ended_at,
    last_close.5 AS last_closed_at,
    app, user_id, labels, model, platform, connection_ids,
    toUInt32(sessions.resumes) AS resumes,
    toUInt32(sessions.go_aways) AS go_aways,
    framework_name, framework_version, app_phases,
    last_outcome.1 AS outcome,
    last_outcome.2 AS outcome_detail,
    last_close.1 AS close_code,
    last_close.2 AS close_reason,
    last_close.4 AS closed_by,
    last_close.6 AS http_status,
    last_close.3 AS diagnosis,
    last_close.7 AS ended_well,
    toUInt32(coalesce(turns_of.turns, 0)) AS turns,
    toUInt32(coalesce(turns_of.interruptions, 0)) AS interruptions,
    turns_of.user_speech_s AS user_speech_s,
    toFloat64(coalesce(turns_of.model_speech_s, 0)) AS model_speech_s,
    toUInt32(coalesce(turns_of.turns_with_output, 0)) AS turns_with_output,
    toUInt32(coalesce(turns_of.turns_covered, 0)) AS turns_covered,
    toUInt32(coalesce(tools.tool_calls, 0)) AS tool_calls,
    toUInt32(coalesce(prompts.known, 0)) AS resumes_known,
    toUInt32(coalesce(prompts.shrunk, 0)) AS resumes_shrunk,
    used.usage AS usage
FROM sessions
LEFT JOIN turns_of ON turns_of.session_id = sessions.session_id
LEFT JOIN used ON used.session_id = sessions.session_id
LEFT JOIN tools ON tools.session_id = sessions.session_id
LEFT JOIN prompts ON prompts.session_id = sessions.session_id
