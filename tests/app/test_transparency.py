"""The application is none the wiser: same messages, types, order, exceptions and cancellation.

The real google-genai plays one program twice against a real server that says the same both times, once
observed. Whatever the application could notice is written down and compared.
"""

import asyncio
import json
import os
import sys
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from google.genai import Client, types
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider
from websockets.asyncio.server import Server, ServerConnection, serve

import livemeter
from livemeter import guard
from livemeter.settings import Settings
from livemeter.testing import CertificateAuthority
from tests.observer.strategies import JSON_VALUES

PACKAGE = str(Path(livemeter.__file__).parent)
MODEL = "gemini-3.8-live"
TONE = "AAAB" * 320


def spoken(**more: Any) -> str:
    blob = {"mimeType": "audio/pcm;rate=24000", "data": TONE}
    return json.dumps({"serverContent": {"modelTurn": {"parts": [{"inlineData": blob}]}, **more}})


KNOWN = [
    spoken(),
    spoken(),
    spoken(outputTranscription={"text": "hello"}),
    '{"serverContent":{"interrupted":true}}',
    '{"serverContent":{"generationComplete":true}}',
    '{"serverContent":{"turnComplete":true},"usageMetadata":{"promptTokenCount":12,"responseTokenCount":3}}',
    '{"usageMetadata":{"promptTokenCount":12,"promptTokensDetails":[{"modality":"AUDIO","tokenCount":12}]}}',
    '{"toolCall":{"functionCalls":[{"id":"1","name":"f","args":{"a":1}}]}}',
    '{"toolCallCancellation":{"ids":["1"]}}',
    '{"goAway":{"timeLeft":"50s"}}',
    '{"sessionResumptionUpdate":{"newHandle":"h","resumable":true}}',
]
ODD = [
    '{"unheardOf":{"x":1}}',
    '{"serverContent":{"newField":{"deep":[1,2]},"turnComplete":true}}',
    '{"error":{"code":429,"message":"slow down"}}',
    "no json at all",
    "",
    "[]",
    '{"serverContent":{"modelTurn":{"parts":"none"}}}',
    '{"usageMetadata":{"promptTokenCount":"many"}}',
    '{"goAway":{"timeLeft":7}}',
]
MESSAGES = st.one_of(
    st.sampled_from(KNOWN), st.sampled_from(KNOWN), st.sampled_from(ODD), JSON_VALUES.map(json.dumps)
)
ENDS = st.sampled_from([(1000, ""), (1011, "Internal error encountered."), (1008, ""), (4000, "x"), None])


@dataclass
class Played:
    """Everything that the application could notice."""

    noticed: list[Any] = field(default_factory=list)

    def error(self, error: BaseException) -> None:
        chain: list[Any] = []
        each: BaseException | None = error
        while each is not None:
            told = (type(each), str(each), len(each.args), vars(each).get("code"))
            chain.append((told, getattr(each, "__notes__", [])))
            each = each.__cause__ or each.__context__
        self.noticed.append(chain)


@dataclass
class Scripted:
    """A server that says what it is told, as text or binary, and closes."""

    messages: list[str] = field(default_factory=list)
    end: tuple[int, str] | None = (1000, "")
    awaits: int = 0

    async def __call__(self, connection: ServerConnection) -> None:
        await connection.recv()
        await connection.send(b'{"setupComplete":{"sessionId":"s"}}')
        for number, message in enumerate(self.messages):
            await connection.send(message if number % 3 else message.encode())
        for _ in range(self.awaits):
            await connection.recv()
        if self.end is None:
            connection.transport.abort()
        else:
            await connection.close(*self.end)


AUTHORITY = CertificateAuthority()


@asynccontextmanager
async def client_of(script: Scripted) -> AsyncGenerator[Client]:
    server: Server
    async with serve(script, "127.0.0.1", 0, ssl=AUTHORITY.server_context()) as server:
        port = server.sockets[0].getsockname()[1]
        options: Any = {
            "base_url": f"https://127.0.0.1:{port}",
            "async_client_args": {"ssl": AUTHORITY.client_context()},
        }
        client = Client(api_key="x", http_options=types.HttpOptions(**options))
        try:
            yield client
        finally:
            await client.aio.aclose()
            client.close()


