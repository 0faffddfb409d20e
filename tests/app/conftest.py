"""An application under observation whose log records stay in memory."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from opentelemetry._logs import LogRecord
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider

import livemeter
from livemeter import guard
from livemeter.settings import Settings
from livemeter.vocabulary import Event
from tests.hooks.conftest import client_of

__all__ = ["client_of"]


@dataclass
class Told:
    """What left the application."""

    exporter: InMemoryLogRecordExporter

    @property
    def records(self) -> list[LogRecord]:
        return [exported.log_record for exported in self.exporter.get_finished_logs()]

    def of(self, event: Event) -> list[Mapping[str, Any]]:
        """The attributes of every event of one name."""
        return [dict(record.attributes or {}) for record in self.records if record.event_name == event]


@pytest.fixture
def told() -> Iterator[Told]:
    exporter = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
    logger_provider = LoggerProvider(shutdown_on_exit=False)
    logger_provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    livemeter.instrument(
        logger_provider=logger_provider,
        tracer_provider=TracerProvider(shutdown_on_exit=False),
        meter_provider=MeterProvider(shutdown_on_exit=False),
        settings=Settings(frames_interval_ms=50),
    )
    guard.strict(True)
    yield Told(exporter)
    guard.strict(False)
    livemeter.uninstrument()
    logger_provider.shutdown()
