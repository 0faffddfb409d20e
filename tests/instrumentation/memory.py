"""What an emitter exported, read back from the SDK's in-memory exporters."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from opentelemetry._logs import LogRecord
from opentelemetry.context import Context
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from livemeter.emit.emitter import ConnectionEmitter, Emitter
from livemeter.observer.facts import Endpoint, Fact
from tests.instrumentation.examples import CONNECTION_ID, IDENTITY, OPENED_NS, VERTEX


@dataclass(frozen=True, slots=True)
class Memory:
    emitter: Emitter
    tracer_provider: TracerProvider
    log_exporter: InMemoryLogRecordExporter
    span_exporter: InMemorySpanExporter
    metric_reader: InMemoryMetricReader

    def connection(
        self, endpoint: Endpoint = VERTEX, parent: Context | None = None, connection_id: str = CONNECTION_ID
    ) -> ConnectionEmitter:
        parent = Context() if parent is None else parent
        return self.emitter.connection(connection_id, endpoint, parent, opened_at_ns=OPENED_NS)

    def emit(self, facts: Iterable[Fact]) -> None:
        """Emit facts of one connection to Vertex AI."""
        self.connection().emit(IDENTITY, facts)

    @property
    def records(self) -> list[LogRecord]:
        return [exported.log_record for exported in self.log_exporter.get_finished_logs()]

    @property
    def spans(self) -> list[ReadableSpan]:
        return list(self.span_exporter.get_finished_spans())

    def span(self, name: str) -> ReadableSpan:
        [span] = [span for span in self.spans if span.name == name]
        return span

    def points(self, metric_name: str) -> list[tuple[Mapping[str, Any], Any]]:
        """The points of a metric as (attributes, point)."""
        data = self.metric_reader.get_metrics_data()
        if data is None:
            return []
        return [
            (dict(point.attributes or {}), point)
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == metric_name
            for point in metric.data.data_points
        ]

    def sums(self, metric_name: str) -> dict[tuple[tuple[str, Any], ...], int]:
        """The sums of a counter by its attributes, sorted."""
        return {
            tuple(sorted(attributes.items())): point.value for attributes, point in self.points(metric_name)
        }
