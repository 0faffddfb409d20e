-- Billable usage by hour, whoever used it: a small table however many frames and passes there were.
-- requires: usage_figures, unsettled
CREATE OR REPLACE VIEW live_usage_hourly AS
WITH (SELECT (connection_ids, session_ids) FROM unsettled) AS unsettled
SELECT
    hour, app, user_id, model, platform, tier, kind, modality,
    if(kind = 'grounding', 'query', 'token') AS unit,
    sum(usage.quantity) AS quantity,
    sum(usage.fresh) AS fresh,
    sum(usage.carried) AS carried
FROM
(
    SELECT hour, app, user_id, model, platform, tier, kind, modality, quantity, fresh, carried
    FROM settled_usage FINAL
    WHERE connection_id NOT IN unsettled.1
    UNION ALL
    SELECT hour, app, user_id, model, platform, tier, kind, modality, quantity, fresh, carried
    FROM usage_figures
) AS usage
GROUP BY hour, app, user_id, model, platform, tier, kind, modality
