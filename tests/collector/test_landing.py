"""From OTLP bytes to the exporter's rows: every mapping rule, values nobody should send, and nothing twice.

The expected rows are written out here by hand, from what the contrib clickhouseexporter inserts.
"""

import datetime as dt
import random
from decimal import Decimal

import pytest
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality, ScopeMetrics
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from livemeter_collector.store.contract import Signal, Store
from tests.collector.otlp_messages import any_value, key_values, logs_request

NOON_NS = 1_763_726_400_123_456_789
"""2025-11-21 12:00:00.123456789 UTC."""
NOON = dt.datetime(2025, 11, 21, 12, 0, 0, 123456, dt.UTC)
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
TRACE_ID = bytes(range(0xA0, 0xB0))
SPAN_ID = bytes(range(0xF0, 0xF8))
MAP = "Map(LowCardinality(String), String)"
LOW = "LowCardinality(String)"
TIME = "DateTime64(9)"
EXEMPLARS = {
    "Exemplars.FilteredAttributes": f"Array({MAP})",
    "Exemplars.TimeUnix": f"Array({TIME})",
    "Exemplars.Value": "Array(Float64)",
    "Exemplars.SpanId": "Array(String)",
    "Exemplars.TraceId": "Array(String)",
}
METRIC = {
    "ResourceAttributes": MAP,
    "ResourceSchemaUrl": "String",
    "ScopeName": "String",
    "ScopeVersion": "String",
    "ScopeAttributes": MAP,
    "ScopeDroppedAttrCount": "UInt32",
    "ScopeSchemaUrl": "String",
    "ServiceName": LOW,
    "MetricName": LOW,
    "MetricDescription": "String",
    "MetricUnit": "String",
    "Attributes": MAP,
    "StartTimeUnix": TIME,
    "TimeUnix": TIME,
}
LOG = {
    "Timestamp": TIME,
    "TraceId": "String",
    "SpanId": "String",
    "TraceFlags": "UInt8",
    "SeverityText": LOW,
    "SeverityNumber": "UInt8",
    "ServiceName": LOW,
    "Body": "String",
    "ResourceSchemaUrl": LOW,
    "ResourceAttributes": MAP,
    "ScopeSchemaUrl": LOW,
    "ScopeName": "String",
    "ScopeVersion": LOW,
    "ScopeAttributes": MAP,
    "LogAttributes": MAP,
    "EventName": "String",
}
SPAN = {
    "Timestamp": TIME,
    "TraceId": "String",
    "SpanId": "String",
    "ParentSpanId": "String",
    "TraceState": "String",
    "SpanName": LOW,
    "SpanKind": LOW,
    "ServiceName": LOW,
    "ResourceAttributes": MAP,
    "ScopeName": "String",
    "ScopeVersion": "String",
    "SpanAttributes": MAP,
    "Duration": "UInt64",
    "StatusCode": LOW,
    "StatusMessage": "String",
    "Events.Timestamp": f"Array({TIME})",
    "Events.Name": f"Array({LOW})",
    "Events.Attributes": f"Array({MAP})",
    "Links.TraceId": "Array(String)",
    "Links.SpanId": "Array(String)",
    "Links.TraceState": "Array(String)",
    "Links.Attributes": f"Array({MAP})",
}
TABLES = {
    "otel_logs": LOG,
    "logs": LOG,
    "otel_traces": SPAN,
    "otel_metrics_gauge": METRIC | {"Value": "Float64", "Flags": "UInt32"} | EXEMPLARS,
    "otel_metrics_sum": METRIC
    | {"Value": "Float64", "Flags": "UInt32"}
    | EXEMPLARS
    | {"AggregationTemporality": "Int32", "IsMonotonic": "Bool"},
    "otel_metrics_histogram": METRIC
    | {
        "Count": "UInt64",
        "Sum": "Float64",
        "BucketCounts": "Array(UInt64)",
        "ExplicitBounds": "Array(Float64)",
    }
    | EXEMPLARS
    | {"Flags": "UInt32", "Min": "Float64", "Max": "Float64", "AggregationTemporality": "Int32"},
    "otel_metrics_exponential_histogram": METRIC
    | {"Count": "UInt64", "Sum": "Float64", "Scale": "Int32", "ZeroCount": "UInt64"}
    | {"PositiveOffset": "Int32", "PositiveBucketCounts": "Array(UInt64)"}
    | {"NegativeOffset": "Int32", "NegativeBucketCounts": "Array(UInt64)"}
    | EXEMPLARS
    | {"Flags": "UInt32", "Min": "Float64", "Max": "Float64", "AggregationTemporality": "Int32"},
    "otel_metrics_summary": METRIC
    | {"Count": "UInt64", "Sum": "Float64"}
    | {
        "ValueAtQuantiles.Quantile": "Array(Float64)",
        "ValueAtQuantiles.Value": "Array(Float64)",
        "Flags": "UInt32",
    },
}
"""The exporter's INSERT column lists with the types of its own DDL, in their order."""

