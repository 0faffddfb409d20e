-- OTLP summary points as the exporter's rows.
CREATE MATERIALIZED VIEW otlp_metrics_to_summary TO otel_metrics_summary AS
WITH arrayJoin(summary_points) AS point
SELECT
    ResourceAttributes,
    ResourceSchemaUrl,
    ScopeName,
    ScopeVersion,
    ScopeAttributes,
    ScopeDroppedAttrCount,
    ScopeSchemaUrl,
    ServiceName,
    MetricName,
    MetricDescription,
    MetricUnit,
    livemeter_otlp_attributes(point.attributes) AS Attributes,
    livemeter_otlp_time(point.start_time_unix_nano) AS StartTimeUnix,
    livemeter_otlp_time(point.time_unix_nano) AS TimeUnix,
    point.count AS Count,
    point.sum AS Sum,
    arrayMap(quantile -> quantile.quantile, point.quantile_values) AS `ValueAtQuantiles.Quantile`,
    arrayMap(quantile -> quantile.value, point.quantile_values) AS `ValueAtQuantiles.Value`,
    point.flags AS Flags
FROM otlp_metrics
