"""Fixtures of the emitter's tests: errors of telemetry are errors here, and exports stay in memory."""

from collections.abc import Iterator

import pytest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from livemeter import guard
from livemeter.emit.emitter import Emitter
from livemeter.settings import Settings
from tests.instrumentation.memory import Memory


@pytest.fixture(autouse=True)
def strict_guard() -> Iterator[None]:
    guard.strict(True)
    yield
    guard.strict(False)


@pytest.fixture
def memory() -> Iterator[Memory]:
    """An emitter over the SDK's providers and its in-memory exporters."""
    spans, metrics = InMemorySpanExporter(), InMemoryMetricReader()
    logs = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
    logger_provider = LoggerProvider(shutdown_on_exit=False)
    logger_provider.add_log_record_processor(SimpleLogRecordProcessor(logs))
    tracer_provider = TracerProvider(shutdown_on_exit=False)
    tracer_provider.add_span_processor(SimpleSpanProcessor(spans))
    meter_provider = MeterProvider([metrics], shutdown_on_exit=False)
    emitter = Emitter(logger_provider, tracer_provider, meter_provider, Settings())
    yield Memory(emitter, tracer_provider, logs, spans, metrics)
    meter_provider.shutdown()
