-- Frames are many and have their own typed table; everything else is kept as it came.
CREATE MATERIALIZED VIEW otel_logs_to_logs TO logs AS
SELECT *
FROM otel_logs
WHERE EventName != 'gemini_live.frames'
