-- OTLP sum points as the exporter's rows. Exemplars without an id have zeros, as there.
CREATE MATERIALIZED VIEW IF NOT EXISTS otlp_metrics_to_sum TO otel_metrics_sum AS
WITH
    arrayJoin(resource_metrics) AS resource_metric,
    livemeter_otlp_attributes(resource_metric.resource.attributes) AS resource_attributes,
    arrayJoin(resource_metric.scope_metrics) AS scope_metric,
    livemeter_otlp_attributes(scope_metric.scope.attributes) AS scope_attributes,
    arrayJoin(scope_metric.metrics) AS metric,
    arrayJoin(metric.sum.data_points) AS point
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
    if(point.value = 'as_int', toFloat64(point.as_int), point.as_double) AS Value,
    point.flags AS Flags,
    arrayMap(exemplar -> livemeter_otlp_attributes(exemplar.filtered_attributes), point.exemplars) AS `Exemplars.FilteredAttributes`,
    arrayMap(exemplar -> livemeter_otlp_time(exemplar.time_unix_nano), point.exemplars) AS `Exemplars.TimeUnix`,
    arrayMap(exemplar -> if(exemplar.value = 'as_int', toFloat64(exemplar.as_int), exemplar.as_double), point.exemplars) AS `Exemplars.Value`,
    arrayMap(exemplar -> leftPad(lower(hex(exemplar.span_id)), 16, '0'), point.exemplars) AS `Exemplars.SpanId`,
    arrayMap(exemplar -> leftPad(lower(hex(exemplar.trace_id)), 32, '0'), point.exemplars) AS `Exemplars.TraceId`,
    metric.sum.aggregation_temporality AS AggregationTemporality,
    metric.sum.is_monotonic AS IsMonotonic
FROM otlp_metrics_in
