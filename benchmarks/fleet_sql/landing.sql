INSERT INTO livemeter.otel_logs
(
    Timestamp, ServiceName, SeverityText, SeverityNumber, Body, ResourceAttributes, ScopeName, ScopeVersion,
    LogAttributes, EventName
)
SELECT
    fromUnixTimestamp64Milli(at_ms), app, if(severity = 13, 'WARN', 'INFO'), severity, body,
    map(
        'service.name', app, 'service.version', '4.2.0', 'service.instance.id', emitter_id, 'host.name', 'fleet',
        'deployment.environment.name', 'production', 'telemetry.sdk.language', 'python',
        'telemetry.sdk.name', 'opentelemetry', 'telemetry.sdk.version', '1.45.2'
    ),
    'livemeter', '0.1.0',
    mapConcat(
        common, attributes,
        map('$emitter_id', emitter_id, '$emitter_seq', toString(row_number() OVER in_order - 1))
    ),
    event
FROM fleet.events
WINDOW in_order AS (PARTITION BY emitter_id ORDER BY at_ms, connection_id, event, body)
ORDER BY at_ms
