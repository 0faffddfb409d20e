-- OTLP exponential histogram points as the exporter's rows.
-- An exemplar without a trace or span id has zeros there, as the exporter writes them.
CREATE MATERIALIZED VIEW otlp_metrics_to_exponential_histogram TO otel_metrics_exponential_histogram AS
WITH arrayJoin(exponential_histogram_points) AS point
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
    point.scale AS Scale,
    point.zero_count AS ZeroCount,
    point.positive.offset AS PositiveOffset,
    point.positive.bucket_counts AS PositiveBucketCounts,
    point.negative.offset AS NegativeOffset,
    point.negative.bucket_counts AS NegativeBucketCounts,
    arrayMap(exemplar -> livemeter_otlp_attributes(exemplar.filtered_attributes), point.exemplars) AS `Exemplars.FilteredAttributes`,
    arrayMap(exemplar -> livemeter_otlp_time(exemplar.time_unix_nano), point.exemplars) AS `Exemplars.TimeUnix`,
    arrayMap(exemplar -> if(exemplar.value = 'as_int', toFloat64(exemplar.as_int), exemplar.as_double), point.exemplars) AS `Exemplars.Value`,
    arrayMap(exemplar -> leftPad(lower(hex(exemplar.span_id)), 16, '0'), point.exemplars) AS `Exemplars.SpanId`,
    arrayMap(exemplar -> leftPad(lower(hex(exemplar.trace_id)), 32, '0'), point.exemplars) AS `Exemplars.TraceId`,
    point.flags AS Flags,
    point.min AS Min,
    point.max AS Max,
    exponential_histogram_temporality AS AggregationTemporality
FROM otlp_metrics
