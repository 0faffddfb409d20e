import gzip
import json
import math
import sys
import zlib
from collections.abc import Callable

import pytest
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import SeverityNumber

from livemeter_collector.ingest.request import (
    REASON_LIMIT_CHARACTERS,
    MalformedError,
    Request,
    RequestError,
    TooLargeError,
    UnsupportedTypeError,
)
from livemeter_collector.receive.decode import JSON, PROTOBUF, decode
from livemeter_collector.receive.schema import REQUESTS
from livemeter_collector.store.contract import Signal

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

Compress = Callable[[bytes], bytes]


def logs_request(*bodies: str) -> ExportLogsServiceRequest:
    request = ExportLogsServiceRequest()
    scope = request.resource_logs.add().scope_logs.add()
    for body in bodies:
        scope.log_records.add(time_unix_nano=7, trace_id=bytes(16)).body.string_value = body
    return request


def metrics_request() -> ExportMetricsServiceRequest:
    """One metric of each kind, with 1 to 5 data points, and one without any."""
    request = ExportMetricsServiceRequest()
    metrics = request.resource_metrics.add().scope_metrics.add().metrics
    kinds = ("gauge", "sum", "histogram", "exponential_histogram", "summary")
    for count, kind in enumerate(kinds, start=1):
        for _ in range(count):
            getattr(metrics.add() if not _ else metrics[-1], kind).data_points.add(time_unix_nano=1)
    metrics.add(name="nothing measured")
    return request


def test_protobuf_comes_back_untouched_with_its_records_counted() -> None:
    body = logs_request("one", "two").SerializeToString()
    assert decode(Signal.LOGS, PROTOBUF, "", body) == Request(body, 2)


def test_data_points_of_every_kind_of_metric_are_counted() -> None:
    body = metrics_request().SerializeToString()
    assert decode(Signal.METRICS, PROTOBUF, "", body).records == 1 + 2 + 3 + 4 + 5


def test_spans_are_counted_over_all_scopes() -> None:
    request = ExportTraceServiceRequest()
    for _ in range(2):
        for _ in range(3):
            request.resource_spans.add().scope_spans.add().spans.add(name="a")
    assert decode(Signal.TRACES, PROTOBUF, "", request.SerializeToString()).records == 6


@pytest.mark.parametrize("signal", Signal)
def test_an_empty_body_is_an_empty_request(signal: Signal) -> None:
    assert decode(signal, PROTOBUF, "", b"") == Request(b"", 0)
    assert decode(signal, JSON, "", b"{}") == Request(b"", 0)


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [
        ("gzip", gzip.compress),
        ("GZIP", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", lambda data: zlib.compress(data, wbits=-15)),
        ("zstd", zstd.compress),
        ("identity", bytes),
        ("gzip", lambda data: gzip.compress(data[:9]) + gzip.compress(data[9:])),
    ],
)
def test_every_content_encoding_gives_the_same_request(encoding: str, compress: Compress) -> None:
    body = logs_request("one").SerializeToString()
    assert decode(Signal.LOGS, PROTOBUF, encoding, compress(body)) == Request(body, 1)


@pytest.mark.parametrize("compress", [gzip.compress, zlib.compress, zstd.compress])
def test_a_body_that_expands_beyond_the_limit_is_too_large(compress: Compress) -> None:
    encodings: dict[Compress, str] = {
        gzip.compress: "gzip",
        zlib.compress: "deflate",
        zstd.compress: "zstd",
    }
    bomb = compress(bytes(10_000_000))
    assert len(bomb) < 20_000
    with pytest.raises(TooLargeError, match="over 1000 bytes"):
        decode(Signal.LOGS, PROTOBUF, encodings[compress], bomb, limit_bytes=1000)


def test_the_limit_itself_is_still_taken() -> None:
    body = logs_request("x" * 500).SerializeToString()
    assert decode(Signal.LOGS, PROTOBUF, "gzip", gzip.compress(body), limit_bytes=len(body)).records == 1
    with pytest.raises(TooLargeError):
        decode(Signal.LOGS, PROTOBUF, "gzip", gzip.compress(body), limit_bytes=len(body) - 1)
    with pytest.raises(TooLargeError):
        decode(Signal.LOGS, PROTOBUF, "", body, limit_bytes=len(body) - 1)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd"])