@contextmanager
def observed() -> Iterator[InMemoryLogRecordExporter]:
    exporter = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
    logger_provider = LoggerProvider(shutdown_on_exit=False)
    logger_provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    livemeter.instrument(
        logger_provider=logger_provider,
        tracer_provider=TracerProvider(shutdown_on_exit=False),
        meter_provider=MeterProvider(shutdown_on_exit=False),
        settings=Settings(frames_interval_ms=20),
    )
    try:
        yield exporter
    finally:
        livemeter.uninstrument()
        logger_provider.shutdown()


async def receive(script: Scripted) -> Played:
    """Receive until the end, going on after messages that the SDK cannot read."""
    played = Played()
    async with client_of(script) as client:
        try:
            async with client.aio.live.connect(model=MODEL) as session:
                failures = 0
                while failures < len(script.messages) + 2:
                    try:
                        async for message in session.receive():
                            played.noticed.append((type(message), message.model_dump()))
                    except (TypeError, ValueError, AttributeError) as error:
                        played.error(error)
                        failures += 1
        except Exception as error:  # noqa: BLE001 - whatever the application would see
            played.error(error)
    return played


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(MESSAGES, max_size=12), ENDS)
def test_whatever_the_server_says_the_application_sees_the_same(
    messages: list[str], end: tuple[int, str] | None
) -> None:
    plain = asyncio.run(receive(Scripted(messages, end)))
    guard.strict(True)
    try:
        with observed() as exporter:
            watched = asyncio.run(receive(Scripted(messages, end)))
    finally:
        guard.strict(False)

    assert watched.noticed == plain.noticed
    assert exporter.get_finished_logs()


def test_a_handshake_that_is_refused_raises_the_same() -> None:
    async def refused() -> Played:
        played = Played()
        script = Scripted()
        async with client_of(script) as client:
            client._api_client._http_options.base_url = "https://127.0.0.1:1"
            with pytest.raises(ConnectionRefusedError) as caught:
                async with client.aio.live.connect(model=MODEL):
                    pass
        played.error(caught.value)
        return played

    plain = asyncio.run(refused())
    with observed():
        assert asyncio.run(refused()).noticed == plain.noticed


# Cancellation, at every await there is.


class Waits:
    """Suspends as often as told, then returns or raises: a socket's coroutine as seen from outside."""

    def __init__(self, times: int, result: Any) -> None:
        self._times = times
        self._result = result

    async def call(self, *_: Any, **__: Any) -> Any:
        for step in range(self._times):
            await Step(step)
        if isinstance(self._result, BaseException):
            raise self._result
        return self._result


class Step:
    """One suspension, told apart by its number."""

    def __init__(self, number: int) -> None:
        self._number = number

    def __await__(self) -> Generator[Any, None, None]:
        yield self._number


def driven(call: Callable[..., Any], cancel_at: int, *arguments: Any) -> list[Any]:
    """Every suspension of a coroutine and how it ended, when cancelled at the given one."""
    seen: list[Any] = []
    coroutine = call(*arguments)
    try:
        value = coroutine.send(None)
        while True:
            seen.append(value)
            if len(seen) > cancel_at:
                value = coroutine.throw(asyncio.CancelledError("stop"))
            else:
                value = coroutine.send(None)
    except StopIteration as stop:
        seen.append(("returned", stop.value))
    except BaseException as error:  # noqa: BLE001 - cancellation is what is looked at
        seen.append(("raised", error, type(error), str(error)))
    return seen


RESULTS = st.sampled_from(
    [spoken().encode(), spoken(), b"", None, RuntimeError("x"), ConnectionError("gone")]
)


@given(st.integers(0, 5), st.integers(0, 6), RESULTS, st.sampled_from([spoken(), b"{}", "", None, [b"a"]]))
def test_a_cancelled_receive_or_send_is_cancelled_where_it_was(
    suspensions: int, cancel_at: int, result: Any, message: Any
) -> None:
    socket = Waits(suspensions, result)
    socket.protocol = socket.close_code = None  # type: ignore[attr-defined]
    tap = lonely_tap()

    plain_recv = driven(socket.call, cancel_at)
    plain_send = driven(socket.call, cancel_at, message)
    watched_recv = driven(tap._observed_recv(socket.call), cancel_at)
    watched_send = driven(tap._observed_send(socket.call), cancel_at, message)

    assert comparable(watched_recv) == comparable(plain_recv)
    assert comparable(watched_send) == comparable(plain_send)


