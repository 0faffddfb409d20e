"""The servers of a collector: telemetry over HTTP and gRPC, SQL, and the socket of its own user.

A shell: sockets and applications are put together here, started and stopped; what they answer is elsewhere.
"""

import asyncio
import logging
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from starlette.routing import Route

from livemeter_collector.access import Access
from livemeter_collector.control import ControlServer, withdraw_control
from livemeter_collector.ingest.writer import Writer
from livemeter_collector.listen import HttpServer, address_of, bind, in_use, port_of
from livemeter_collector.query.gateway import create_sql_app
from livemeter_collector.receive.grpc import create_otlp_server, open_port
from livemeter_collector.receive.http import create_otlp_app
from livemeter_collector.store.contract import Store
from livemeter_collector.telemetry.app import telemetry_routes

REQUESTS_S = 4
"""How long requests in flight may take to be answered when the servers stop, in seconds."""

_GRPC_OPTION = "--otlp-grpc-port"
_LOG = logging.getLogger("livemeter.collector")


@dataclass(frozen=True, slots=True)
class Addresses:
    """The real addresses of a running service, each as ``host:port``."""

    otlp_grpc: str
    otlp_http: str
    sql: str


@dataclass(frozen=True, slots=True)
class Doors:
    """Where callers come in, and what is asked of them: two bound sockets, and the port for gRPC."""

    otlp: socket.socket
    sql: socket.socket
    tls: ssl.SSLContext | None
    access: Access
    otlp_grpc_port: int


class Servers:
    """The servers of a service, started and stopped together."""

    def __init__(
        self,
        store: Store,
        writer: Writer,
        doors: Doors,
        data_dir: Path | None,
        control_routes: Sequence[Route] = (),
    ) -> None:
        """Put them together; ``data_dir`` is where the embedded engine is, None if there is none.

        ``control_routes``: what else the collector's own user may ask of an embedded engine.
        """
        self._doors = doors
        self._data_dir = data_dir
        access, tls = doors.access, doors.tls
        self._grpc = create_otlp_server(writer, access=access)
        otlp_app = create_otlp_app(writer, access=access)
        otlp_app.router.routes.extend(telemetry_routes(writer))
        self._http = [
            HttpServer(otlp_app, doors.otlp, REQUESTS_S, tls=tls),
            HttpServer(create_sql_app(store, access=access), doors.sql, REQUESTS_S, tls=tls),
        ]
        if data_dir is not None:
            self._add_control(store, data_dir, control_routes)
        self._tasks: list[asyncio.Task[None]] = []

    def _add_control(self, store: Store, data_dir: Path, routes: Sequence[Route]) -> None:
        try:
            self._http.append(ControlServer(store, data_dir, REQUESTS_S, routes))
        except OSError as error:
            # Telemetry matters more than a command that can wait until the collector is stopped.
            _LOG.warning("no backup can be made while the collector runs: %s", error)

    async def start(self) -> Addresses:
        """Take requests on all ports.

        Raises:
            AccessError: the certificates cannot be used.
            ListenError: the port for gRPC cannot be had.
        """
        host, wanted = self._doors.access.host, self._doors.otlp_grpc_port
        try:
            grpc_port = open_port(self._grpc, address_of(host, wanted), self._doors.access)
        except RuntimeError as error:
            raise in_use(host, wanted, _GRPC_OPTION) from error
        await self._grpc.start()
        self._tasks = [asyncio.create_task(server.run_until_told()) for server in self._http]
        for server in self._http:
            await server.ready.wait()
        ports = grpc_port, port_of(self._doors.otlp), port_of(self._doors.sql)
        return Addresses(*(address_of(host, port) for port in ports))

    async def failure(self) -> None:
        """Wait until a server ends by itself, and raise what it ended of."""
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()

    async def stop(self) -> None:
        """Accept nothing more and let requests in flight finish for a few seconds."""
        for server in self._http:
            server.should_exit = True
        # What a server failed of was raised by ``failure``; here all of them have to end.
        await asyncio.gather(self._grpc.stop(REQUESTS_S), *self._tasks, return_exceptions=True)
        if self._data_dir is not None:
            withdraw_control(self._data_dir)


def check_free(host: str, port: int) -> None:
    """Raise a ListenError if gRPC could not have the port: its own lines about that go to stderr."""
    bind(host, port, _GRPC_OPTION).close()
