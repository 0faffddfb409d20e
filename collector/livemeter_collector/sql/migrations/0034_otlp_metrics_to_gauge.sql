-- OTLP gauge points as the exporter's rows.
-- An exemplar without a trace or span id has zeros there, as the exporter writes them.
CREATE MATERIALIZED VIEW otlp_metrics_to_gauge TO otel_metrics_gauge AS
WITH arrayJoin(gauge_points) AS point
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
    if(point.value = 'as_int', toFloat64(point.as_int), point.as_double) AS Value,
    point.flags AS Flags,
    arrayMap(exemplar -> livemeter_otlp_attributes(exemplar.filtered_attributes), point.exemplars) AS `Exemplars.FilteredAttributes`,
    arrayMap(exemplar -> livemeter_otlp_time(exemplar.time_unix_nano), point.exemplars) AS `Exemplars.TimeUnix`,
    arrayMap(exemplar -> if(exemplar.value = 'as_int', toFloat64(exemplar.as_int), exemplar.as_double), point.exemplars) AS `Exemplars.Value`,
    arrayMap(exemplar -> leftPad(lower(hex(exemplar.span_id)), 16, '0'), point.exemplars) AS `Exemplars.SpanId`,
    arrayMap(exemplar -> leftPad(lower(hex(exemplar.trace_id)), 32, '0'), point.exemplars) AS `Exemplars.TraceId`
FROM otlp_metrics