def comparable(seen: list[Any]) -> list[Any]:
    """An exception of the socket must be the very same; a cancellation is made anew each time."""
    return [entry[2:] if is_cancellation(entry) else entry for entry in seen]


def is_cancellation(entry: Any) -> bool:
    return isinstance(entry, tuple) and isinstance(entry[1], asyncio.CancelledError)


def lonely_tap() -> Any:
    """The tap of a connection that somebody dialled, from the real wiring."""
    with observed():
        active: Any = livemeter.instrumentation._active
        return active.watch(
            "wss://h/ws/google.ai.generativelanguage.v1.GenerativeService.BidiGenerateContent"
        )


# A fault inside every function of ours, in turn.

CARRIERS = {
    # These carry the application's own call and do nothing of ours before it.
    "observed_recv", "observed_send", "observed_connect", "observed_init", "observed_ping", "observed_close",
    "ObservedConnect.__init__", "ObservedConnect.__aenter__", "ObservedConnect.__aexit__",
}  # fmt: skip
ENTRIES = {
    # These the application calls itself, for their own sake.
    "__getattr__", "session", "Session.__init__", "Session.phase", "Session.expect", "Session.outcome",
}  # fmt: skip


class FaultError(Exception):
    """Raised in our code by the test."""


class Saboteur:
    """Raises at the first call of one function of ours, and notes which there were."""

    def __init__(self, target: str | None) -> None:
        self._target = target
        self.called: dict[str, None] = {}

    def __call__(self, frame: FrameType, event: str, _: Any) -> None:
        code = frame.f_code
        if event != "call" or not code.co_filename.startswith(PACKAGE):
            return
        name = f"{Path(code.co_filename).relative_to(PACKAGE)}:{code.co_qualname}"
        first = name not in self.called
        self.called[name] = None
        if first and name == self._target:
            raise FaultError(name)


async def conversation() -> Played:
    """A bit of everything: audio and a tool both ways, a block of ours around, a close that hurts."""
    played = Played()
    script = Scripted([*KNOWN, *KNOWN], (1011, "Internal error encountered."), awaits=4)
    async with client_of(script) as client:
        with livemeter.session(id="s", user="u", labels={"a": "b"}) as session:
            session.phase("before")
            try:
                async with client.aio.live.connect(model=MODEL, config=CONFIG) as live:
                    session.expect(["f"])
                    audio = types.Blob(data=b"\0\1" * 320, mime_type="audio/pcm;rate=16000")
                    for _ in range(3):
                        await live.send_realtime_input(audio=audio)
                    answer = types.FunctionResponse(id="1", name="f", response={"ok": True})
                    await live.send_tool_response(function_responses=[answer])
                    while True:
                        async for message in live.receive():
                            played.noticed.append((type(message), message.model_dump()))
            except Exception as error:  # noqa: BLE001 - whatever the application would see
                played.error(error)
            session.outcome("done")
    return played


CONFIG: Any = {"response_modalities": ["AUDIO"], "session_resumption": {}}


def sabotaged(target: str | None) -> tuple[list[Any], dict[str, None]]:
    saboteur = Saboteur(target)
    with observed():
        sys.settrace(saboteur)
        try:
            played = asyncio.run(conversation())
        finally:
            sys.settrace(None)
    return played.noticed, saboteur.called


def outermost(targets: list[str]) -> list[str]:
    """What meets the application's calls, and of every other module what is called first."""
    modules: dict[str, str] = {}
    for target in targets:
        modules.setdefault(target.partition(":")[0], target)
    shell = [target for target in targets if target.startswith(("hooks/tap", "hooks/google", "app/"))]
    return [*dict.fromkeys([*shell, *modules.values()])]


def test_a_fault_in_any_function_of_ours_is_not_the_application_s(caplog: pytest.LogCaptureFixture) -> None:
    plain = asyncio.run(conversation()).noticed
    watched, called = sabotaged(None)
    assert watched == plain
    spared = CARRIERS | ENTRIES
    targets = [name for name in called if name.partition(":")[2].rpartition("<locals>.")[2] not in spared]
    targets = [name for name in targets if not name.startswith(("testing/", "guard.py"))]
    assert len(targets) > 300
    if os.environ.get("LIVEMETER_HYPOTHESIS") != "soak":
        targets = outermost(targets)

    hurt = [name for name in targets if sabotaged(name)[0] != plain]

    assert hurt == []
