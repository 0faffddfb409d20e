-- Billable usage of unsettled sessions by hour and connection; prices change on whole hours.
-- requires: unsettled
CREATE OR REPLACE VIEW usage_figures AS
WITH (SELECT (connection_ids, session_ids) FROM unsettled) AS unsettled
SELECT
    toStartOfHour(usage.ts, 'UTC') AS hour,
    connection_id,
    livemeter_session(any(usage.session_id)) AS session_id,
    app, user_id, model, platform, tier, kind, modality,
    sum(usage.quantity) AS quantity,
    sum(usage.fresh) AS fresh,
    sum(usage.carried) AS carried
FROM usage FINAL
WHERE billable AND connection_id IN unsettled.1
GROUP BY hour, connection_id, app, user_id, model, platform, tier, kind, modality
