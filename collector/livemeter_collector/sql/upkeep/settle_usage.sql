-- Hourly usage of unsettled sessions as it is now.
INSERT INTO livemeter.settled_usage
(
    hour, connection_id, session_id, app, user_id, model, platform, tier, kind, modality,
    quantity, fresh, carried, computed_at
)
SELECT
    hour, connection_id, session_id, app, user_id, model, platform, tier, kind, modality,
    quantity, fresh, carried, fromUnixTimestamp64Milli({at_ms:Int64}) AS computed_at
FROM livemeter.usage_figures
