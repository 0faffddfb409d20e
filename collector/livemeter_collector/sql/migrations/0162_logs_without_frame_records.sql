-- Frames in either form have their own typed table; everything else is kept as it came.
CREATE OR REPLACE MATERIALIZED VIEW otel_logs_to_logs TO logs AS
SELECT *
FROM otel_logs
WHERE EventName NOT IN ('gemini_live.frames', 'gemini_live.frame')