SIGNALS: dict[type[Message], Signal] = {
    ExportLogsServiceRequest: Signal.LOGS,
    ExportTraceServiceRequest: Signal.TRACES,
    ExportMetricsServiceRequest: Signal.METRICS,
}


def insert(store: Store, request: Message, token: str) -> None:
    store.insert_otlp(SIGNALS[type(request)], request.SerializeToString(), token)


def rows(store: Store, table: str, service: str, order: str = "tuple()") -> list[dict[str, object]]:
    """The service's rows by column name; Python's times leave the last three digits out."""
    answer = store.query(
        f"SELECT * FROM {table} WHERE ServiceName = {{service:String}} ORDER BY {order}", {"service": service}
    )
    return [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]


def texts(store: Store, sql: str, service: str) -> list[str]:
    """One column of the service's rows; the service is the parameter ``service``."""
    return [str(row[0]) for row in store.query(sql, {"service": service}).rows]


@pytest.mark.parametrize(("table", "columns"), TABLES.items())
def test_landing_tables_have_exactly_the_exporters_columns(
    store: Store, table: str, columns: dict[str, str]
) -> None:
    described = store.query(
        "SELECT name, type FROM system.columns WHERE database = 'livemeter' AND table = {table:String}"
        " ORDER BY position",
        {"table": table},
    )
    assert {row[0]: row[1] for row in described.rows} == columns
    store.command(
        f"INSERT INTO {table} ({', '.join(f'`{name}`' for name in columns)}) SELECT * FROM {table} WHERE 0"
    )


def test_a_log_record(store: Store, unique: str) -> None:
    request = ExportLogsServiceRequest()
    resource = request.resource_logs.add(schema_url="https://resource")
    resource.resource.attributes.extend(key_values({"service.name": unique, "process.pid": 7}))
    scope = resource.scope_logs.add(schema_url="https://scope")
    scope.scope.name = "livemeter"
    scope.scope.version = "1.2"
    scope.scope.attributes.extend(key_values({"s": True}))
    scope.log_records.add(
        time_unix_nano=NOON_NS,
        observed_time_unix_nano=NOON_NS + 10**9,
        severity_number=9,
        severity_text="INFO",
        body=any_value("hello"),
        attributes=key_values({"a": 1, "b": "2"}),
        flags=0x101,
        trace_id=TRACE_ID,
        span_id=SPAN_ID,
        event_name="an.event",
    )
    insert(store, request, unique)
    assert rows(store, "logs", unique) == [
        {
            "Timestamp": NOON,
            "TraceId": "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
            "SpanId": "f0f1f2f3f4f5f6f7",
            "TraceFlags": 1,
            "SeverityText": "INFO",
            "SeverityNumber": 9,
            "ServiceName": unique,
            "Body": "hello",
            "ResourceSchemaUrl": "https://resource",
            "ResourceAttributes": {"service.name": unique, "process.pid": "7"},
            "ScopeSchemaUrl": "https://scope",
            "ScopeName": "livemeter",
            "ScopeVersion": "1.2",
            "ScopeAttributes": {"s": "true"},
            "LogAttributes": {"a": "1", "b": "2"},
            "EventName": "an.event",
        }
    ]
    exact = "SELECT toUnixTimestamp64Nano(Timestamp) FROM logs WHERE ServiceName = {service:String}"
    assert texts(store, exact, unique) == [str(NOON_NS)]


def test_an_empty_log_record_is_a_row_of_defaults(store: Store, unique: str) -> None:
    insert(store, logs_request([None], unique), unique)
    (row,) = rows(store, "logs", unique)
    assert row.pop("ResourceAttributes") == {"service.name": unique}
    assert row.pop("ServiceName") == unique
    assert row.pop("Timestamp") == EPOCH
    assert set(map(repr, row.values())) == {"''", "0", "{}"}


