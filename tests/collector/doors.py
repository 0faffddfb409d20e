"""The collector's real doors on real ports, in front of an acceptor that only remembers."""

import asyncio
import http.client
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from starlette.types import ASGIApp

from livemeter_collector.access import Access
from livemeter_collector.ingest.request import Request, RequestError
from livemeter_collector.listen import HttpLimits, HttpServer, bind, port_of
from livemeter_collector.receive.grpc import GrpcLimits, create_otlp_server, open_port
from livemeter_collector.store.contract import Signal
from tests.collector.memory_store import record_names

LIMIT_BYTES = 100_000
TOKEN = "a-token-for-tests-0123456789"


class Recorder:
    """Takes every request, unless a test says what it answers next."""

    def __init__(self) -> None:
        self.taken: list[tuple[Signal, Request]] = []
        self.malformed: list[tuple[Signal, int]] = []
        self.answers: list[RequestError] = []
        """Raised by the next calls, in order."""
        self.calls = 0
        self.gate = asyncio.Event()
        """Requests wait here; open unless a test closes it."""
        self.gate.set()

    async def submit(self, signal: Signal, request: Request, *, again: bool = False) -> None:
        self.calls += 1
        await self.gate.wait()
        if self.answers:
            raise self.answers.pop(0)
        self.taken.append((signal, request))

    def count_malformed(self, signal: Signal, size_bytes: int) -> None:
        self.malformed.append((signal, size_bytes))

    @property
    def names(self) -> list[str]:
        return [name for signal, request in self.taken for name in record_names(signal, request.body)]

    @property
    def logs(self) -> ExportLogsServiceRequest:
        """All log requests as one: that is what concatenated messages are."""
        return ExportLogsServiceRequest.FromString(self.body(Signal.LOGS))

    def body(self, signal: Signal) -> bytes:
        return b"".join(request.body for taken, request in self.taken if taken is signal)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class HttpDoor:
    """A plain HTTP client for a server on a port of this machine."""

    port: int
    server: HttpServer
    tls: ssl.SSLContext | None = field(default=None)

    async def post(self, path: str, body: bytes, method: str = "POST", **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await asyncio.to_thread(self.send, path, body, method, named)

    def send(self, path: str, body: bytes | None, method: str, headers: Mapping[str, str]) -> Answer:
        if self.tls is None:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        else:
            connection = http.client.HTTPSConnection("localhost", self.port, timeout=20, context=self.tls)
        try:
            connection.request(method, path, body, dict(headers))
            response = connection.getresponse()
            answered = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, answered, response.read())
        finally:
            connection.close()


@asynccontextmanager
async def http_door(
    app: ASGIApp,
    limits: HttpLimits | None = None,
    tls: ssl.SSLContext | None = None,
    client_tls: ssl.SSLContext | None = None,
) -> AsyncIterator[HttpDoor]:
    """Serve an app as the service does."""
    listener = bind("127.0.0.1", 0, "--port")
    port = port_of(listener)
    server = HttpServer(app, listener, 1, limits or HttpLimits(), tls)
    serving = asyncio.create_task(server.run_until_told())
    await server.ready.wait()
    try:
        yield HttpDoor(port, server, client_tls)
    finally:
        server.should_exit = True
        await serving


@asynccontextmanager
async def grpc_door(
    recorder: Recorder,
    limit_bytes: int = LIMIT_BYTES,
    access: Access | None = None,
    limits: GrpcLimits | None = None,
) -> AsyncIterator[int]:
    """Serve OTLP over gRPC as the service does; yields the port."""
    server = create_otlp_server(recorder, limit_bytes, access or Access(), limits or GrpcLimits())
    port = open_port(server, "127.0.0.1:0", access or Access())
    await server.start()
    try:
        yield port
    finally:
        await server.stop(1)
