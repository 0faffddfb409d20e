"""Ports and HTTP servers of the service: claim a port or say who can change it; serve without taking over.

A thin shell around sockets and uvicorn. Signals, logs and stdout stay the caller's. uvicorn bounds how long a
connection may be idle between requests, and nothing else; what a client may take while it sends is bounded
here.
"""

import asyncio
import errno
import socket
import ssl
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, auto

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

# As long as the stock Collector: exporters send every few seconds and reuse their connection.
_KEEP_ALIVE_S = 60
_BACKLOG = 1024


class ListenError(Exception):
    """A port cannot be had; the text names it and the option that changes it."""


def bind(host: str, port: int, option: str) -> socket.socket:
    """Listen on a port (0: any free one); connections wait until a server takes the socket.

    Raises:
        ListenError: the port is in use, not allowed, or the host is not this machine's.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ListenError(f"cannot listen on {host}: {error.strerror}") from error
    try:
        # A port whose last connections are still closing is free; a port that is listened on is not.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise _error(host, port, option, error) from error
    listener.setblocking(False)
    return listener


def port_of(listener: socket.socket) -> int:
    """Return the real port of a bound socket."""
    port: int = listener.getsockname()[1]
    return port


def address_of(host: str, port: int) -> str:
    """Write a host and a port as in a URL."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def reachable(address: str) -> str:
    """Return where this machine reaches what listens at ``host:port``: all addresses include loopback."""
    host, _, port = address.rpartition(":")
    own = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104 - compared, not listened on
    return f"{own.get(host, host)}:{port}"


def in_use(host: str, port: int, option: str) -> ListenError:
    """Return the error of a port that another program holds."""
    return ListenError(f"port {port} on {host} is in use: stop the other program or choose another: {option}")


def _error(host: str, port: int, option: str, error: OSError) -> ListenError:
    if error.errno == errno.EADDRINUSE:
        return in_use(host, port, option)
    return ListenError(f"cannot listen on port {port} on {host} ({error.strerror}): choose another: {option}")


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """What one client, and all of them, may take; times in seconds."""

    header_s: float = 10.0
    """For TLS to begin, and then for the headers of a request."""
    body_s: float = 30.0
    """For the body of a request, and longer while it comes at ``body_bytes_per_s``."""
    body_bytes_per_s: int = 64 * 1024
    close_s: float = 30.0
    """To take the answer, once the connection is to be closed, and to stop sending what nobody reads."""
    header_bytes: int = 32 * 1024
    """The request line and the headers together; a chunk's head too."""
    connections: int = 1000
    """More are answered 503 and closed as they come."""


_LIMITS = HttpLimits()


class HttpServer(uvicorn.Server):
    """uvicorn on a bound socket, without its signal handlers, access log and output."""

    def __init__(
        self,
        app: ASGIApp,
        listener: socket.socket,
        graceful_s: int = 4,
        limits: HttpLimits = _LIMITS,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                access_log=False,
                # Whatever else is installed: the limits are kept on this one.
                http="h11",
                h11_max_incomplete_event_size=limits.header_bytes,
                lifespan="off",
                log_config=None,
                proxy_headers=False,
                server_header=False,
                ssl_context_factory=None if tls is None else lambda _config, _default: tls,
                timeout_graceful_shutdown=graceful_s,
                timeout_keep_alive=_KEEP_ALIVE_S,
                ws="none",
            )
        )
        self._listener = listener
        self._limits = limits
        self.ready = asyncio.Event()

    async def run_until_told(self) -> None:
        """Serve until ``should_exit`` is set, then let requests in flight finish."""
        await self.serve(sockets=[self._listener])

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002 - uvicorn's
        """Open the server and say so; uvicorn's own way there knows no bound for a TLS handshake."""
        tls = self.config.ssl
        server = await asyncio.get_running_loop().create_server(
            lambda: _Connection(self.config, self.server_state, self._limits),
            sock=self._listener,
            backlog=_BACKLOG,
            ssl=tls,
            ssl_handshake_timeout=None if tls is None else self._limits.header_s,
        )
        self.servers = [server]
        self.started = True
        self.ready.set()

    async def on_tick(self, counter: int) -> bool:
        """Cut off who is overdue, ten times a second."""
        for connection in self._connections():
            connection.end_if_overdue()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let requests in flight finish, and leave no connection behind."""
        await super().shutdown(sockets)
        for connection in self._connections():
            connection.transport.abort()

    def _connections(self) -> list["_Connection"]:
        return [each for each in self.server_state.connections if isinstance(each, _Connection)]

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave signals to whoever runs the service."""
        yield


class _Phase(Enum):
    """What a connection is waited for."""

    REQUEST = auto()
    """Nothing was begun: uvicorn's keep-alive sees to it."""
    HEADERS = auto()
    BODY = auto()
    UNREAD_BODY = auto()
    """The answer is out, and the client goes on sending."""
    ANSWER = auto()
    """The client waits for us."""
    CLOSE = auto()


class _Connection(H11Protocol):
    """One client, and until when it has to have sent what it began."""

    def __init__(self, config: uvicorn.Config, server_state: ServerState, limits: HttpLimits) -> None:
        super().__init__(config, server_state, {})
        # A URL may hold a password, and whoever has a handler on the root logger would get it.
        self.access_log = False
        self._limits = limits
        self._phase = _Phase.REQUEST
        self._overdue_s: float | None = None
        self._allowed_s = {
            _Phase.HEADERS: limits.header_s,
            _Phase.BODY: limits.body_s,
            _Phase.UNREAD_BODY: limits.close_s,
            _Phase.CLOSE: limits.close_s,
        }

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a client in, or turn it away when there are too many."""
        super().connection_made(transport)
        if len(self.connections) > self._limits.connections:
            transport.write(
                b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n"
                b"Connection: close\r\n\r\n"
            )
            transport.close()
        # A connection is opened to send something.
        self._enter(_Phase.HEADERS)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget a client; after a reset too, which uvicorn would remember for as long as keep-alive."""
        super().connection_lost(exc)
        self._unset_keepalive_if_required()

    def data_received(self, data: bytes) -> None:
        """Read on, and see what is waited for now."""
        if self.transport.is_closing():
            return
        super().data_received(data)
        self._follow(len(data))

    def on_response_complete(self) -> None:
        """Go on with the next request, and see what is waited for now."""
        super().on_response_complete()
        self._follow(0)

    def end_if_overdue(self) -> None:
        """Close a connection whose client has had its time; what it sent so far goes nowhere."""
        if self.transport.is_closing():
            self._enter(_Phase.CLOSE)
        if self._overdue_s is not None and self.loop.time() > self._overdue_s:
            self.transport.abort()

    def _follow(self, received_bytes: int) -> None:
        self._enter(self._find_phase(received_bytes))
        if self._phase is _Phase.BODY and self._overdue_s is not None:
            self._overdue_s += received_bytes / self._limits.body_bytes_per_s

    def _find_phase(self, received_bytes: int) -> _Phase:
        if self.transport.is_closing():
            return _Phase.CLOSE
        if self.conn.their_state is h11.SEND_BODY:
            return _Phase.UNREAD_BODY if self.cycle.response_complete else _Phase.BODY
        if self.conn.their_state is not h11.IDLE:
            return _Phase.ANSWER
        return _Phase.HEADERS if received_bytes or self.conn.trailing_data[0] else _Phase.REQUEST

    def _enter(self, phase: _Phase) -> None:
        if phase is self._phase:
            return
        self._phase = phase
        allowed_s = self._allowed_s.get(phase)
        self._overdue_s = None if allowed_s is None else self.loop.time() + allowed_s
