"""Providers of our own: OpenTelemetry's SDK, exporting to Livemeter's collector and nowhere else.

They are never made global, so that an application's own set-up works as ever. They take from its
OpenTelemetry variables who it is (``OTEL_SERVICE_NAME``, ``OTEL_RESOURCE_ATTRIBUTES``) and certificates,
but not how it samples, batches and cuts. Exports suppress instrumentation, as the SDK's own do.
"""

import inspect
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider, LogRecordLimits, ReadableLogRecord, ReadWriteLogRecord
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, LogRecordExportResult
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider, UpDownCounter
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    MetricExportResult,
    MetricsData,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

from livemeter import __version__
from livemeter.emit.background import BackgroundCaller
from livemeter.emit.link import CollectorLink, SignalLink, silence
from livemeter.emit.loss import LossCountingExporter
from livemeter.emit.session import CollectorSession, foreign_headers, is_loopback
from livemeter.guard import guarded
from livemeter.settings import Settings

MAX_QUEUED_RECORDS = 8192
"""Events that wait for a collector: about 20 s of 200 busy connections, some 20 MB; the oldest go."""

MAX_QUEUED_SPANS = 2048
MAX_BATCH = 512

EXPORT_TIMEOUT_S = 10
"""Longest time for one export with its retries."""


class _LogExporter(OTLPLogExporter):
    def __init__(self, link: SignalLink, **options: Any) -> None:
        super().__init__(**options)
        self._link = link

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        with self._link:
            result = super().export(batch)
        self._link.told(delivered=result is LogRecordExportResult.SUCCESS)
        return result


class _SpanExporter(OTLPSpanExporter):
    def __init__(self, link: SignalLink, **options: Any) -> None:
        super().__init__(**options)
        self._link = link

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        with self._link:
            result = super().export(spans)
        self._link.told(delivered=result is SpanExportResult.SUCCESS)
        return result


class _MetricExporter(OTLPMetricExporter):
    def __init__(self, link: SignalLink, **options: Any) -> None:
        super().__init__(**options)
        self._link = link
        self._process = os.getpid()

    def export(
        self, metrics_data: MetricsData, timeout_millis: float | None = 10_000, **kwargs: Any
    ) -> MetricExportResult:
        # The copy that a fork leaves in the child holds what the parent counted, and the parent tells that.
        if self._process != os.getpid():
            return MetricExportResult.SUCCESS
        with self._link:
            result = super().export(metrics_data, timeout_millis, **kwargs)  # pyright: ignore[reportUnknownMemberType]
        self._link.told(delivered=result is MetricExportResult.SUCCESS)
        return result


# A full queue is logged for every record that it costs, on the thread of the application.


class _LogProcessor(BatchLogRecordProcessor):
    def __init__(self, link: SignalLink, exporter: LossCountingExporter, **options: Any) -> None:
        super().__init__(exporter, **options)
        self._link = link

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        with self._link:
            super().on_emit(log_record)


class _SpanProcessor(BatchSpanProcessor):
    def __init__(self, link: SignalLink, exporter: _SpanExporter, **options: Any) -> None:
        super().__init__(exporter, **options)
        self._link = link

    def on_end(self, span: ReadableSpan) -> None:
        with self._link:
            super().on_end(span)


@dataclass(slots=True)
class Providers:
    """The three providers and their end. ``new_meter`` makes another one, whose sums begin at zero."""

    logger: LoggerProvider
    tracer: TracerProvider
    meter: MeterProvider
    losses: LossCountingExporter
    link: CollectorLink
    shutdown_timeout_ms: int
    caller: BackgroundCaller
    new_meter: Callable[[Resource], MeterProvider]
    is_shut_down: bool = False

    def begin_anew(self) -> None:
        """Leave to the parent, in a process that was forked from it, what it counted.

        Sums are cumulative: carried on in the child, they would be told by both. And a thread of the parent
        may have held one of their locks. Queues and connections see to themselves.
        """
        self.link.renew()
        self.meter = self.new_meter(self.logger.resource)

    def force_flush(self, timeout_ms: int) -> bool:
        """Export what waits; False after ``shutdown``, over time, or when the collector refused."""
        if self.is_shut_down:
            return False
        flushes = (
            self.logger.force_flush,
            self.losses.force_flush,
            self.tracer.force_flush,
            self.meter.force_flush,
        )
        return self.caller.call(_each(flushes), timeout_ms) and self.link.is_up

    def shutdown(self, timeout_ms: int | None = None) -> bool:
        """Export what waits and stop; later calls do nothing.

        Returns after ``timeout_ms`` (``shutdown_timeout_ms``, if not given) at the latest, whatever the
        collector does, and then False.
        """
        if self.is_shut_down:
            return True
        self.is_shut_down = True
        shutdowns = (self.logger.shutdown, self.tracer.shutdown, self.meter.shutdown)
        limit_ms = self.shutdown_timeout_ms if timeout_ms is None else timeout_ms
        done = self.caller.call(_each(shutdowns), limit_ms)
        self.caller.close()
        return done


