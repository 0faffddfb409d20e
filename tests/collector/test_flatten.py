import base64
import json
import math
from decimal import Decimal
from typing import Protocol

import pytest
from google.protobuf.internal.containers import RepeatedCompositeFieldContainer
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList

from livemeter_collector.receive.decode import PROTOBUF, decode
from livemeter_collector.receive.flatten import as_string, flatten, may_need_flattening
from livemeter_collector.receive.schema import PROBES
from livemeter_collector.store.contract import Signal

NESTED = AnyValue(array_value=ArrayValue(values=[AnyValue(int_value=1), AnyValue(string_value="two")]))
NESTED_TEXT = '[1,"two"]'


def value_of(content: object) -> AnyValue:
    """Build the ``AnyValue`` of a Python value."""
    if isinstance(content, list):
        return AnyValue(array_value=ArrayValue(values=[value_of(element) for element in content]))
    if isinstance(content, dict):
        pairs = [KeyValue(key=key, value=value_of(element)) for key, element in content.items()]
        return AnyValue(kvlist_value=KeyValueList(values=pairs))
    if content is None:
        return AnyValue()
    arms: dict[type[object], str] = {
        bool: "bool",
        int: "int",
        float: "double",
        str: "string",
        bytes: "bytes",
    }
    value = AnyValue()
    setattr(value, f"{arms[type(content)]}_value", content)
    return value


@pytest.mark.parametrize(
    ("content", "text"),
    [
        # From the tests of pcommon.Value.AsString, and from what Go's encoding/json is documented to do.
        ([], "[]"),
        ({}, "{}"),
        ([None, True, False, -1, "a"], '[null,true,false,-1,"a"]'),
        ({"b": 1, "a": {"d": [], "c": {}}}, '{"a":{"c":{},"d":[]},"b":1}'),
        ({"key": '<a href="x">&y</a>'}, '{"key":"<a href=\\"x\\">&y</a>"}'),
        ([b"String bytes", b""], '["U3RyaW5nIGJ5dGVz",null]'),
        (['\\ "\n\r\t\b\f\x00\x1f\x7f/'], '["\\\\ \\"\\n\\r\\t\\b\\f\\u0000\\u001f\x7f/"]'),
        (["line\u2028paragraph\u2029é🎙"], '["line\\u2028paragraph\\u2029é🎙"]'),
        ([2**63 - 1, -(2**63)], "[9223372036854775807,-9223372036854775808]"),
        ([1.0, -0.0, 0.1, 1e20, 1e-6], "[1,-0,0.1,100000000000000000000,0.000001]"),
        ([1e21, 1.5e300, 1e-7, 2.5e-10, 5e-324], "[1e+21,1.5e+300,1e-7,2.5e-10,5e-324]"),
        ([123456789012345680.0, 1e16, 3.0e-5], "[123456789012345680,10000000000000000,0.00003]"),
        ([math.nan], ""),
        ({"a": [math.inf]}, ""),
        (math.nan, "NaN"),
        (math.inf, "Infinity"),
        (-math.inf, "-Infinity"),
    ],
)
def test_values_are_written_as_the_exporter_writes_them(content: object, text: str) -> None:
    assert as_string(value_of(content)) == text


def test_of_equal_keys_the_last_stays_as_in_a_go_map() -> None:
    pairs = [KeyValue(key="a", value=AnyValue(int_value=number)) for number in (1, 2)]
    assert as_string(AnyValue(kvlist_value=KeyValueList(values=pairs))) == '{"a":2}'


scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.binary(min_size=1)
)
contents = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=10
)


def plain(content: object) -> object:
    """Say what a JSON reader should see: bytes as base64, a large whole double as its shortest digits."""
    match content:
        case float() if content.is_integer() and abs(content) < 1e21:
            return int(Decimal(repr(content)))
        case bytes():
            return base64.b64encode(content).decode()
        case list():
            return [plain(element) for element in content]
        case dict():
            return {key: plain(element) for key, element in content.items()}
    return content


@given(st.lists(contents) | st.dictionaries(st.text(), contents))
def test_any_nested_value_reads_back_as_itself_with_sorted_keys(content: object) -> None:
    text = as_string(value_of(content))
    assert json.loads(text) == plain(content)
    for members in _objects(json.loads(text, object_pairs_hook=_Pairs)):
        keys = [key.encode() for key, _ in members]
        assert keys == sorted(keys)


class _Pairs(list[tuple[str, object]]):
    """A JSON object as its pairs in order."""


def _objects(content: object) -> list[_Pairs]:
    if isinstance(content, _Pairs):
        return [content, *(found for _, element in content for found in _objects(element))]
    if isinstance(content, list):
        return [found for element in content for found in _objects(element)]
    return []


