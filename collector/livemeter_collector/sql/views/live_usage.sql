-- Tokens as the server reported them: a row per usage frame x kind x modality; repeats are not billable.
-- The first pass after a process took a session over from another is fresh: that process did not know what
-- the context held.
CREATE OR REPLACE VIEW live_usage AS
SELECT
    ts,
    livemeter_session(usage.session_id) AS session_id,
    lower(hex(usage.connection_id)) AS connection_id,
    seq,
    turn,
    pass,
    app,
    user_id,
    labels,
    model,
    platform,
    tier,
    service_tier,
    traffic_type,
    kind,
    modality,
    quantity,
    unit,
    billable,
    fresh,
    carried,
    source,
    previous_prompt,
    first_after_resume
FROM usage FINAL
