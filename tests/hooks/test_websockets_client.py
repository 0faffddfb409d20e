"""Connections that an application dialled itself with websockets, against the fake Live server.

Its own record of what crossed the socket is the oracle.
"""

import asyncio
import contextlib
import json
import logging
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import connect as sync_connect

from livemeter import guard
from livemeter.hooks.connection_id import new_connection_id
from livemeter.hooks.google_genai import GoogleGenAIHooks
from livemeter.hooks.tap import Tap, read_clocks
from livemeter.hooks.websockets_client import connection_url, observe
from livemeter.observer.connection import ConnectionObserver
from livemeter.observer.facts import ConnectionClosed, ConnectionStarted, FramesRecorded, UsageReported
from livemeter.observer.sessions import SessionDirectory
from livemeter.testing import Close, Expect, FakeLiveServer, Script, SendAudio, SetupComplete, Step, Usage
from livemeter.vocabulary import ClosedBy, Phase
from tests.hooks.conftest import Watched
from tests.hooks.sockets import Quiet, serving

PATH = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
MODEL = "gemini-3.8-live"
SETUP = json.dumps({"setup": {"model": f"models/{MODEL}"}})
QUESTION = json.dumps({"clientContent": {"turns": [], "turnComplete": True}})
TURN_COMPLETE = {"serverContent": {"turnComplete": True}}
ANSWER: tuple[Step, ...] = (
    SetupComplete(),
    Expect("clientContent"),
    SendAudio(40),
    Usage(prompt={"TEXT": 12}, response={"AUDIO": 3}, bundled_with=TURN_COMPLETE),
)

Watching = Callable[[str], Tap]


@pytest.fixture(autouse=True)
def strict_guard() -> Iterator[None]:
    guard.strict(True)
    yield
    guard.strict(False)


@pytest.fixture
def seen() -> Watched:
    return Watched(GoogleGenAIHooks())


@pytest.fixture
def urls() -> list[str]:
    return []


@pytest.fixture
def watch(seen: Watched, urls: list[str]) -> Watching:
    directory = SessionDirectory()

    def watch(url: str) -> Tap:
        urls.append(url)
        now = read_clocks()
        observer = ConnectionObserver(new_connection_id(now.wall_ns), directory, now, frames_interval_ms=50)
        return Tap(observer, seen, 50)

    return watch


@contextlib.asynccontextmanager
async def dialled(server: FakeLiveServer) -> AsyncGenerator[ClientConnection]:
    uri = f"{server.url.replace('https', 'wss')}{PATH}?key=AIzaSecretSecret"
    async with connect(uri, ssl=server.ssl_context(), **Quiet) as connection:
        yield connection


def playing(*steps: Step) -> FakeLiveServer:
    return FakeLiveServer([Script("talk", steps)])


async def ask(connection: ClientConnection) -> None:
    await connection.send(SETUP)
    await connection.recv()
    await connection.send(QUESTION)


def is_last(message: str | bytes) -> bool:
    return "serverContent" in (body := json.loads(message)) and "turnComplete" in body["serverContent"]


async def answer(connection: ClientConnection) -> int:
    number = 0
    async for message in connection:
        number += 1
        if is_last(message):
            break
    return number


def sizes(seen: Watched, direction: int) -> list[int]:
    return [
        size
        for batch in seen.of(FramesRecorded)
        for way, size in zip(batch.directions, batch.bytes, strict=True)
        if way == direction
    ]


async def test_every_frame_is_recorded_whether_received_one_by_one_or_in_a_loop(
    seen: Watched, watch: Watching
) -> None:
    async with playing(*ANSWER) as server, dialled(server) as connection:
        assert observe(connection, watch) is connection
        await ask(connection)
        received = await answer(connection)
        await connection.close()

    [record] = server.connections
    assert sizes(seen, 0) == [frame.payload_bytes for frame in record.received]
    assert sizes(seen, 1) == [frame.payload_bytes for frame in record.sent]
    assert len(sizes(seen, 1)) == 1 + received
    [started], [usage] = seen.of(ConnectionStarted), seen.of(UsageReported)
    assert (started.setup.model, usage.usage.prompt) == (MODEL, 12)


async def test_observing_twice_is_observing_once(seen: Watched, watch: Watching, urls: list[str]) -> None:
    async with playing(*ANSWER) as server, dialled(server) as connection:
        observe(observe(connection, watch), watch)
        await ask(connection)
        await answer(connection)

    assert len(urls) == 1
    assert len(seen.of(UsageReported)) == 1
    assert len(seen.of(ConnectionClosed)) == 1


