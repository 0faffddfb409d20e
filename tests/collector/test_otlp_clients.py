"""OpenTelemetry's own exporters as clients: what the SDK was told is what arrives, on every way in.

One small application uses every instrument, a span with events and links, and log records of every kind of
value. What must arrive is written down by hand, apart from what the SDK makes by itself (ids, clocks).
"""

import asyncio
import importlib
import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import grpc
import pytest
from opentelemetry._logs import SeverityNumber
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogExporter
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpanExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import AGGREGATION_TEMPORALITY_CUMULATIVE, Metric
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import LogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricExporter, PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Link, SpanKind, Status, StatusCode

from livemeter_collector.access import Access
from livemeter_collector.receive.http import create_otlp_app
from livemeter_collector.store.contract import Signal
from tests.collector.doors import TOKEN, Recorder, grpc_door, http_door

SERVICE = Resource({"service.name": "app", "service.version": "1.2"})
BEARER = {"authorization": f"Bearer {TOKEN}"}
JSON_EXPORTERS = "opentelemetry.exporter.otlp.json.http"


@dataclass(frozen=True)
class Exporters:
    """The three exporters of one transport."""

    spans: SpanExporter
    logs: LogRecordExporter
    metrics: MetricExporter


Make = Callable[[int], Exporters]


def over_http(compression: Compression) -> Make:
    def make(port: int) -> Exporters:
        url = f"http://127.0.0.1:{port}/v1"
        return Exporters(
            OTLPSpanExporter(f"{url}/traces", headers=BEARER, compression=compression),
            OTLPLogExporter(f"{url}/logs", headers=BEARER, compression=compression),
            OTLPMetricExporter(f"{url}/metrics", headers=BEARER, compression=compression),
        )

    return make


def over_grpc(compression: grpc.Compression) -> Make:
    def make(port: int) -> Exporters:
        url = f"http://127.0.0.1:{port}"
        return Exporters(
            GrpcSpanExporter(url, headers=BEARER, compression=compression),
            GrpcLogExporter(url, headers=BEARER, compression=compression),
            GrpcMetricExporter(url, headers=BEARER, compression=compression),
        )

    return make


def over_json(compression: str) -> Make:
    def make(port: int) -> Exporters:
        url = f"http://127.0.0.1:{port}/v1"
        made = [
            getattr(importlib.import_module(f"{JSON_EXPORTERS}.{module}"), name)(
                f"{url}/{path}", headers=BEARER, compression=_json_compression(compression)
            )
            for module, name, path in (
                ("trace_exporter", "OTLPSpanExporter", "traces"),
                ("_log_exporter", "OTLPLogExporter", "logs"),
                ("metric_exporter", "OTLPMetricExporter", "metrics"),
            )
        ]
        return Exporters(*made)

    return make


def _json_compression(name: str) -> object:
    return importlib.import_module("opentelemetry.exporter.otlp.common.http").Compression(name)


def run_application(exporters: Exporters) -> None:
    _trace(exporters.spans)
    _log(exporters.logs)
    _measure(exporters.metrics)