def test_a_record_without_a_time_has_the_time_it_was_observed(store: Store, unique: str) -> None:
    insert(store, logs_request(["a"], unique, observed_time_unix_nano=NOON_NS), unique)
    assert rows(store, "logs", unique)[0]["Timestamp"] == NOON


@pytest.mark.parametrize(
    ("trace_id", "span_id", "hex_trace_id", "hex_span_id"),
    [
        (b"", b"", "", ""),
        (b"\0" * 16, b"\0" * 8, "", ""),
        (b"\0" * 15 + b"\1", b"\0" * 7 + b"\2", "0" * 31 + "1", "0" * 15 + "2"),
        (b"\xab", b"\xcd" * 20, "ab", "cd" * 20),
    ],
)
def test_ids_are_lowercase_hex_or_empty(
    store: Store, unique: str, trace_id: bytes, span_id: bytes, hex_trace_id: str, hex_span_id: str
) -> None:
    insert(store, logs_request(["a"], unique, trace_id=trace_id, span_id=span_id), unique)
    (row,) = rows(store, "logs", unique)
    assert (row["TraceId"], row["SpanId"]) == (hex_trace_id, hex_span_id)


VALUES = [
    ("text", "text"),
    ("", ""),
    (None, ""),
    (True, "true"),
    (False, "false"),
    (0, "0"),
    (-(2**63), "-9223372036854775808"),
    (2**63 - 1, "9223372036854775807"),
    (b"\x00\xff\xfe", "AP/+"),
    (b"", ""),
    (0.0, "0"),
    (-0.0, "-0"),
    (1.0, "1"),
    (1.5, "1.5"),
    (0.1, "0.1"),
    (1e20, "100000000000000000000"),
    (1e21, "1e+21"),
    (-1.5e300, "-1.5e+300"),
    (1e-6, "0.000001"),
    (1e-7, "1e-7"),
    (5e-324, "5e-324"),
    (1.7976931348623157e308, "1.7976931348623157e+308"),
    (123456789.125, "123456789.125"),
    (float("nan"), "json: unsupported value: NaN"),
    (float("inf"), "json: unsupported value: +Inf"),
    (float("-inf"), "json: unsupported value: -Inf"),
]
"""OTLP values and what the exporter writes for them (Go's pdata AsString)."""


def test_every_kind_of_value_in_body_and_attributes(store: Store, unique: str) -> None:
    request = logs_request([value for value, _ in VALUES], unique)
    for number, (record, (value, _)) in enumerate(
        zip(request.resource_logs[0].scope_logs[0].log_records, VALUES, strict=True)
    ):
        record.time_unix_nano = number
        record.attributes.extend(key_values({"k": value}))
    insert(store, request, unique)
    written = [text for _, text in VALUES]
    found = rows(store, "logs", unique, order="Timestamp, toUnixTimestamp64Nano(Timestamp)")
    assert [row["Body"] for row in found] == written
    assert [row["LogAttributes"] for row in found] == [{"k": text} for text in written]


def go_float(value: float) -> str:
    """Write a finite double as Go's encoding/json: shortest digits, e-notation below 1e-6 and from 1e21."""
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    number, point = "".join(map(str, digits)), int(exponent)
    minus = "-" if sign else ""
    magnitude = point + len(number) - 1
    if abs(value) < 1e-6 or abs(value) >= 1e21:
        fraction = f".{number[1:]}" if number[1:] else ""
        return f"{minus}{number[0]}{fraction}e{magnitude:+d}"
    return minus + format(Decimal((0, digits, point)), "f")


def test_doubles_are_written_as_go_writes_them(store: Store, unique: str) -> None:
    dice = random.Random(7)
    values = [dice.uniform(-1, 1) * 10 ** dice.randint(-320, 308) for _ in range(1000)]
    values += [dice.uniform(-1e7, 1e7) for _ in range(1000)]
    request = logs_request(values, unique)
    for number, record in enumerate(request.resource_logs[0].scope_logs[0].log_records):
        record.time_unix_nano = number
    insert(store, request, unique)
    written = texts(
        store, "SELECT Body FROM logs WHERE ServiceName = {service:String} ORDER BY Timestamp", unique
    )
    assert written == [go_float(value) if value else "0" for value in values]


