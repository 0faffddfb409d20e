-- OTLP log records as the exporter's rows. A record without a time of its own has the time it was observed.
CREATE MATERIALIZED VIEW otlp_logs_to_otel_logs TO otel_logs AS
WITH
    arrayJoin(resource_logs) AS resource_log,
    livemeter_otlp_attributes(resource_log.resource.attributes) AS resource_attributes,
    arrayJoin(resource_log.scope_logs) AS scope_log,
    livemeter_otlp_attributes(scope_log.scope.attributes) AS scope_attributes,
    arrayJoin(scope_log.log_records) AS record
SELECT
    livemeter_otlp_time(if(record.time_unix_nano = 0, record.observed_time_unix_nano, record.time_unix_nano)) AS Timestamp,
    livemeter_otlp_id(record.trace_id) AS TraceId,
    livemeter_otlp_id(record.span_id) AS SpanId,
    toUInt8(record.flags) AS TraceFlags,
    record.severity_text AS SeverityText,
    toUInt8(record.severity_number) AS SeverityNumber,
    resource_attributes['service.name'] AS ServiceName,
    livemeter_otlp_string(record.body) AS Body,
    resource_log.schema_url AS ResourceSchemaUrl,
    resource_attributes AS ResourceAttributes,
    scope_log.schema_url AS ScopeSchemaUrl,
    scope_log.scope.name AS ScopeName,
    scope_log.scope.version AS ScopeVersion,
    scope_attributes AS ScopeAttributes,
    livemeter_otlp_attributes(record.attributes) AS LogAttributes,
    record.event_name AS EventName
FROM otlp_logs_in
