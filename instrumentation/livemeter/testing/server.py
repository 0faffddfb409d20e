"""The fake Gemini Live server: sockets, TLS and the life of the connections.

A shell around the pure modules. It binds the loopback address unless told otherwise and never answers
anything but Live sessions.
"""

import asyncio
import logging
import ssl
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any, Self, TypedDict, Unpack
from weakref import WeakKeyDictionary

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response

from livemeter.testing.arrival import Arrival, read_arrival
from livemeter.testing.authority import CertificateAuthority
from livemeter.testing.choice import choose_refusal, choose_script, depends_on_setup
from livemeter.testing.link import Link
from livemeter.testing.player import Player, ScriptError
from livemeter.testing.record import Connection
from livemeter.testing.script import Script

SCRIPT_ERROR_CLOSE_CODE = 4000
"""Close code that a client sees when it left its script."""

# At debug level websockets logs the headers of handshakes, where keys travel: never let it.
_logger = logging.getLogger("livemeter.testing")
_logger.setLevel(logging.WARNING)

_CLOSE_TIMEOUT_S = 2.0


class ServerOptions(TypedDict, total=False):
    """Keyword arguments of ``FakeLiveServer``; ``ServerSettings`` says what they mean."""

    host: str
    port: int
    tls: bool
    authority: CertificateAuthority | None
    compression: bool
    text_frames: bool
    expect_timeout_s: float
    minted_prefix: str
    record_messages: bool
    raise_errors: bool


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """How a fake server behaves, whatever its scripts."""

    host: str = "127.0.0.1"
    port: int = 0
    """0 takes a free port."""
    tls: bool = True
    """The Python SDK needs it; the JavaScript one also speaks plain ``ws``."""
    authority: CertificateAuthority | None = None
    """Certificate authority to share with other servers; by default every server makes its own."""
    compression: bool = False
    """Whether to accept permessage-deflate."""
    text_frames: bool = False
    """Whether to send text frames; the real service sends binary ones."""
    expect_timeout_s: float = 10.0
    """How long a script waits for a message unless its step says otherwise."""
    minted_prefix: str = ""
    """Put before session ids and resumption handles, so that two runs do not share any."""
    record_messages: bool = True
    """Whether records hold the messages themselves; sizes, kinds and times they always hold."""
    raise_errors: bool = True
    """Whether leaving the context raises the script errors."""