def test_compressed_bytes_that_are_cut_short_or_wrong_are_malformed(encoding: str) -> None:
    compressors: dict[str, Compress] = {
        "gzip": gzip.compress,
        "deflate": zlib.compress,
        "zstd": zstd.compress,
    }
    body = compressors[encoding](logs_request("one" * 100).SerializeToString())
    with pytest.raises(MalformedError, match="too early"):
        decode(Signal.LOGS, PROTOBUF, encoding, body[:-3])
    with pytest.raises(MalformedError):
        decode(Signal.LOGS, PROTOBUF, encoding, b"\x01 this is not compressed")
    with pytest.raises(MalformedError):
        decode(Signal.LOGS, PROTOBUF, encoding, body + b"trailing")


def test_thousands_of_empty_gzip_streams_are_refused_rather_than_unpacked() -> None:
    with pytest.raises(MalformedError, match="streams in a row"):
        decode(Signal.LOGS, PROTOBUF, "gzip", gzip.compress(b"") * 1000)


@pytest.mark.parametrize(
    ("content_type", "encoding"),
    [("", ""), ("text/plain", ""), ("application/grpc", ""), (PROTOBUF, "br"), (PROTOBUF, "gzip, gzip")],
)
def test_other_types_and_encodings_are_named_as_unsupported(content_type: str, encoding: str) -> None:
    with pytest.raises(UnsupportedTypeError, match="is not read"):
        decode(Signal.LOGS, content_type, encoding, b"")


def test_a_truncated_protobuf_is_malformed_with_a_reason() -> None:
    body = logs_request("one", "two").SerializeToString()
    with pytest.raises(MalformedError, match="not a protobuf ExportLogsServiceRequest"):
        decode(Signal.LOGS, PROTOBUF, "", body[:-1])


def test_a_nested_value_whose_inside_is_broken_is_malformed() -> None:
    """The fast check does not look inside nested values; the full parse that follows must."""
    request = logs_request("one")
    value = request.resource_logs[0].scope_logs[0].log_records[0].body
    value.array_value.values.add().string_value = "inside"
    body = request.SerializeToString().replace(b"\x06inside", b"\x7finside")
    with pytest.raises(MalformedError):
        decode(Signal.LOGS, PROTOBUF, "", body)


@given(st.sampled_from(Signal), st.binary(max_size=200))
def test_random_bytes_are_judged_as_protobuf_judges_them(signal: Signal, body: bytes) -> None:
    try:
        REQUESTS[signal].FromString(body)
    except DecodeError:
        with pytest.raises(MalformedError):
            decode(signal, PROTOBUF, "", body)
    else:
        decode(signal, PROTOBUF, "", body)


@given(
    st.sampled_from(Signal),
    st.sampled_from([PROTOBUF, JSON]),
    st.sampled_from(["", "gzip", "deflate", "zstd"]),
    st.binary(max_size=200) | st.text(alphabet='{}[]":,1a\\u', max_size=60).map(str.encode),
)
def test_no_bytes_make_decoding_fail_in_another_way(
    signal: Signal, content_type: str, encoding: str, body: bytes
) -> None:
    try:
        reason = str(decode(signal, content_type, encoding, body).records)
    except RequestError as error:
        reason = str(error)
    assert 0 < len(reason) <= REASON_LIMIT_CHARACTERS


