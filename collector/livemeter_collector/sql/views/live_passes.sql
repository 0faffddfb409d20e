-- A row a pass: one generation of the model, with what its prompt held, what it made, and what that cost. Passes,
-- transcription and grounding together are all of a session's costs.
-- A pass is a billable usage frame, named by its connection and the number of its event there: those that share a
-- session number their passes each for itself.
-- It reads alike with and without join_use_nulls, because a read-only reader's setting wins over a view's.
-- requires: live_costs
CREATE OR REPLACE VIEW live_passes AS
SELECT
    passes.session_id AS session_id,
    passes.connection_id AS connection_id,
    passes.seq AS seq,
    ts,
    passes.turn AS turn,
    pass,
    app, user_id, labels, model, platform, tier,
    coalesce(turns.app_phase, '') AS app_phase,
    toBool(coalesce(turns.interrupted, false)) AS interrupted,
    passes.first_after_resume AS first_after_resume,
    prompt_tokens, cached_tokens, tool_use_tokens, response_tokens, thoughts_tokens,
    fresh, carried,
    usd, usd_low, usd_high, input_usd, output_usd, carried_usd,
    unpriced_quantity
FROM
(
    SELECT
        session_id, connection_id, seq,
        any(costs.ts) AS ts,
        any(costs.turn) AS turn,
        any(costs.pass) AS pass,
        any(costs.app) AS app,
        any(costs.user_id) AS user_id,
        any(costs.labels) AS labels,
        any(costs.model) AS model,
        any(costs.platform) AS platform,
        any(costs.tier) AS tier,
        any(costs.first_after_resume) AS first_after_resume,
        sumIf(quantity, kind IN ('prompt', 'cached')) AS prompt_tokens,
        sumIf(quantity, kind = 'cached') AS cached_tokens,
        sumIf(quantity, kind = 'tool_use_prompt') AS tool_use_tokens,
        sumIf(quantity, kind = 'response') AS response_tokens,
        sumIf(quantity, kind = 'thoughts') AS thoughts_tokens,
        sumIf(costs.fresh, direction = 'input') AS fresh,
        sum(costs.carried) AS carried,
        sum(costs.usd) AS usd,
        sum(costs.usd_low) AS usd_low,
        sum(costs.usd_high) AS usd_high,
        -- No tokens cost nothing; tokens without a price are NULL.
        if(countIf(direction = 'input') = 0, toDecimal128(0, 18), sumIf(costs.usd, direction = 'input')) AS input_usd,
        if(countIf(direction = 'output') = 0, toDecimal128(0, 18), sumIf(costs.usd, direction = 'output')) AS output_usd,
        sum(costs.carried_usd) AS carried_usd,
        sumIf(quantity, isNull(costs.usd)) AS unpriced_quantity
    FROM live_costs AS costs
    WHERE kind NOT IN ('transcription', 'grounding')
    GROUP BY session_id, connection_id, seq
) AS passes
LEFT JOIN
(
    -- A row a turn, whatever was told of it twice: a join must not multiply money.
    SELECT
        lower(hex(connection_id)) AS connection_id, turn,
        argMax(turns.app_phase, seq) AS app_phase,
        max(turns.interrupted) AS interrupted
    FROM turns FINAL
    GROUP BY connection_id, turn
) AS turns ON turns.connection_id = passes.connection_id AND turns.turn = passes.turn