class FakeLiveServer:
    """A Gemini Live server that plays scripts to any client.

    ``async with FakeLiveServer(scripts) as server`` serves in the running event loop, and
    ``with FakeLiveServer.running_in_thread(scripts) as server`` in a thread of its own, for synchronous code
    and for other processes. The first script that fits serves a connection; without one the default script
    answers every turn.

    ``connections`` holds a record of every connection, ``errors`` one ``ScriptError`` for every client that
    left its script. Leaving the context raises them, or adds them as a note to the exception that is already
    on its way.
    """

    def __init__(self, scripts: Sequence[Script] = (), **options: Unpack[ServerOptions]) -> None:
        self.settings = ServerSettings(**options)
        self.connections: list[Connection] = []
        self.errors: list[ScriptError] = []
        self._scripts = tuple(scripts)
        self._handshakes: WeakKeyDictionary[ServerConnection, tuple[Arrival, Connection]] = (
            WeakKeyDictionary()
        )
        self._authority: CertificateAuthority | None = None
        self._resources = ExitStack()
        self._server: Server | None = None
        self._port = 0

    @classmethod
    @contextmanager
    def running_in_thread(
        cls, scripts: Sequence[Script] = (), **options: Unpack[ServerOptions]
    ) -> Generator[Self]:
        """Serve from an event loop in a thread of its own for the length of a ``with`` block."""
        server = cls(scripts, **options)
        ready: Future[Callable[[], object]] = Future()
        with (
            ThreadPoolExecutor(max_workers=1, thread_name_prefix="fake-live-server") as thread,
            ExitStack() as exits,
        ):
            served = thread.submit(asyncio.run, server._serve_until_stopped(ready))
            either: list[Future[Any]] = [ready, served]
            wait(either, return_when=FIRST_COMPLETED)
            if served.done():  # It could not even start: say why.
                served.result()
            exits.push(server._on_exit)
            exits.callback(served.result)
            exits.callback(ready.result())
            yield server

    async def __aenter__(self) -> Self:
        await self._start()
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        await self._stop()
        self._on_exit(kind, error, traceback)

    @property
    def port(self) -> int:
        """The port it listens on."""
        if self._server is None:
            raise RuntimeError("the fake Live server is not running: enter its context first")
        return self._port

    @property
    def url(self) -> str:
        """Base URL for a client, such as ``https://127.0.0.1:43210``."""
        host = f"[{self.settings.host}]" if ":" in self.settings.host else self.settings.host
        return f"{'https' if self.settings.tls else 'http'}://{host}:{self.port}"

    @property
    def ca_file(self) -> Path:
        """PEM file of the certificate authority to trust."""
        return self._trusted.ca_file

    def ssl_context(self) -> ssl.SSLContext:
        """A TLS context for a client in this process."""
        return self._trusted.client_context()

    def environment(self) -> dict[str, str]:
        """Environment variables that bring an unchanged client here; set them before it is made.

        ``SSL_CERT_FILE`` replaces the certificates that a Python process trusts.
        """
        addresses = {"GOOGLE_GEMINI_BASE_URL": self.url, "GOOGLE_VERTEX_BASE_URL": self.url}
        key = {"GEMINI_API_KEY": "not-a-key"}
        if not self.settings.tls:
            return addresses | key
        ca_file = str(self.ca_file)
        return addresses | key | {"SSL_CERT_FILE": ca_file, "NODE_EXTRA_CA_CERTS": ca_file}

    @property
    def _trusted(self) -> CertificateAuthority:
        if self._authority is None:
            raise RuntimeError(
                "the fake Live server has no certificate: it speaks plain ws, or is not running"
            )
        return self._authority

    async def _start(self) -> None:
        settings = self.settings
        with ExitStack() as resources:
            if settings.tls:
                self._authority = settings.authority or resources.enter_context(CertificateAuthority())
            self._server = await serve(
                self._converse,
                settings.host,
                settings.port,
                ssl=self._authority and self._authority.server_context(settings.host),
                process_request=self._greet,
                compression="deflate" if settings.compression else None,
                max_size=None,
                ping_interval=None,
                close_timeout=_CLOSE_TIMEOUT_S,
                logger=_logger,
            )
            self._port = next(iter(self._server.sockets)).getsockname()[1]
            self._resources = resources.pop_all()

    async def _stop(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
        self._resources.close()

    async def _serve_until_stopped(self, ready: Future[Callable[[], object]]) -> None:
        stop = asyncio.Event()
        await self._start()
        ready.set_result(partial(asyncio.get_running_loop().call_soon_threadsafe, stop.set))
        await stop.wait()
        await self._stop()

    def _greet(self, socket: ServerConnection, request: Request) -> Response | None:
        arrival = read_arrival(len(self.connections) + 1, request.path)
        if arrival is None:
            return socket.respond(HTTPStatus.NOT_FOUND, "Not a path of a Gemini Live session.\n")
        record = Connection(arrival.number, arrival.path, arrival.platform, arrival.api_version)
        self.connections.append(record)
        refusing = choose_refusal(self._scripts, arrival)
        if refusing is None or refusing.refusal is None:
            self._handshakes[socket] = (arrival, record)
            return None
        record.script, record.steps_done, record.refused_status = refusing.name, 1, refusing.refusal.status
        return socket.respond(HTTPStatus(refusing.refusal.status), refusing.refusal.body)

    async def _converse(self, socket: ServerConnection) -> None:
        arrival, record = self._handshakes.pop(socket)
        settings = self.settings
        link = Link(socket, record, text=settings.text_frames, keep_messages=settings.record_messages)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(link.read())
            try:
                await self._play(link, arrival)
            except ScriptError as error:
                self.errors.append(error)
                await link.close(SCRIPT_ERROR_CLOSE_CODE, str(error))
            # A script that has ended leaves it to the client when to go.

    async def _play(self, link: Link, arrival: Arrival) -> None:
        if depends_on_setup(self._scripts, arrival):
            await self._wait_for_setup(link)
        script = choose_script(self._scripts, arrival, link.record.setup)
        link.record.script = script.name
        settings = self.settings
        player = Player(
            link, script, minted_prefix=settings.minted_prefix, expect_timeout_s=settings.expect_timeout_s
        )
        await player.play()

    async def _wait_for_setup(self, link: Link) -> None:
        try:
            async with asyncio.timeout(self.settings.expect_timeout_s):
                await link.peek()
        except TimeoutError:
            where = f"connection {link.record.number} ({link.record.platform})"
            waited = f"waited {self.settings.expect_timeout_s:g} s for the setup that decides on the script"
            raise ScriptError(f"{where}: {waited}, nothing came") from None

    def _on_exit(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if not self.errors or not self.settings.raise_errors:
            return
        texts = [str(script_error) for script_error in self.errors]
        several = [f"{len(texts)} connections left their scripts:", *texts]
        report = texts[0] if len(texts) == 1 else "\n  ".join(several)
        if error is None:
            raise ScriptError(report)
        error.add_note(report)
