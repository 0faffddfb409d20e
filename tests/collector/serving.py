"""A real HTTP server for an ASGI app, on a free port of this machine, and the plainest of clients."""

import http.client
import threading
import urllib.parse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

import uvicorn
from starlette.types import ASGIApp


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        raise AssertionError("no signal is for a server in a test")


@contextmanager
def serving(app: ASGIApp) -> Iterator[int]:
    """Serve the app from a thread; yields the port."""
    config = uvicorn.Config(
        app, port=0, log_config=None, lifespan="off", ws="none", timeout_graceful_shutdown=1
    )
    server = _Server(config)
    listener = config.bind_socket()
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(timeout=20)
        listener.close()


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


def ask(
    port: int,
    query: str | None = None,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    path: str = "/",
    method: str | None = None,
    **url: str,
) -> Answer:
    """Send one request: GET without a body, POST with one."""
    words = {**url, **({"query": query} if query is not None else {})}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        target = path + (f"?{urllib.parse.urlencode(words)}" if words else "")
        connection.request(method or ("GET" if body is None else "POST"), target, body, dict(headers or {}))
        response = connection.getresponse()
        data = response.read()
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, data)
    finally:
        connection.close()