async def test_a_url_is_told_without_its_query(watch: Watching, urls: list[str]) -> None:
    async with playing(*ANSWER) as server:
        async with dialled(server) as connection:
            observe(connection, watch)
            await ask(connection)
            await answer(connection)

    assert urls == [f"{server.url.replace('https', 'wss')}{PATH}"]


async def test_a_connection_without_tls_is_told_as_such() -> None:
    async with serving(lambda connection: connection.wait_closed()) as url:
        async with connect(f"{url}live?key=secret", **Quiet) as connection:
            assert connection_url(connection) == f"{url}live"


async def test_a_close_of_the_application_s_own_ends_the_record_though_nobody_receives(
    seen: Watched, watch: Watching
) -> None:
    async with playing(*ANSWER[:2]) as server, dialled(server) as connection:
        observe(connection, watch)
        await ask(connection)
        await connection.close(1001, "enough")

    [closed] = seen.of(ConnectionClosed)
    assert (closed.code, closed.reason, closed.closed_by) == (1001, "enough", ClosedBy.CLIENT)
    assert (closed.clean, closed.phase) == (True, Phase.ACTIVE)


async def test_leaving_the_block_ends_the_record(seen: Watched, watch: Watching) -> None:
    async with playing(*ANSWER[:2]) as server:
        async with dialled(server) as connection:
            observe(connection, watch)
            await ask(connection)

    [closed] = seen.of(ConnectionClosed)
    assert (closed.code, closed.closed_by) == (1000, ClosedBy.CLIENT)


async def test_the_server_s_close_is_told_at_once_and_once(seen: Watched, watch: Watching) -> None:
    async with playing(*ANSWER, Close(1011, "Internal error encountered.")) as server:
        async with dialled(server) as connection:
            observe(connection, watch)
            await ask(connection)
            await answer(connection)
            with pytest.raises(ConnectionClosedError):
                await answer(connection)
            assert len(seen.of(ConnectionClosed)) == 1

    [closed] = seen.of(ConnectionClosed)
    assert (closed.code, closed.reason) == (1011, "Internal error encountered.")
    assert (closed.closed_by, closed.clean) == (ClosedBy.SERVER, True)


async def test_observed_late_what_passed_before_is_missed_and_the_rest_is_not(
    seen: Watched, watch: Watching
) -> None:
    async with playing(*ANSWER) as server, dialled(server) as connection:
        await ask(connection)
        observe(connection, watch)
        await answer(connection)
        await connection.close()

    [record] = server.connections
    assert sizes(seen, 0) == []
    assert sizes(seen, 1) == [frame.payload_bytes for frame in record.sent[1:]]
    [closed] = seen.of(ConnectionClosed)
    assert (closed.phase, closed.setup.model) == (Phase.ACTIVE, "")


async def test_a_close_that_is_cancelled_is_cancelled(watch: Watching) -> None:
    async with playing(*ANSWER[:2]) as server, dialled(server) as connection:
        observe(connection, watch)
        await ask(connection)
        closing = asyncio.create_task(connection.close())
        await asyncio.sleep(0)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing


async def test_an_error_of_ours_leaves_the_connection_to_the_application(
    caplog: pytest.LogCaptureFixture,
) -> None:
    guard.strict(False)

    def broken(url: str) -> Tap:
        raise RuntimeError("telemetry is broken")

    with caplog.at_level(logging.WARNING, "livemeter"):
        async with playing(*ANSWER) as server, dialled(server) as connection:
            observe(connection, broken)
            await ask(connection)
            assert await answer(connection) > 0

    assert [record.levelname for record in caplog.records if record.name == "livemeter"] == ["WARNING"]


async def test_a_connection_of_the_synchronous_client_is_refused_in_one_line(watch: Watching) -> None:
    async with serving(lambda connection: connection.wait_closed()) as url:

        def dial() -> None:
            with sync_connect(url, compression=None, proxy=None) as connection:
                observe(connection, watch)

        with pytest.raises(TypeError, match=r"websockets\.asyncio\.client.*not websockets\.sync\.client"):
            await asyncio.to_thread(dial)


@pytest.mark.parametrize("other", [None, object(), "wss://example.invalid", connect], ids=repr)
def test_what_is_no_connection_is_refused_in_one_line(other: Any, watch: Watching) -> None:
    with pytest.raises(TypeError) as raised:
        observe(other, watch)

    assert "\n" not in str(raised.value)


def test_the_refusal_imports_no_websockets() -> None:
    code = """
import sys
from livemeter.hooks.websockets_client import observe
try:
    observe(object(), print)
except TypeError as error:
    print(error)
print([name for name in sys.modules if name.startswith("websockets")])
"""
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert run.stdout.splitlines()[0].endswith("not builtins.object")
    assert run.stdout.splitlines()[1] == "[]"
