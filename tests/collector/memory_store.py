"""A store in memory, for tests of what lies in front of it: parses OTLP, keeps records once per token."""

import asyncio
import threading
from collections.abc import Callable, Mapping
from typing import cast

from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from livemeter_collector.receive.schema import REQUESTS
from livemeter_collector.store.contract import (
    ByteStream,
    Parameters,
    PoisonError,
    Signal,
    StoreError,
    StoreUnavailableError,
    Table,
)

POISON = "poison"
"""A record with this name is one that the store cannot read, wherever it stands in an insert."""


class MemoryStore:
    """Keeps the names of records (log bodies, span names, metric names) in order of insertion."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.inserts: list[tuple[Signal, str]] = []
        self.tokens: set[str] = set()
        self.failures: list[str] = []
        """What happens to the next calls: "ok", "before" (fails, nothing stored), "after" (fails, stored)."""
        self.gate = threading.Event()
        """Inserts wait here; open unless a test closes it."""
        self.gate.set()
        self.calls = 0
        """Inserts that were begun, those that wait at the gate included."""
        self.closed = False
        self._lock = threading.Lock()

    def insert_otlp(self, signal: Signal, body: bytes, token: str, origin: str = "") -> None:
        self.calls += 1
        self.gate.wait(timeout=30)
        with self._lock:
            if self.closed:
                raise StoreError("the store is closed")
            outcome = self.failures.pop(0) if self.failures else "ok"
            if outcome == "before":
                raise StoreUnavailableError("the store is away")
            self._insert(signal, body, token)
            if outcome == "after":
                raise StoreUnavailableError("the answer was lost")

    def _insert(self, signal: Signal, body: bytes, token: str) -> None:
        names = record_names(signal, body)
        if POISON in names:
            raise PoisonError("a record is poisoned")
        self.inserts.append((signal, token))
        if token not in self.tokens:
            self.tokens.add(token)
            self.names += names

    def command(self, sql: str, parameters: Parameters | None = None) -> None:
        raise StoreError("this store has no SQL")

    def query(self, sql: str, parameters: Parameters | None = None) -> Table:
        raise StoreError("this store has no SQL")

    def stream(
        self,
        sql: str,
        output_format: str,
        parameters: Parameters | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> ByteStream:
        raise StoreError("this store has no SQL")

    def close(self) -> None:
        self.closed = True


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that another thread or process brings about."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - other threads cannot set an asyncio.Event
            await asyncio.sleep(0.005)


def record_names(signal: Signal, body: bytes) -> list[str]:
    """Read the names of all records of one or several concatenated requests."""
    try:
        request = REQUESTS[signal].FromString(body)
    except DecodeError as error:
        raise PoisonError(str(error)) from error
    match signal:
        case Signal.LOGS:
            return _log_names(request)
        case Signal.TRACES:
            return _span_names(request)
        case Signal.METRICS:
            return _metric_names(request)


def _log_names(request: Message) -> list[str]:
    resources = cast(ExportLogsServiceRequest, request).resource_logs
    scopes = (scope for resource in resources for scope in resource.scope_logs)
    return [record.body.string_value for scope in scopes for record in scope.log_records]


def _span_names(request: Message) -> list[str]:
    resources = cast(ExportTraceServiceRequest, request).resource_spans
    scopes = (scope for resource in resources for scope in resource.scope_spans)
    return [span.name for scope in scopes for span in scope.spans]


def _metric_names(request: Message) -> list[str]:
    resources = cast(ExportMetricsServiceRequest, request).resource_metrics
    scopes = (scope for resource in resources for scope in resource.scope_metrics)
    return [metric.name for scope in scopes for metric in scope.metrics]
