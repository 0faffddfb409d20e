"""A collector that is absent, slow, refuses, hangs or drips changes nothing for the application.

No assertion here reads a clock. That somebody did not wait is shown by what had not happened yet when they
went on: the SDK's own shutdown exports the three signals one after the other and waits for each, so as long
as the first hangs nobody has asked for the second.
"""

import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from opentelemetry.context import Context

import livemeter
from livemeter.emit import background
from livemeter.emit import providers as module
from livemeter.emit.background import BackgroundCaller
from livemeter.emit.emitter import Emitter
from livemeter.emit.providers import Providers, private_providers
from livemeter.instrumentation import instrument_privately
from livemeter.settings import Settings
from livemeter.testing import FakeLiveServer
from livemeter.vocabulary import Event
from tests.instrumentation.examples import CONNECTION_ID, FACTS, GO_AWAY, IDENTITY, STARTED, VERTEX
from tests.instrumentation.live import MODEL, ask, client_of
from tests.instrumentation.otlp_server import OtlpServer

LATER_MS = 3_600_000
FLUSH_MS = 30_000
EVENTS = len(FACTS) - 1
"""Events of one of every fact: a transcript is content, and content is off."""


def hangs(server: OtlpServer) -> None:
    server.hold()


def drips(server: OtlpServer) -> None:
    server.drips = True


def asks_to_wait(server: OtlpServer) -> None:
    """For less than an export may take, so that the SDK does wait and try again."""
    server.status, server.headers = 503, {"retry-after": "1"}


def sends_away(server: OtlpServer) -> None:
    server.status, server.headers = 503, {"retry-after": "3600"}


Mood = Callable[[OtlpServer], None]
SLOW: list[Mood] = [hangs, drips, asks_to_wait]
MOODS: list[Mood] = [*SLOW, sends_away]


@pytest.fixture
def server() -> Iterator[OtlpServer]:
    """A collector; what still waits for it in the end comes to its own, so that no test hears another's."""
    before = set(threading.enumerate())
    with OtlpServer().running() as running:
        yield running
        running.calm()
        for thread in set(threading.enumerate()) - before:
            if thread.name.startswith("livemeter-"):
                thread.join(30)


