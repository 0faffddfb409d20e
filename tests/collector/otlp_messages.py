"""OTLP requests for tests, made with the official protobuf messages."""

from collections.abc import Iterable, Mapping

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

Value = str | bool | int | float | bytes | None


def any_value(value: Value) -> AnyValue:
    """Wrap a Python value; None is an AnyValue without one."""
    match value:
        case None:
            return AnyValue()
        case bool():
            return AnyValue(bool_value=value)
        case str():
            return AnyValue(string_value=value)
        case int():
            return AnyValue(int_value=value)
        case float():
            return AnyValue(double_value=value)
        case bytes():
            return AnyValue(bytes_value=value)


def key_values(attributes: Mapping[str, Value]) -> list[KeyValue]:
    """Wrap attributes."""
    return [KeyValue(key=key, value=any_value(value)) for key, value in attributes.items()]


def logs_request(bodies: Iterable[Value], service: str = "", **fields: object) -> ExportLogsServiceRequest:
    """One log record for each body, all of one service; ``fields`` are set on every record."""
    request = ExportLogsServiceRequest()
    resource = request.resource_logs.add()
    if service:
        resource.resource.attributes.extend(key_values({"service.name": service}))
    scope = resource.scope_logs.add()
    for body in bodies:
        scope.log_records.add(body=any_value(body), **fields)
    return request
