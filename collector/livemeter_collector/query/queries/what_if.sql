-- What sessions would have cost if a context window compression had cut what a pass carried over to {target} tokens
-- whenever its prompt exceeded {trigger}: a row for all of them, then the dearest. '' and 0 let everything through.
WITH
contexts AS
(
    -- Whose context a connection went on with: its own, or that of the one which it resumed, and so on back.
    SELECT session_id, connection_id, context_id
    FROM
    (
        SELECT
            session_id,
            arrayFold(
                (known, one) -> mapUpdate(known, map(one.2, if(mapContains(known, one.3), known[one.3], one.2))),
                arraySort(groupArray((opened_at, connection_id, if(resumed, resumed_from, '')))),
                CAST(map(), 'Map(String, String)')
            ) AS context_ids
        FROM livemeter.live_connections
        WHERE {session:String} = '' OR session_id = {session:String}
        GROUP BY session_id
    )
    ARRAY JOIN mapKeys(context_ids) AS connection_id, mapValues(context_ids) AS context_id
),
passes AS
(
    -- Each pass, with the one before it in the same context; 0 tokens before the first. Figures that no model can
    -- have are cut, so that sums of them cannot overflow.
    SELECT
        session_id,
        coalesce(nullIf(contexts.context_id, ''), connection_id) AS context_id,
        ts, seq, input_usd, carried_usd,
        toInt64(least(passes.fresh, 1000000000)) AS fresh,
        toInt64(least(passes.carried, 1000000000)) AS carried,
        toInt64(least(prompt_tokens, 1000000000)) AS prompt,
        toInt64(least(response_tokens, 1000000000)) AS response,
        lagInFrame(prompt) OVER in_order AS prompt_before,
        lagInFrame(prompt + response) OVER in_order AS context_before
    FROM livemeter.live_passes AS passes
    LEFT JOIN contexts USING (session_id, connection_id)
    WHERE ({session:String} = '' OR session_id = {session:String})
        -- A session's passes come after its start, by all but the wildest clocks.
        AND ts >= fromUnixTimestamp64Milli({since_ms:Int64}) - INTERVAL 1 DAY
    WINDOW in_order AS (PARTITION BY session_id, context_id ORDER BY ts, seq)
),
steps AS
(
    -- What a pass found in the context: all of it, as far as its prompt goes, also where no details by modality came.
    -- Money: what was told of tokens carried over, and for those of which nothing was told the average of the
    -- other input. A prompt shorter than the one before it is a context that began anew.
    SELECT
        session_id, context_id, ts, seq, prompt, response,
        least(prompt, context_before) AS found,
        context_before - found AS lost,
        prompt < prompt_before AS is_anew,
        least(found, carried) AS told,
        toDecimal256(coalesce(carried_usd, 0), 18) * told / greatest(carried, 1)
            + toDecimal256(coalesce(input_usd - carried_usd, 0), 18) * (found - told) / greatest(fresh, 1) AS found_usd
    FROM passes
),
simulated AS
(
    -- Through each context in order; so far: tokens that it would hold, saved, compressions, prompt tokens.
    SELECT
        session_id,
        count() AS passes,
        sum(prompt) AS prompt_tokens,
        arrayFold(
            (so_far, step) -> (
                if(step.is_anew, least(step.found, so_far.1), greatest(so_far.1 - step.lost, 0)) AS held,
                if(held + step.fresh > {trigger:Int64}, least(held, {target:Int64}), held) AS kept,
                (
                    toInt64(kept + step.fresh + step.response),
                    toDecimal256(so_far.2 + step.found_usd * (step.found - kept) / greatest(step.found, 1), 18),
                    toInt64(so_far.3 + (kept < held)),
                    toInt64(so_far.4 + kept + step.fresh)
                )
            ).3,
            arraySort(step -> (step.ts, step.seq), groupArray(CAST(
                (ts, seq, found, prompt - found, response, lost, is_anew, found_usd),
                'Tuple(ts DateTime64(3), seq UInt64, found Int64, fresh Int64, response Int64, lost Int64, is_anew Bool, found_usd Decimal(76, 18))'
            ))),
            (toInt64(0), toDecimal256(0, 18), toInt64(0), toInt64(0))
        ) AS outcome
    FROM steps
    GROUP BY session_id, context_id
),
sessions AS
(
    -- What is compressed already is left as it is.
    SELECT
        session_id, started_at, user_id, model, cost_usd, unpriced_quantity, is_compressed,
        coalesce(simulated.passes, 0) AS passes,
        coalesce(simulated.prompt_tokens, 0) AS prompt_tokens,
        if(is_compressed, 0, coalesce(simulated.compressions, 0)) AS compressions,
        if(is_compressed, prompt_tokens, coalesce(simulated.simulated_prompt_tokens, 0)) AS simulated_prompt_tokens,
        cost_usd - if(is_compressed, toDecimal128(0, 18), coalesce(simulated.saved_usd, toDecimal128(0, 18))) AS simulated_usd
    FROM
    (
        SELECT
            session_id, toTimeZone(started_at, 'UTC') AS started_at, user_id, model, cost_usd, unpriced_quantity,
            session_id IN (SELECT session_id FROM livemeter.live_connections WHERE compression) AS is_compressed
        FROM livemeter.live_sessions AS all_sessions
        WHERE all_sessions.started_at >= fromUnixTimestamp64Milli({since_ms:Int64})
            AND ({session:String} = '' OR session_id = {session:String})
            AND ({model:String} = '' OR model = {model:String})
    ) AS chosen
    LEFT JOIN
    (
        SELECT
            session_id,
            sum(simulated.passes) AS passes,
            sum(simulated.prompt_tokens) AS prompt_tokens,
            sum(outcome.3) AS compressions,
            sum(outcome.4) AS simulated_prompt_tokens,
            toDecimal128(sum(outcome.2), 18) AS saved_usd
        FROM simulated
        GROUP BY session_id
    ) AS simulated USING (session_id)
)
SELECT
    line.1 AS is_total,
    line.2 AS session_id,
    if(is_total, NULL, any(sessions.started_at)) AS started_at,
    if(is_total, '', any(sessions.user_id)) AS user_id,
    if(is_total, '', any(sessions.model)) AS model,
    count() AS sessions,
    countIf(is_compressed) AS compressed_sessions,
    countIf(cost_usd IS NULL) AS sessions_without_cost,
    sum(sessions.passes) AS passes,
    sum(sessions.compressions) AS compressions,
    sum(sessions.prompt_tokens) AS prompt_tokens,
    sum(sessions.simulated_prompt_tokens) AS simulated_prompt_tokens,
    sum(cost_usd) AS actual_usd,
    sum(sessions.simulated_usd) AS simulated_usd,
    sum(cost_usd - sessions.simulated_usd) AS saved_usd,
    toFloat64(saved_usd) / nullIf(toFloat64(actual_usd), 0) AS saved_share,
    sum(sessions.unpriced_quantity) AS unpriced_quantity
FROM sessions
ARRAY JOIN [(true, ''), (false, sessions.session_id)] AS line
GROUP BY line
ORDER BY is_total DESC, actual_usd DESC NULLS LAST, session_id
LIMIT {limit:UInt64} + 1