@pytest.fixture
def absent_endpoint() -> Iterator[str]:
    """An address that nobody listens on, and that nobody else gets meanwhile."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


def settings(endpoint: str) -> Settings:
    """Settings under which nothing is exported until somebody asks."""
    return Settings(endpoint=endpoint, export_interval_ms=LATER_MS, metric_interval_ms=LATER_MS)


def emit(providers: Providers, times: int = 1) -> None:
    emitter = Emitter(providers.logger, providers.tracer, providers.meter, Settings())
    for _ in range(times):
        emitter.connection(CONNECTION_ID, VERTEX, Context()).emit(IDENTITY, FACTS)


def paths(server: OtlpServer) -> set[str]:
    return {request.path for request in server.requests}


def messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.INFO]


# Leaving.


@pytest.mark.parametrize("mood", SLOW)
def test_shutdown_gives_up_while_the_first_export_is_under_way(server: OtlpServer, mood: Mood) -> None:
    mood(server)
    providers = private_providers(settings(server.endpoint))
    emit(providers)
    assert not providers.shutdown(50)
    server.wait_for_request()
    assert paths(server) == {"/v1/logs"}
    assert server.log_records == [] or server.drips
    assert providers.shutdown(50)


def test_shutdown_does_not_wait_for_a_collector_that_sends_it_away(server: OtlpServer) -> None:
    sends_away(server)
    providers = private_providers(settings(server.endpoint))
    emit(providers)
    assert providers.shutdown(FLUSH_MS)
    assert paths(server) == {"/v1/logs", "/v1/traces", "/v1/metrics"}


@pytest.mark.parametrize("mood", SLOW)
def test_flush_gives_up_while_the_first_export_is_under_way(server: OtlpServer, mood: Mood) -> None:
    mood(server)
    providers = private_providers(settings(server.endpoint))
    emit(providers)
    assert not providers.force_flush(50)
    server.wait_for_request()
    assert paths(server) == {"/v1/logs"}
    assert not providers.shutdown(50)


def test_what_a_hanging_collector_takes_in_the_end_is_not_lost(server: OtlpServer) -> None:
    server.hold()
    providers = private_providers(settings(server.endpoint))
    emit(providers)
    assert not providers.force_flush(50)
    server.released.set()
    assert providers.shutdown(FLUSH_MS)
    assert len(server.log_records) == EVENTS


async def test_an_application_notices_nothing_and_its_flush_and_end_give_up(server: OtlpServer) -> None:
    server.hold()
    instrument_privately(replace(settings(server.endpoint), shutdown_timeout_ms=50))
    try:
        async with (
            FakeLiveServer() as fake,
            client_of(fake) as client,
            client.aio.live.connect(model=MODEL) as session,
        ):
            messages = await ask(session, "hello")
            assert not livemeter.flush(50)
            messages += await ask(session, "hello again")
    finally:
        livemeter.uninstrument()
    assert [message.server_content.turn_complete for message in messages if message.server_content]
    server.wait_for_request()
    assert paths(server) == {"/v1/logs"}
    assert not server.released.is_set()


LEAVE = """
import atexit
from tests.instrumentation.test_outages import *
providers = private_providers(Settings.from_environment())
atexit.register(providers.shutdown)
emit(providers)
print("left")
"""


@pytest.mark.parametrize("mood", [*SLOW, None])
def test_a_process_ends_whatever_the_collector_does(
    server: OtlpServer, absent_endpoint: str, mood: Mood | None
) -> None:
    if mood is not None:
        mood(server)
    ended = run_python(
        LEAVE,
        LIVEMETER_ENDPOINT=absent_endpoint if mood is None else server.endpoint,
        LIVEMETER_SHUTDOWN_TIMEOUT_MS="50",
        LIVEMETER_EXPORT_INTERVAL_MS=str(LATER_MS),
    )
    assert ended.stdout == "left\n"
    assert "Traceback" not in ended.stderr
    assert paths(server) <= {"/v1/logs"}


def run_python(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        check=True,
        text=True,
        env={**os.environ, **environment},
        cwd=Path(__file__).parents[2],
        timeout=100,
    )


# Meanwhile.


@pytest.mark.parametrize("mood", MOODS)
def test_the_log_is_not_flooded(
    server: OtlpServer, mood: Mood, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(module, "MAX_QUEUED_RECORDS", 512)
    mood(server)
    providers = private_providers(settings(server.endpoint))
    emit(providers, times=100)
    server.wait_for_request()
    providers.shutdown(50)
    assert len(messages(caplog)) == 1


def test_a_hanging_collector_is_sent_no_more_than_the_queues_held(
    server: OtlpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MAX_QUEUED_RECORDS", "MAX_QUEUED_SPANS", "MAX_BATCH"):
        monkeypatch.setattr(module, name, 4)
    server.hold()
    providers = private_providers(settings(server.endpoint))
    emit(providers, times=300)
    server.released.set()
    assert providers.shutdown(FLUSH_MS)
    events = [record for record in server.log_records if record.event_name != Event.DROPPED_RECORDS]
    # What was under way when it began to hang, and what waited.
    assert 4 <= len(events) <= 8
    assert 4 <= len(server.spans) <= 8


def test_an_absent_collector_keeps_no_more_than_the_queues_hold(
    absent_endpoint: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_QUEUED_RECORDS", 8)
    monkeypatch.setattr(module, "MAX_BATCH", 8)
    monkeypatch.setattr(module, "EXPORT_TIMEOUT_S", 0.1)
    providers = private_providers(settings(absent_endpoint))
    emitter = Emitter(providers.logger, providers.tracer, providers.meter, Settings())
    connection = emitter.connection(CONNECTION_ID, VERTEX, Context())
    connection.emit(IDENTITY, [STARTED, *[GO_AWAY] * 5000])
    providers.shutdown(FLUSH_MS)
    assert len(messages(caplog)) == 1


def test_flushes_that_pile_up_behind_one_that_hangs_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "MAX_WAITING", 3)
    caller = BackgroundCaller("test")
    running, release = threading.Event(), threading.Event()
    ran: list[int] = []

    def hang() -> None:
        running.set()
        release.wait()

    assert not caller.call(hang, 1)
    assert running.wait(30)
    for number in range(10):
        assert not caller.call(lambda number=number: ran.append(number), 1)  # type: ignore[misc]
    release.set()
    while ran != [0, 1, 2]:
        assert running.wait(30)
    assert caller.call(lambda: None, FLUSH_MS)
    assert ran == [0, 1, 2]
    caller.close()
