-- OTLP spans as the exporter's rows, but for one thing: a span that ends before it starts has Duration 0.
CREATE MATERIALIZED VIEW otlp_traces_to_otel_traces TO otel_traces AS
WITH
    arrayJoin(resource_spans) AS resource_span,
    livemeter_otlp_attributes(resource_span.resource.attributes) AS resource_attributes,
    arrayJoin(resource_span.scope_spans) AS scope_span,
    arrayJoin(scope_span.spans) AS span
SELECT
    livemeter_otlp_time(span.start_time_unix_nano) AS Timestamp,
    livemeter_otlp_id(span.trace_id) AS TraceId,
    livemeter_otlp_id(span.span_id) AS SpanId,
    livemeter_otlp_id(span.parent_span_id) AS ParentSpanId,
    span.trace_state AS TraceState,
    span.name AS SpanName,
    transform(span.kind, [0, 1, 2, 3, 4, 5], ['Unspecified', 'Internal', 'Server', 'Client', 'Producer', 'Consumer'], '') AS SpanKind,
    resource_attributes['service.name'] AS ServiceName,
    resource_attributes AS ResourceAttributes,
    scope_span.scope.name AS ScopeName,
    scope_span.scope.version AS ScopeVersion,
    livemeter_otlp_attributes(span.attributes) AS SpanAttributes,
    if(span.end_time_unix_nano > span.start_time_unix_nano, span.end_time_unix_nano - span.start_time_unix_nano, 0) AS Duration,
    transform(span.status.code, [0, 1, 2], ['Unset', 'Ok', 'Error'], '') AS StatusCode,
    span.status.message AS StatusMessage,
    arrayMap(event -> livemeter_otlp_time(event.time_unix_nano), span.events) AS `Events.Timestamp`,
    arrayMap(event -> event.name, span.events) AS `Events.Name`,
    arrayMap(event -> livemeter_otlp_attributes(event.attributes), span.events) AS `Events.Attributes`,
    arrayMap(link -> livemeter_otlp_id(link.trace_id), span.links) AS `Links.TraceId`,
    arrayMap(link -> livemeter_otlp_id(link.span_id), span.links) AS `Links.SpanId`,
    arrayMap(link -> link.trace_state, span.links) AS `Links.TraceState`,
    arrayMap(link -> livemeter_otlp_attributes(link.attributes), span.links) AS `Links.Attributes`
FROM otlp_traces_in