class _Holder(Protocol):
    """A message that has attributes."""

    @property
    def attributes(self) -> RepeatedCompositeFieldContainer[KeyValue]: ...


def _attribute(message: _Holder) -> AnyValue:
    return message.attributes.add(key="k").value


def logs_with_values() -> tuple[ExportLogsServiceRequest, list[AnyValue]]:
    request = ExportLogsServiceRequest()
    resource = request.resource_logs.add()
    scope = resource.scope_logs.add()
    record = scope.log_records.add()
    return request, [
        _attribute(resource.resource),
        _attribute(scope.scope),
        _attribute(record),
        record.body,
    ]


def traces_with_values() -> tuple[ExportTraceServiceRequest, list[AnyValue]]:
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    scope = resource.scope_spans.add()
    span = scope.spans.add()
    holders: list[_Holder] = [resource.resource, scope.scope, span, span.events.add(), span.links.add()]
    return request, [_attribute(holder) for holder in holders]


def metrics_with_values() -> tuple[ExportMetricsServiceRequest, list[AnyValue]]:
    request = ExportMetricsServiceRequest()
    resource = request.resource_metrics.add()
    scope = resource.scope_metrics.add()
    values = [_attribute(resource.resource), _attribute(scope.scope)]
    for kind in ("gauge", "sum", "histogram", "exponential_histogram", "summary"):
        metric = scope.metrics.add()
        values.append(metric.metadata.add(key="m").value)
        point = getattr(metric, kind).data_points.add()
        values.append(_attribute(point))
        if kind != "summary":
            values.append(point.exemplars.add().filtered_attributes.add(key="e").value)
    return request, values


REQUESTS_WITH_VALUES = {
    Signal.LOGS: logs_with_values,
    Signal.TRACES: traces_with_values,
    Signal.METRICS: metrics_with_values,
}


@pytest.mark.parametrize("signal", Signal)
def test_a_nested_value_is_found_and_replaced_wherever_a_value_can_stand(signal: Signal) -> None:
    _, places = REQUESTS_WITH_VALUES[signal]()
    for index in range(len(places)):
        request, values = REQUESTS_WITH_VALUES[signal]()
        expected, expected_values = REQUESTS_WITH_VALUES[signal]()
        for value in values:
            value.string_value = "untouched"
        for value in expected_values:
            value.string_value = "untouched"
        values[index].CopyFrom(NESTED)
        expected_values[index].string_value = NESTED_TEXT
        flat = decode(signal, PROTOBUF, "", request.SerializeToString()).body
        assert type(request).FromString(flat) == expected


@pytest.mark.parametrize("signal", Signal)
def test_non_finite_numbers_become_their_names_wherever_they_stand(signal: Signal) -> None:
    names = {math.inf: "Infinity", -math.inf: "-Infinity", math.nan: "NaN", -math.nan: "NaN"}
    for number, name in names.items():
        request, values = REQUESTS_WITH_VALUES[signal]()
        for value in values:
            value.double_value = number
        flat = decode(signal, PROTOBUF, "", request.SerializeToString()).body
        expected, expected_values = REQUESTS_WITH_VALUES[signal]()
        for value in expected_values:
            value.string_value = name
        assert type(request).FromString(flat) == expected


@given(contents)
def test_the_fast_check_never_misses_what_the_slow_one_would_change(content: object) -> None:
    request, values = logs_with_values()
    for value in values:
        value.CopyFrom(value_of(content))
    body = request.SerializeToString()
    flat = flatten(Signal.LOGS, body)
    if isinstance(content, (list, dict)):
        assert flat != body
    else:
        assert flat is body, "nothing nested: the very same bytes"
    if flat is not body:
        assert may_need_flattening(PROBES[Signal.LOGS].FromString(body), body)
    assert (
        not may_need_flattening(PROBES[Signal.LOGS].FromString(flat), flat)
        or flatten(Signal.LOGS, flat) is flat
    )


@given(st.floats())
def test_every_non_finite_double_is_noticed(number: float) -> None:
    request, values = logs_with_values()
    values[0].double_value = number
    body = request.SerializeToString()
    noticed = may_need_flattening(PROBES[Signal.LOGS].FromString(body), body)
    assert noticed or math.isfinite(number)
    assert (flatten(Signal.LOGS, body) is body) == math.isfinite(number)


def test_unknown_fields_survive_the_rewriting() -> None:
    request, values = logs_with_values()
    values[0].CopyFrom(NESTED)
    unknown = bytes.fromhex("a23f03616263")
    flat = flatten(Signal.LOGS, request.SerializeToString() + unknown)
    assert unknown in flat