def test_nested_values_that_were_not_turned_into_json_are_empty_and_take_nobody_with_them(
    store: Store, unique: str
) -> None:
    nested = AnyValue(array_value=ArrayValue(values=[any_value(1)]))
    pairs = AnyValue(kvlist_value=KeyValueList(values=key_values({"x": 1})))
    request = logs_request(["a"], unique)
    record = request.resource_logs[0].scope_logs[0].log_records[0]
    record.attributes.extend(
        [KeyValue(key="n", value=nested), KeyValue(key="p", value=pairs), KeyValue(key="none")]
    )
    record.attributes.extend(key_values({"after": "there"}))
    request.resource_logs[0].scope_logs[0].log_records.add(body=nested)
    insert(store, request, unique)
    found = rows(store, "logs", unique, order="Body")
    assert [row["Body"] for row in found] == ["", "a"]
    assert found[1]["LogAttributes"] == {"n": "", "p": "", "none": "", "after": "there"}


def test_a_repeated_key_keeps_both_entries_and_the_first_names_the_service(store: Store, unique: str) -> None:
    request = logs_request(["a"], unique)
    request.resource_logs[0].resource.attributes.extend(key_values({"service.name": "second"}))
    insert(store, request, unique)
    values = "arrayStringConcat(mapValues(ResourceAttributes), ' ')"
    keys = f"SELECT {values} FROM logs WHERE ServiceName = {{service:String}}"
    assert texts(store, keys, unique) == [f"{unique} second"]


def test_several_resources_and_scopes_keep_apart(store: Store, unique: str) -> None:
    request = ExportLogsServiceRequest()
    for resource_number in range(2):
        resource = request.resource_logs.add()
        resource.resource.attributes.extend(key_values({"service.name": f"{unique}-{resource_number}"}))
        for scope_number in range(2):
            scope = resource.scope_logs.add()
            scope.scope.name = f"s{scope_number}"
            for record_number in range(2):
                scope.log_records.add(body=any_value(f"{resource_number}{scope_number}{record_number}"))
        resource.scope_logs.add()
    request.resource_logs.add()
    insert(store, request, unique)
    for resource_number in range(2):
        found = rows(store, "logs", f"{unique}-{resource_number}", order="Body")
        assert [(row["ScopeName"], row["Body"]) for row in found] == [
            (f"s{scope}", f"{resource_number}{scope}{record}") for scope in range(2) for record in range(2)
        ]


def test_frames_are_not_kept_as_logs(store: Store, unique: str) -> None:
    request = logs_request(["a frame"], unique, event_name="gemini_live.frames")
    request.MergeFrom(logs_request(["an event"], unique, event_name="gemini_live.turn"))
    insert(store, request, unique)
    assert [row["Body"] for row in rows(store, "logs", unique)] == ["an event"]


def test_the_exporters_insert_ends_in_the_same_row(store: Store, unique: str) -> None:
    """A row that the stock Collector inserts into the landing table itself."""
    insert(store, logs_request(["same"], unique, time_unix_nano=NOON_NS), unique)
    columns = ", ".join(LOG)
    store.command(
        f"INSERT INTO otel_logs ({columns}) SELECT {columns} FROM logs WHERE ServiceName = '{unique}'"
    )
    first, second = rows(store, "logs", unique)
    assert first == second


def test_unknown_fields_are_skipped(store: Store, unique: str) -> None:
    """Fields of a later OTLP version, at every level: field 99 with a text."""
    later = b"\x9a\x06\x03new"
    request = logs_request(["a"], unique)
    record = request.resource_logs[0].scope_logs[0].log_records[0]
    record.MergeFromString(later)
    record.body.MergeFromString(later)
    request.resource_logs[0].resource.MergeFromString(later)
    request.MergeFromString(later)
    insert(store, request, unique)
    assert [row["Body"] for row in rows(store, "logs", unique)] == ["a"]