def _trace(exporter: SpanExporter) -> None:
    provider = TracerProvider(resource=SERVICE, shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("a.scope", "3.4", attributes={"scope": True})
    with tracer.start_as_current_span(
        "outer", kind=SpanKind.CLIENT, start_time=1_000, end_on_exit=False
    ) as outer:
        link = Link(outer.get_span_context(), {"why": "test"})
        inner = tracer.start_span("inner", links=[link], start_time=2_000)
        inner.add_event("an event", {"n": 1}, timestamp=2_500)
        inner.set_status(Status(StatusCode.ERROR, "it broke"))
        inner.set_attributes({"s": "é", "i": -(2**63), "f": 0.5, "b": False, "many": ["x", "y"]})
        inner.end(3_000)
        outer.end(4_000)
    provider.shutdown()


def _log(exporter: LogRecordExporter) -> None:
    provider = LoggerProvider(SERVICE, shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    logger = provider.get_logger("a.scope")
    bodies: list[Any] = ["text", 7, 1.5, True, b"\x00\xff", ["a", 1], {"k": {"deep": [None, 2]}}, None]
    for number, body in enumerate(bodies):
        logger.emit(
            timestamp=1_700_000_000_123_456_789 + number,
            observed_timestamp=5,
            severity_number=SeverityNumber.WARN,
            severity_text="WARN",
            body=body,
            attributes={"number": number},
            event_name="an.event",
        )
    provider.shutdown()


def _measure(exporter: MetricExporter) -> None:
    reader = PeriodicExportingMetricReader(exporter)
    exponential = View(instrument_name="exponential", aggregation=ExponentialBucketHistogramAggregation())
    provider = MeterProvider([reader], SERVICE, shutdown_on_exit=False, views=[exponential])
    meter = provider.get_meter("a.scope")
    meter.create_counter("counter", "1", "counts").add(3, {"k": "v"})
    meter.create_up_down_counter("up_down").add(-2)
    meter.create_gauge("gauge").set(2.5)
    histogram = meter.create_histogram("histogram", explicit_bucket_boundaries_advisory=[1, 10])
    for value in (0.5, 5, 50):
        histogram.record(value)
    meter.create_histogram("exponential").record(4)
    meter.create_observable_counter("seen", [_observe(11)])
    meter.create_observable_gauge("level", [_observe(0.25)])
    meter.create_observable_up_down_counter("depth", [_observe(-1)])
    provider.shutdown()


def _observe(value: float) -> Callable[[CallbackOptions], list[Observation]]:
    return lambda _: [Observation(value)]


WAYS = [
    pytest.param(over_grpc(grpc.Compression.NoCompression), id="grpc"),
    pytest.param(over_grpc(grpc.Compression.Gzip), id="grpc-gzip"),
    pytest.param(over_grpc(grpc.Compression.Deflate), id="grpc-deflate"),
    pytest.param(over_http(Compression.NoCompression), id="http"),
    pytest.param(over_http(Compression.Gzip), id="http-gzip"),
    pytest.param(over_http(Compression.Deflate), id="http-deflate"),
    *(
        pytest.param(
            over_json(compression),
            id=f"json-{compression}",
            marks=pytest.mark.skipif(
                importlib.util.find_spec("opentelemetry.exporter.otlp.json") is None,
                reason="OTLP/JSON has no real client here: make test-otlp-json",
            ),
        )
        for compression in ("none", "gzip", "deflate")
    ),
]


@pytest.mark.parametrize("make", WAYS)
async def test_everything_arrives_as_it_was_said(make: Make, request: pytest.FixtureRequest) -> None:
    recorder = Recorder()
    access = Access(token=TOKEN)
    if "grpc" in request.node.name:
        async with grpc_door(recorder, access=access) as port:
            await asyncio.to_thread(lambda: run_application(make(port)))
    else:
        async with http_door(create_otlp_app(recorder, access=access)) as door:
            await asyncio.to_thread(lambda: run_application(make(door.port)))
    assert recorder.malformed == []
    check_spans(ExportTraceServiceRequest.FromString(recorder.body(Signal.TRACES)))
    check_logs(ExportLogsServiceRequest.FromString(recorder.body(Signal.LOGS)))
    check_metrics(ExportMetricsServiceRequest.FromString(recorder.body(Signal.METRICS)))


def check_spans(request: ExportTraceServiceRequest) -> None:
    inner, outer = (resource.scope_spans[0].spans[0] for resource in request.resource_spans)
    assert values(request.resource_spans[0].resource.attributes) == SERVICE.attributes
    scope = request.resource_spans[0].scope_spans[0].scope
    assert (scope.name, scope.version, values(scope.attributes)) == ("a.scope", "3.4", {"scope": True})
    assert (outer.name, outer.kind, outer.start_time_unix_nano, outer.end_time_unix_nano) == (
        "outer",
        3,
        1_000,
        4_000,
    )
    assert (inner.name, inner.trace_id, inner.parent_span_id) == ("inner", outer.trace_id, outer.span_id)
    assert (len(inner.trace_id), len(inner.span_id), outer.parent_span_id) == (16, 8, b"")
    assert (inner.status.code, inner.status.message) == (2, "it broke")
    # Nested values are stored as the text that clickhouseexporter writes.
    expected = {"s": "é", "i": -(2**63), "f": 0.5, "b": False, "many": '["x","y"]'}
    assert values(inner.attributes) == expected
    [event], [link] = inner.events, inner.links
    assert (event.name, event.time_unix_nano, values(event.attributes)) == ("an event", 2_500, {"n": 1})
    assert (link.span_id, values(link.attributes)) == (outer.span_id, {"why": "test"})


def check_logs(request: ExportLogsServiceRequest) -> None:
    records = [resource.scope_logs[0].log_records[0] for resource in request.resource_logs]
    bodies = ["text", 7, 1.5, True, b"\x00\xff", '["a",1]', '{"k":{"deep":[null,2]}}', None]
    assert [value(record.body) for record in records] == bodies
    for number, record in enumerate(records):
        assert record.time_unix_nano == 1_700_000_000_123_456_789 + number
        assert (record.observed_time_unix_nano, record.severity_number, record.severity_text) == (
            5,
            13,
            "WARN",
        )
        assert (values(record.attributes), record.event_name) == ({"number": number}, "an.event")


def check_metrics(request: ExportMetricsServiceRequest) -> None:
    metrics = {metric.name: metric for metric in request.resource_metrics[0].scope_metrics[0].metrics}
    assert {name: summary(metric) for name, metric in metrics.items()} == {
        "counter": ("sum", True, 3),
        "up_down": ("sum", False, -2),
        "gauge": ("gauge", None, 2.5),
        "histogram": ("histogram", None, ([1.0, 10.0], [1, 1, 1], 55.5, 0.5, 50.0)),
        "exponential": ("exponential_histogram", None, (1, 4.0, 1)),
        "seen": ("sum", True, 11),
        "level": ("gauge", None, 0.25),
        "depth": ("sum", False, -1),
    }
    counter = metrics["counter"]
    assert (counter.unit, counter.description) == ("1", "counts")
    assert counter.sum.aggregation_temporality == AGGREGATION_TEMPORALITY_CUMULATIVE
    assert values(counter.sum.data_points[0].attributes) == {"k": "v"}


def summary(metric: Metric) -> tuple[str | None, bool | None, object]:
    kind = metric.WhichOneof("data")
    [point] = getattr(metric, cast("str", kind)).data_points
    if kind == "histogram":
        sizes = list(point.bucket_counts)
        return kind, None, (list(point.explicit_bounds), sizes, point.sum, point.min, point.max)
    if kind == "exponential_histogram":
        return kind, None, (point.count, point.sum, sum(point.positive.bucket_counts))
    number = point.as_int if point.WhichOneof("value") == "as_int" else point.as_double
    return kind, metric.sum.is_monotonic if kind == "sum" else None, number


def values(pairs: Any) -> Mapping[str, object]:
    return {pair.key: value(pair.value) for pair in cast("list[KeyValue]", pairs)}


def value(any_value: AnyValue) -> object:
    arm = any_value.WhichOneof("value")
    return None if arm is None else getattr(any_value, arm)


class _Outcomes(SpanExporter):
    """Passes spans on and remembers what came of it."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self.results: list[SpanExportResult] = []

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.results.append(self._exporter.export(spans))
        return self.results[-1]

    def shutdown(self) -> None:
        self._exporter.shutdown()


@pytest.mark.parametrize("make", WAYS)
async def test_exporters_without_the_token_fail_at_once(
    make: Make, request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture
) -> None:
    """It is final for them, so an application that is set up wrongly is not slowed down by it."""
    recorder = Recorder()
    access = Access(token=f"{TOKEN}-another")

    def run(port: int) -> list[SpanExportResult]:
        outcomes = _Outcomes(make(port).spans)
        _trace(outcomes)
        return outcomes.results

    if "grpc" in request.node.name:
        async with grpc_door(recorder, access=access) as port:
            results = await asyncio.to_thread(run, port)
    else:
        async with http_door(create_otlp_app(recorder, access=access)) as door:
            results = await asyncio.to_thread(run, door.port)
            assert door.server.server_state.total_requests == 2
    assert results == [SpanExportResult.FAILURE] * 2
    assert recorder.calls == 0
    assert TOKEN not in caplog.text
