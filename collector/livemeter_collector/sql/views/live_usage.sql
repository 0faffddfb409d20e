-- Tokens as the server reported them: a row per usage frame x kind x modality; repeats are not billable.
CREATE OR REPLACE VIEW live_usage AS
SELECT
    ts,
    session_id,
    lower(hex(connection_id)) AS connection_id,
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