def test_a_span(store: Store, unique: str) -> None:
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add(schema_url="lost")
    resource.resource.attributes.extend(key_values({"service.name": unique}))
    scope = resource.scope_spans.add()
    scope.scope.name = "livemeter"
    scope.scope.version = "1.2"
    span = scope.spans.add(
        trace_id=TRACE_ID,
        span_id=SPAN_ID,
        parent_span_id=SPAN_ID[::-1],
        trace_state="k=v",
        name="connection",
        kind=3,
        start_time_unix_nano=NOON_NS,
        end_time_unix_nano=NOON_NS + 1_500,
        attributes=key_values({"a": 1.5}),
    )
    span.status.code = Status.StatusCode.ValueType(2)
    span.status.message = "closed"
    span.events.add(time_unix_nano=NOON_NS, name="go_away", attributes=key_values({"left_ms": 50}))
    span.events.add(name="later")
    span.links.add(trace_id=TRACE_ID, span_id=SPAN_ID, trace_state="l=1", attributes=key_values({"x": b"\1"}))
    insert(store, request, unique)
    assert rows(store, "otel_traces", unique) == [
        {
            "Timestamp": NOON,
            "TraceId": TRACE_ID.hex(),
            "SpanId": SPAN_ID.hex(),
            "ParentSpanId": SPAN_ID[::-1].hex(),
            "TraceState": "k=v",
            "SpanName": "connection",
            "SpanKind": "Client",
            "ServiceName": unique,
            "ResourceAttributes": {"service.name": unique},
            "ScopeName": "livemeter",
            "ScopeVersion": "1.2",
            "SpanAttributes": {"a": "1.5"},
            "Duration": 1500,
            "StatusCode": "Error",
            "StatusMessage": "closed",
            "Events.Timestamp": [NOON, EPOCH],
            "Events.Name": ["go_away", "later"],
            "Events.Attributes": [{"left_ms": "50"}, {}],
            "Links.TraceId": [TRACE_ID.hex()],
            "Links.SpanId": [SPAN_ID.hex()],
            "Links.TraceState": ["l=1"],
            "Links.Attributes": [{"x": "AQ=="}],
        }
    ]


def test_kinds_codes_and_durations_of_spans(store: Store, unique: str) -> None:
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.extend(key_values({"service.name": unique}))
    spans = resource.scope_spans.add().spans
    for kind in range(6):
        spans.add(name=f"{kind}", kind=kind, start_time_unix_nano=10, end_time_unix_nano=10 + kind)
    spans.add(name="6", start_time_unix_nano=10, end_time_unix_nano=9)
    spans.add(name="7", start_time_unix_nano=0, end_time_unix_nano=2**64 - 1)
    # An enum's number that no version has yet.
    spans.add(name="8").MergeFromString(b"\x30\x63\x7a\x02\x18\x63")
    for code in range(3):
        spans[code].status.code = Status.StatusCode.ValueType(code)
    insert(store, request, unique)
    found = rows(store, "otel_traces", unique, order="SpanName")
    words = [
        "Unspecified",
        "Internal",
        "Server",
        "Client",
        "Producer",
        "Consumer",
        "Unspecified",
        "Unspecified",
        "",
    ]
    assert [row["SpanKind"] for row in found] == words
    assert [row["StatusCode"] for row in found] == [
        "Unset",
        "Ok",
        "Error",
        "Unset",
        "Unset",
        "Unset",
        "Unset",
        "Unset",
        "",
    ]
    assert [row["Duration"] for row in found] == [0, 1, 2, 3, 4, 5, 0, 2**64 - 1, 0]


def metrics_scope(request: ExportMetricsServiceRequest, service: str) -> ScopeMetrics:
    resource = request.resource_metrics.add(schema_url="https://resource")
    resource.resource.attributes.extend(key_values({"service.name": service}))
    scope = resource.scope_metrics.add(schema_url="https://scope")
    scope.scope.name = "livemeter"
    scope.scope.version = "1.2"
    scope.scope.attributes.extend(key_values({"s": 1}))
    scope.scope.dropped_attributes_count = 3
    return scope


def common_columns(service: str, name: str) -> dict[str, object]:
    return {
        "ResourceAttributes": {"service.name": service},
        "ResourceSchemaUrl": "https://resource",
        "ScopeName": "livemeter",
        "ScopeVersion": "1.2",
        "ScopeAttributes": {"s": "1"},
        "ScopeDroppedAttrCount": 3,
        "ScopeSchemaUrl": "https://scope",
        "ServiceName": service,
        "MetricName": name,
        "MetricDescription": "what it is",
        "MetricUnit": "s",
        "Attributes": {"a": "true"},
        "StartTimeUnix": EPOCH,
        "TimeUnix": NOON,
    }


