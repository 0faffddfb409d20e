"""A collector that keeps what it gets, or refuses, hangs, drips or dies; over real sockets."""

import gzip
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

DRIP_INTERVAL_S = 1.0


@dataclass(frozen=True, slots=True)
class Request:
    path: str
    headers: dict[str, str]
    body: bytes
    connection: tuple[str, int]

    @property
    def unpacked(self) -> bytes:
        return gzip.decompress(self.body) if "content-encoding" in self.headers else self.body


class OtlpServer:
    """``status`` and ``headers`` are what every request is answered.

    ``hold`` keeps answers back until ``released`` is set; ``drips`` sends them a byte a second; while
    ``is_dead`` nobody answers, and ``stop`` closes the door as well. ``accepted`` are the requests that were
    answered 200: whatever else came belongs to the client.
    """

    def __init__(self) -> None:
        self.status = 200
        self.headers: dict[str, str] = {}
        self.drips = False
        self.is_dead = False
        self.requests: list[Request] = []
        self.accepted: list[Request] = []
        self.arrived = threading.Semaphore(0)
        self.released = threading.Event()
        self.released.set()
        self._calmed = threading.Event()
        self._handler = _handler_of(self)
        self._listen(0)
        self.port: int = self._server.server_address[1]
        self.endpoint = f"http://127.0.0.1:{self.port}"

    @contextmanager
    def running(self) -> Generator["OtlpServer"]:
        self._serve()
        try:
            yield self
        finally:
            self.released.set()
            self.stop()

    def stop(self) -> None:
        """Go away: refuse connections, and close those that are open when they ask for something."""
        self.is_dead = True
        self._calmed.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def start_again(self) -> None:
        """Come back at the same address."""
        self._listen(self.port)
        self.is_dead = False
        self._calmed.clear()
        self._serve()

    def hold(self) -> None:
        self.released.clear()

    def calm(self) -> None:
        """Refuse for good, at once, whatever waits or comes."""
        self.status, self.headers, self.drips = 400, {}, False
        self._calmed.set()
        self.released.set()

    def answer(self, request: BaseHTTPRequestHandler, received: Request) -> None:
        self.requests.append(received)
        self.arrived.release()
        self.released.wait()
        if self.is_dead:
            request.close_connection = True
            return
        if self.status == 200:
            self.accepted.append(received)
        head = [f"HTTP/1.1 {self.status} told", *(f"{name}: {value}" for name, value in self.headers.items())]
        answer = "\r\n".join([*head, "content-length: 0", "", ""]).encode()
        size = 1 if self.drips else len(answer)
        for start in range(0, len(answer), size):
            request.wfile.write(answer[start : start + size])
            if self.drips and self._calmed.wait(DRIP_INTERVAL_S):
                request.close_connection = True
                return

    def wait_for_request(self) -> None:
        assert self.arrived.acquire(timeout=30)

    def _listen(self, port: int) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", port), self._handler)
        self._server.daemon_threads = True

    def _serve(self) -> None:
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    # What was accepted.

    def bodies(self, path: str) -> list[bytes]:
        return [request.unpacked for request in self.accepted if request.path == path]

    @property
    def log_records(self) -> list[LogRecord]:
        return [record for _, record in self._logs()]

    @property
    def resources(self) -> list[dict[str, str]]:
        return [
            {pair.key: pair.value.string_value for pair in resource.attributes}
            for resource, _ in self._logs()
        ]

    def _logs(self) -> Iterator[tuple[Resource, LogRecord]]:
        for body in self.bodies("/v1/logs"):
            for resource in ExportLogsServiceRequest.FromString(body).resource_logs:
                for scope in resource.scope_logs:
                    for record in scope.log_records:
                        yield resource.resource, record

    @property
    def spans(self) -> list[Span]:
        return [
            span
            for body in self.bodies("/v1/traces")
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    @property
    def span_names(self) -> list[str]:
        return [span.name for span in self.spans]

    @property
    def metrics(self) -> list[Metric]:
        return [
            metric
            for body in self.bodies("/v1/metrics")
            for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        ]

    @property
    def metric_names(self) -> set[str]:
        return {metric.name for metric in self.metrics}


def attributes_of(record: LogRecord | Span) -> dict[str, str | int | float | bool]:
    return {pair.key: _scalar(pair.value) for pair in record.attributes}


def _scalar(value: AnyValue) -> str | int | float | bool:
    kind = value.WhichOneof("value")
    scalar: str | int | float | bool = getattr(value, kind) if kind else ""
    return scalar


def _handler_of(server: OtlpServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            server.answer(self, Request(self.path, headers, body, self.client_address))

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's word
            pass

    return Handler
