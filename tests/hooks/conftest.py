"""A watch that keeps facts instead of emitting them, and a client of the fake server.

Only what the environment with the older google-genai has as well: no collector, no OpenTelemetry.
"""

from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest
from google.genai import Client, types
from google.oauth2.credentials import Credentials

from livemeter import guard
from livemeter.hooks.connection_id import new_connection_id
from livemeter.hooks.google_genai import GoogleGenAIHooks
from livemeter.hooks.tap import Note, Tap, read_clocks
from livemeter.observer.connection import ConnectionObserver
from livemeter.observer.facts import Fact, Identity
from livemeter.observer.sessions import SessionDirectory
from livemeter.testing import FakeLiveServer

FactType = TypeVar("FactType")


@dataclass
class Watched:
    """Every fact of every connection, in the order in which they became known."""

    hooks: GoogleGenAIHooks
    facts: list[Fact] = field(default_factory=list)
    identities: list[Identity] = field(default_factory=list)
    broken: bool = False
    tells: list[Callable[[Note], None]] = field(default_factory=list)
    errors: list[BaseException | None] = field(default_factory=list)

    def attached(self, socket: Any, tell: Callable[[Note], None]) -> None:
        self.tells.append(tell)

    def ended(self, error: BaseException | None) -> None:
        self.errors.append(error)

    def emit(self, identity: Identity, facts: list[Fact]) -> None:
        if self.broken:
            raise RuntimeError("the sink is broken")
        self.facts += facts
        self.identities += [identity] * len(facts)

    def of(self, kind: type[FactType]) -> list[FactType]:
        return [fact for fact in self.facts if isinstance(fact, kind)]


@pytest.fixture
def watched() -> Iterator[Watched]:
    """The hooks, installed for one test; telemetry's own errors are raised."""
    directory = SessionDirectory()
    watched = Watched(GoogleGenAIHooks())

    def watch(uri: str) -> Tap:
        now = read_clocks()
        observer = ConnectionObserver(new_connection_id(now.wall_ns), directory, now, frames_interval_ms=50)
        return Tap(observer, watched, 50)

    watched.hooks.install(watch)
    guard.strict(True)
    yield watched
    guard.strict(False)
    watched.hooks.uninstall()


ClientOf = Callable[..., AbstractAsyncContextManager[Client]]


@pytest.fixture
def client_of() -> ClientOf:
    @asynccontextmanager
    async def open_client(server: FakeLiveServer, *, vertex: bool = False) -> AsyncGenerator[Client]:
        options: Any = {"base_url": server.url, "async_client_args": {"ssl": server.ssl_context()}}
        who: Any = {"api_key": "x"}
        if vertex:
            who = {
                "vertexai": True,
                "project": "p",
                "location": "us-central1",
                "credentials": Credentials(token="x"),  # type: ignore[no-untyped-call]
            }
        client = Client(http_options=types.HttpOptions(**options), **who)
        try:
            yield client
        finally:
            # Clients of the oldest releases cannot be closed.
            if hasattr(client.aio, "aclose"):
                await client.aio.aclose()
                client.close()

    return open_client