NO_EXEMPLARS: dict[str, object] = {name: [] for name in EXEMPLARS}
ONE_EXEMPLAR: dict[str, object] = {
    "Exemplars.FilteredAttributes": [{"f": "1"}],
    "Exemplars.TimeUnix": [NOON],
    "Exemplars.Value": [-4.0],
    "Exemplars.SpanId": [SPAN_ID.hex()],
    "Exemplars.TraceId": ["0" * 32],
}


def test_every_kind_of_metric(store: Store, unique: str) -> None:
    request = ExportMetricsServiceRequest()
    scope = metrics_scope(request, unique)
    point = {"time_unix_nano": NOON_NS, "attributes": key_values({"a": True}), "flags": 1}
    named = {"description": "what it is", "unit": "s"}
    gauge = scope.metrics.add(name="g", **named).gauge
    exemplar = gauge.data_points.add(as_int=-5, **point).exemplars.add(
        time_unix_nano=NOON_NS, as_int=-4, span_id=SPAN_ID
    )
    exemplar.filtered_attributes.extend(key_values({"f": 1}))
    total = scope.metrics.add(name="s", **named).sum
    total.aggregation_temporality = AggregationTemporality.ValueType(2)
    total.is_monotonic = True
    total.data_points.add(as_double=2.5, **point)
    total.data_points.add(**point)
    histogram = scope.metrics.add(name="h", **named).histogram
    histogram.aggregation_temporality = AggregationTemporality.ValueType(1)
    histogram.data_points.add(
        count=3, sum=1.5, bucket_counts=[1, 2], explicit_bounds=[0.5], min=0.25, max=1.0, **point
    )
    exponential = scope.metrics.add(name="e", **named).exponential_histogram
    exponential.aggregation_temporality = AggregationTemporality.ValueType(2)
    buckets = exponential.data_points.add(count=2**64 - 1, sum=-1.0, scale=-3, zero_count=4, **point)
    buckets.positive.offset = -7
    buckets.positive.bucket_counts.extend([1, 2**64 - 1])
    buckets.negative.offset = 2**31 - 1
    buckets.negative.bucket_counts.extend([0])
    summary = scope.metrics.add(name="u", **named).summary
    quantiles = summary.data_points.add(count=9, sum=4.5, **point).quantile_values
    quantiles.add(quantile=0.5, value=7.0)
    quantiles.add(quantile=0.99, value=float("inf"))
    insert(store, request, unique)

    assert rows(store, "otel_metrics_gauge", unique) == [
        common_columns(unique, "g") | {"Value": -5.0, "Flags": 1} | ONE_EXEMPLAR
    ]
    both = {"Flags": 1, "AggregationTemporality": 2, "IsMonotonic": True} | NO_EXEMPLARS
    assert rows(store, "otel_metrics_sum", unique, order="Value") == [
        common_columns(unique, "s") | both | {"Value": value} for value in (0.0, 2.5)
    ]
    assert rows(store, "otel_metrics_histogram", unique) == [
        common_columns(unique, "h")
        | {"Count": 3, "Sum": 1.5, "BucketCounts": [1, 2], "ExplicitBounds": [0.5]}
        | {"Flags": 1, "Min": 0.25, "Max": 1.0, "AggregationTemporality": 1}
        | NO_EXEMPLARS
    ]
    assert rows(store, "otel_metrics_exponential_histogram", unique) == [
        common_columns(unique, "e")
        | {"Count": 2**64 - 1, "Sum": -1.0, "Scale": -3, "ZeroCount": 4}
        | {"PositiveOffset": -7, "PositiveBucketCounts": [1, 2**64 - 1]}
        | {"NegativeOffset": 2**31 - 1, "NegativeBucketCounts": [0]}
        | {"Flags": 1, "Min": 0.0, "Max": 0.0, "AggregationTemporality": 2}
        | NO_EXEMPLARS
    ]
    assert rows(store, "otel_metrics_summary", unique) == [
        common_columns(unique, "u")
        | {"Count": 9, "Sum": 4.5, "Flags": 1}
        | {"ValueAtQuantiles.Quantile": [0.5, 0.99], "ValueAtQuantiles.Value": [7.0, float("inf")]}
    ]