def test_otlp_json_is_read_by_its_own_rules() -> None:
    """Hex ids in either case, 64-bit integers as strings or numbers, enum numbers, unknown fields ignored."""
    document = {
        "resourceSpans": [
            {
                "scopeSpans": [
                    {
                        "spans": [
                            {
                                "traceId": "5B8EFFF798038103D269B633813FC60C",
                                "spanId": "eee19b7ec3c1b174",
                                "parentSpanId": "",
                                "name": "a",
                                "kind": 3,
                                "startTimeUnixNano": "1544712660000000000",
                                "endTimeUnixNano": 1544712661000000000,
                                "attributes": [
                                    {"key": "int", "value": {"intValue": "-9223372036854775808"}},
                                    {"key": "bytes", "value": {"bytesValue": "AAEC"}},
                                    {"key": "nan", "value": {"doubleValue": "NaN"}},
                                ],
                                "links": [{"traceId": "5b8efff798038103d269b633813fc60c", "spanId": None}],
                                "newInSomeVersion": {"deep": [1, 2]},
                                "dropped_attributes_count": 9,
                            }
                        ]
                    }
                ]
            }
        ]
    }
    request = decode(Signal.TRACES, "application/json; charset=utf-8", "", json.dumps(document).encode())
    message = ExportTraceServiceRequest.FromString(request.body)
    (span,) = message.resource_spans[0].scope_spans[0].spans
    assert request.records == 1
    assert span.trace_id == span.links[0].trace_id == bytes.fromhex("5b8efff798038103d269b633813fc60c")
    assert span.span_id == bytes.fromhex("eee19b7ec3c1b174")
    assert span.parent_span_id == b""
    assert (span.kind, span.start_time_unix_nano, span.end_time_unix_nano) == (
        3,
        1544712660000000000,
        1544712661000000000,
    )
    assert span.attributes[0].value.int_value == -(2**63)
    assert span.attributes[1].value.bytes_value == b"\x00\x01\x02"
    assert span.attributes[2].value.string_value == "NaN"
    assert span.dropped_attributes_count == 0, "snake case is not a name of OTLP's JSON"


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"traceId": "xyz"}, r"logRecords\[0\].traceId is not a hexadecimal string"),
        ({"spanId": "abc"}, "spanId is not a hexadecimal string"),
        ({"traceId": "5b 8e"}, "traceId is not a hexadecimal string"),
        ({"traceId": 5}, "traceId is not a hexadecimal string"),
        ({"timeUnixNano": "soon"}, "timeUnixNano"),
        ({"timeUnixNano": -1}, "timeUnixNano"),
        ({"timeUnixNano": 1.5}, "timeUnixNano"),
        ({"severityNumber": "LOUD"}, "LOUD"),
        ({"body": {"stringValue": "a", "intValue": 1}}, "oneof"),
        ({"body": {"bytesValue": "a"}}, "bytesValue"),
        ({"body": "text"}, r"body is not an object"),
        ({"attributes": {"key": "a"}}, "attributes is not an array"),
        ({"severityText": "\ud800"}, "surrogate"),
        ("text", r"logRecords\[0\] is not an object"),
    ],
)
def test_json_of_the_wrong_form_is_malformed_and_names_the_place(record: object, reason: str) -> None:
    document = {"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}
    with pytest.raises(MalformedError, match=reason):
        decode(Signal.LOGS, JSON, "", json.dumps(document).encode())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"[]",
        b"null",
        b"\xff\xfe{}",
        b'{"resourceLogs": NaN}',
        b"[" * 100_000,
        b'{"resourceLogs": 1' + b"0" * 5000 + b"}",
        b'{"resourceLogs":[{"resource":{"attributes":[{"value":'
        + b'{"arrayValue":{"values":[' * 3000
        + b"]}}" * 3000
        + b"}]}}]}",
    ],
)
def test_what_is_not_a_json_object_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedError):
        decode(Signal.LOGS, JSON, "", body)


@given(st.data())
def test_json_and_protobuf_of_the_same_request_decode_to_the_same_bytes(data: st.DataObject) -> None:
    numbers = st.floats().filter(lambda number: not math.isnan(number))
    request = logs_request("body")
    record = request.resource_logs[0].scope_logs[0].log_records[0]
    record.trace_id = data.draw(st.binary(max_size=16))
    record.span_id = data.draw(st.binary(max_size=8))
    record.time_unix_nano = data.draw(st.integers(0, 2**64 - 1))
    record.severity_number = SeverityNumber.ValueType(data.draw(st.integers(0, 24)))
    record.attributes.add(key=data.draw(st.text())).value.double_value = data.draw(numbers)
    record.attributes.add(key="b").value.bytes_value = data.draw(st.binary())
    document = MessageToDict(request, use_integers_for_enums=True)
    (document_record,) = document["resourceLogs"][0]["scopeLogs"][0]["logRecords"]
    for name, value in (("traceId", record.trace_id), ("spanId", record.span_id)):
        if value:
            document_record[name] = value.hex().upper()
    as_json = decode(Signal.LOGS, JSON, "", json.dumps(document).encode())
    assert as_json == decode(Signal.LOGS, PROTOBUF, "", request.SerializeToString())
