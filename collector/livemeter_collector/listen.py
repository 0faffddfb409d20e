"""Ports and HTTP servers of the service: claim a port or say who can change it; serve without taking over.

A thin shell around sockets and uvicorn. Signals, logs and stdout stay the caller's.
"""

import asyncio
import errno
import socket
from collections.abc import Generator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

# As long as the stock Collector: exporters send every few seconds and reuse their connection.
_KEEP_ALIVE_S = 60


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
        listener.listen(1024)
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


def in_use(host: str, port: int, option: str) -> ListenError:
    """Return the error of a port that another program holds."""
    return ListenError(f"port {port} on {host} is in use: stop the other program or choose another: {option}")


def _error(host: str, port: int, option: str, error: OSError) -> ListenError:
    if error.errno == errno.EADDRINUSE:
        return in_use(host, port, option)
    return ListenError(f"cannot listen on port {port} on {host} ({error.strerror}): choose another: {option}")


class HttpServer(uvicorn.Server):
    """uvicorn on a bound socket, without its signal handlers, access log and output."""

    def __init__(self, app: ASGIApp, listener: socket.socket, graceful_s: int = 4) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                access_log=False,
                lifespan="off",
                log_config=None,
                server_header=False,
                timeout_graceful_shutdown=graceful_s,
                timeout_keep_alive=_KEEP_ALIVE_S,
                ws="none",
            )
        )
        self._listener = listener
        self.ready = asyncio.Event()

    async def run_until_told(self) -> None:
        """Serve until ``should_exit`` is set, then let requests in flight finish."""
        await self.serve(sockets=[self._listener])

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Open the server and say so."""
        await super().startup(sockets)
        self.ready.set()

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave signals to whoever runs the service."""
        yield
