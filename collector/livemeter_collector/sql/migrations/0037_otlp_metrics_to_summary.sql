-- OTLP summary points as the exporter's rows.
CREATE MATERIALIZED VIEW IF NOT EXISTS otlp_metrics_to_summary TO otel_metrics_summary AS
WITH
    arrayJoin(resource_metrics) AS resource_metric,
    livemeter_otlp_attributes(resource_metric.resource.attributes) AS resource_attributes,
    arrayJoin(resource_metric.scope_metrics) AS scope_metric,
    livemeter_otlp_attributes(scope_metric.scope.attributes) AS scope_attributes,
    arrayJoin(scope_metric.metrics) AS metric,
    arrayJoin(metric.summary.data_points) AS point
SELECT
    resource_attributes AS ResourceAttributes,
    resource_metric.schema_url AS ResourceSchemaUrl,
    scope_metric.scope.name AS ScopeName,
    scope_metric.scope.version AS ScopeVersion,
    scope_attributes AS ScopeAttributes,
    scope_metric.scope.dropped_attributes_count AS ScopeDroppedAttrCount,
    scope_metric.schema_url AS ScopeSchemaUrl,
    resource_attributes['service.name'] AS ServiceName,
    metric.name AS MetricName,
    metric.description AS MetricDescription,
    metric.unit AS MetricUnit,
    livemeter_otlp_attributes(point.attributes) AS Attributes,
    livemeter_otlp_time(point.start_time_unix_nano) AS StartTimeUnix,
    livemeter_otlp_time(point.time_unix_nano) AS TimeUnix,
    point.count AS Count,
    point.sum AS Sum,
    arrayMap(quantile -> quantile.quantile, point.quantile_values) AS `ValueAtQuantiles.Quantile`,
    arrayMap(quantile -> quantile.value, point.quantile_values) AS `ValueAtQuantiles.Value`,
    point.flags AS Flags
FROM otlp_metrics_in