def private_providers(settings: Settings) -> Providers:
    """Make providers that export to ``settings.endpoint``.

    Raises:
        SettingsError: the endpoint cannot be used.
    """
    parts = urlsplit(settings.otlp_url("logs"))
    link = CollectorLink(f"{parts.scheme}://{parts.netloc}")
    silence(OTLPLogExporter.__module__, OTLPSpanExporter.__module__, OTLPMetricExporter.__module__)
    resource = Resource.create(
        {"telemetry.distro.name": "livemeter", "telemetry.distro.version": __version__}
    )
    losses = _log_exporter(settings, SignalLink(link, "logs"))

    def new_meter(resource: Resource) -> MeterProvider:
        return _meter_provider(settings, resource, SignalLink(link, "metrics"))

    return Providers(
        _logger_provider(settings, resource, SignalLink(link, "logs"), losses),
        _tracer_provider(settings, resource, SignalLink(link, "traces")),
        new_meter(resource),
        losses,
        link,
        settings.shutdown_timeout_ms,
        BackgroundCaller("livemeter-export"),
        new_meter,
    )


def _log_exporter(settings: Settings, link: SignalLink) -> LossCountingExporter:
    return LossCountingExporter(_LogExporter(link, **exporter_options(settings, "logs", link)))


def _logger_provider(
    settings: Settings, resource: Resource, link: SignalLink, exporter: LossCountingExporter
) -> LoggerProvider:
    processor = _LogProcessor(
        link,
        exporter,
        schedule_delay_millis=settings.export_interval_ms,
        max_export_batch_size=MAX_BATCH,
        max_queue_size=MAX_QUEUED_RECORDS,
    )
    provider = LoggerProvider(resource, shutdown_on_exit=False, **_without_limits())
    provider.add_log_record_processor(processor)
    return provider


def _without_limits() -> dict[str, Any]:
    # Up to 1.44 the SDK's logs have the limits of the environment; what those cut is counted as loss.
    if "log_record_limits" not in inspect.signature(LoggerProvider).parameters:
        return {}
    unset = LogRecordLimits.UNSET
    return {"log_record_limits": LogRecordLimits(unset, unset, unset, unset)}


def _tracer_provider(settings: Settings, resource: Resource, link: SignalLink) -> TracerProvider:
    processor = _SpanProcessor(
        link,
        _SpanExporter(link, **exporter_options(settings, "traces", link)),
        schedule_delay_millis=settings.export_interval_ms,
        max_export_batch_size=MAX_BATCH,
        max_queue_size=MAX_QUEUED_SPANS,
    )
    unset = SpanLimits.UNSET
    limits = SpanLimits(
        max_span_attributes=unset, max_attribute_length=unset, max_span_attribute_length=unset
    )
    provider = TracerProvider(ALWAYS_ON, resource, shutdown_on_exit=False, span_limits=limits)
    provider.add_span_processor(processor)
    return provider


def _meter_provider(settings: Settings, resource: Resource, link: SignalLink) -> MeterProvider:
    temporality: dict[type, AggregationTemporality] = dict.fromkeys(
        (Counter, UpDownCounter, Histogram), AggregationTemporality.CUMULATIVE
    )
    options = exporter_options(settings, "metrics", link)
    reader = PeriodicExportingMetricReader(
        _MetricExporter(link, preferred_temporality=temporality, **options),
        export_interval_millis=settings.metric_interval_ms,
        export_timeout_millis=EXPORT_TIMEOUT_S * 1000,
    )
    return MeterProvider([reader], resource, shutdown_on_exit=False)


def exporter_options(settings: Settings, signal: str, link: SignalLink) -> dict[str, Any]:
    """Return how a signal's exporter reaches the collector."""
    url = settings.otlp_url(signal)
    # Packing what never leaves the machine costs more than it saves.
    stays_here = is_loopback(urlsplit(url).hostname or "")
    unwanted = foreign_headers(settings.endpoint, settings.headers)
    return {
        "endpoint": url,
        "headers": dict(settings.headers),
        "timeout": EXPORT_TIMEOUT_S,
        "compression": Compression.NoCompression if stays_here else Compression.Gzip,
        "session": CollectorSession(url, link, unwanted),
    }


def _each(functions: Sequence[Callable[[], object]]) -> Callable[[], None]:
    def call_each() -> None:
        for function in functions:
            with guarded("export what waited"):
                function()

    return call_each