def test_the_same_token_reaches_every_landing_table_once(store: Store, unique: str) -> None:
    request = ExportMetricsServiceRequest()
    for name in ("one", "two"):
        scope = metrics_scope(request, unique)
        scope.metrics.add(name=name).gauge.data_points.add(as_int=1)
        scope.metrics.add(name=name).sum.data_points.add(as_int=1)
        scope.metrics.add(name=name).summary.data_points.add(count=1)
        scope.metrics.add(name=name).histogram.data_points.add(count=1)
        scope.metrics.add(name=name).exponential_histogram.data_points.add(count=1)
    traces = ExportTraceServiceRequest()
    resource = traces.resource_spans.add()
    resource.resource.attributes.extend(key_values({"service.name": unique}))
    resource.scope_spans.add().spans.add(name="one")
    for _ in range(2):
        insert(store, request, unique)
        insert(store, traces, unique)
    for kind in ("gauge", "sum", "summary", "histogram", "exponential_histogram"):
        assert len(rows(store, f"otel_metrics_{kind}", unique)) == 2
    assert len(rows(store, "otel_traces", unique)) == 1


def test_a_thousand_months_of_wrong_clocks_in_one_insert(store: Store, unique: str) -> None:
    month_ns = 31 * 86_400 * 10**9
    times = [min(2**64 - 1, number * 2 * month_ns) for number in range(3000)] + [2**63 - 1, 2**63]
    logs = logs_request([""] * len(times), unique)
    traces = ExportTraceServiceRequest()
    resource = traces.resource_spans.add()
    resource.resource.attributes.extend(key_values({"service.name": unique}))
    spans = resource.scope_spans.add().spans
    metrics = ExportMetricsServiceRequest()
    points = metrics_scope(metrics, unique).metrics.add(name="g").gauge.data_points
    for time_ns, record in zip(times, logs.resource_logs[0].scope_logs[0].log_records, strict=True):
        record.time_unix_nano = time_ns
        spans.add(start_time_unix_nano=time_ns).events.add(time_unix_nano=time_ns)
        points.add(time_unix_nano=time_ns, start_time_unix_nano=time_ns).exemplars.add(time_unix_nano=time_ns)
    for request in (logs, traces, metrics):
        insert(store, request, unique)
    last_ns = 2**63 - 1
    expected = sorted(str(min(time_ns, last_ns)).zfill(20) for time_ns in times)
    for table, column in (
        ("logs", "Timestamp"),
        ("otel_traces", "Timestamp"),
        ("otel_metrics_gauge", "TimeUnix"),
    ):
        sql = f"SELECT toUnixTimestamp64Nano({column}) FROM {table} WHERE ServiceName = {{service:String}}"
        assert sorted(text.zfill(20) for text in texts(store, sql, unique)) == expected


def test_any_time_the_exporter_can_insert_is_stored(store: Store, unique: str) -> None:
    """The landing tables are also written directly, with no settings of ours."""
    moments = "fromUnixTimestamp64Nano(toInt64(number * (9223372036854775807 / 500) - 9223372036854775807))"
    for table, column in (
        ("otel_logs", "Timestamp"),
        ("otel_traces", "Timestamp"),
        ("otel_metrics_sum", "TimeUnix"),
    ):
        store.command(
            f"INSERT INTO {table} ({column}, ServiceName) SELECT {moments}, '{unique}' FROM numbers(1000)"
        )
        kept = "logs" if table == "otel_logs" else table
        assert (
            len(texts(store, f"SELECT {column} FROM {kept} WHERE ServiceName = {{service:String}}", unique))
            == 1000
        )


def test_odd_texts_and_numbers_of_a_log_record(store: Store, unique: str) -> None:
    request = logs_request(
        ["x" * 1_000_000], unique, flags=2**32 - 1, severity_text="\x00\n", event_name="e" * 70_000
    )
    record = request.resource_logs[0].scope_logs[0].log_records[0]
    record.attributes.extend(
        key_values({"": "", "k" * 10_000: "v"} | {f"k{number}": number for number in range(2000)})
    )
    # severity_number 2^31 - 1 and a body that is not UTF-8, which a careless sender can put on the wire.
    record.MergeFromString(b"\x10\xff\xff\xff\xff\x07")
    body = request.SerializeToString().replace(b"x" * 1_000_000, b"\xff\xfe" * 500_000)
    store.insert_otlp(Signal.LOGS, body, unique)
    (row,) = store.query(
        "SELECT length(Body), TraceFlags, SeverityNumber, length(LogAttributes), length(EventName)"
        " FROM logs WHERE ServiceName = {service:String}",
        {"service": unique},
    ).rows
    assert row == (1_000_000, 255, 255, 2002, 70_000)
