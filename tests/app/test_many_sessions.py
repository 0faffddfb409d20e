"""Many sessions in one process: they leave nothing behind, and what is told of one is not told of another."""

import asyncio
import gc
import threading
import weakref
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from hashlib import sha256
from typing import Any

import pytest
from google.genai import Client, errors, live, types
from google.genai.live import AsyncSession
from opentelemetry.sdk._logs import LoggerProvider, ReadableLogRecord
from opentelemetry.sdk._logs.export import (
    BatchLogRecordProcessor,
    LogRecordExporter,
    LogRecordExportResult,
)
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, ConnectionClosedOK, InvalidStatus
from websockets.frames import Close as CloseFrame

import livemeter
from livemeter import guard
from livemeter.app import closes
from livemeter.app.account import Account
from livemeter.app.connection import AccountedConnection
from livemeter.app.session import Session
from livemeter.emit.emitter import ConnectionEmitter
from livemeter.emit.spans import ConnectionSpans
from livemeter.hooks.health import ConnectionHealth
from livemeter.hooks.loop_lag import LagMeter
from livemeter.hooks.pings import PingWatch
from livemeter.hooks.tap import Tap
from livemeter.observer.connection import ConnectionObserver
from livemeter.observer.sessions import SessionState
from livemeter.settings import Settings
from livemeter.testing import (
    Abort,
    Close,
    Connection,
    Expect,
    FakeLiveServer,
    Match,
    RefuseHandshake,
    Repeat,
    ResumptionUpdate,
    Script,
    Send,
    SendAudio,
    SetupComplete,
    Usage,
)
from livemeter.vocabulary import Attribute, Event
from tests.app.conftest import Told
from tests.hooks.conftest import ClientOf
from tests.hooks.sockets import until

BOUND = 20
"""What the registries of sessions, handles and accounts hold here, so that they are full soon."""

OF_A_CONNECTION = (
    Tap, ConnectionObserver, AccountedConnection, ConnectionEmitter, ConnectionSpans, ConnectionHealth,
    PingWatch, LagMeter, Session, ClientConnection, AsyncSession,
)  # fmt: skip
"""What there is once a connection, ours and what it is laid over."""


class Dropped(LogRecordExporter):
    """An exporter that keeps nothing."""

    def __init__(self) -> None:
        self.count = 0

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        self.count += len(batch)
        return LogRecordExportResult.SUCCESS

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return True

    def shutdown(self) -> None:
        pass


@contextmanager
def observing(exporter: LogRecordExporter) -> Iterator[None]:
    """Observation through the real providers of OpenTelemetry."""
    logger_provider = LoggerProvider(shutdown_on_exit=False)
    processor = BatchLogRecordProcessor(livemeter.LossCountingExporter(exporter), max_queue_size=100_000)
    logger_provider.add_log_record_processor(processor)
    livemeter.instrument(
        logger_provider=logger_provider,
        tracer_provider=TracerProvider(shutdown_on_exit=False),
        meter_provider=MeterProvider(shutdown_on_exit=False),
        settings=Settings(frames_interval_ms=10),
    )
    guard.strict(True)
    try:
        yield
    finally:
        guard.strict(False)
        livemeter.uninstrument()
        logger_provider.shutdown()


@pytest.fixture
def dropped() -> Iterator[Dropped]:
    dropped = Dropped()
    with observing(dropped):
        yield dropped


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("livemeter.observer.sessions.MAX_SESSIONS", BOUND)
    monkeypatch.setattr("livemeter.observer.sessions.MAX_HANDLES", BOUND)
    monkeypatch.setattr("livemeter.app.account.MAX_ACCOUNTS", BOUND)
    monkeypatch.setattr("livemeter.hooks.tap.LOSS_GRACE_S", 0.01)


def living(kinds: tuple[type, ...]) -> Counter[str]:
    gc.collect()
    return Counter(type(each).__qualname__ for each in gc.get_objects() if type(each) in kinds)


REGISTERED = ("accounts.", "app.account.", "observer.sessions.", "observer.clock.")
"""Modules of what registries hold. Full, they hold the same number of sessions, but not of the same kind."""


def census() -> Counter[str]:
    """All objects of ours by their types, but for those in registries and the fake server's."""
    gc.collect()
    names = (f"{type(each).__module__}.{type(each).__qualname__}" for each in gc.get_objects())
    ours = (name.removeprefix("livemeter.") for name in names if name.startswith("livemeter."))
    return Counter(name for name in ours if not name.startswith((*REGISTERED, "testing.")))


def assert_registries_are_full() -> None:
    """Sessions are kept by their ids, and others by their handles."""
    kept = living((Account, SessionState))
    assert kept["Account"] == BOUND
    assert BOUND <= kept["SessionState"] <= 2 * BOUND


# Nothing is left.

TURN_COMPLETE = {"serverContent": {"turnComplete": True}}
TURN = (
    Expect("clientContent"),
    SendAudio(60),
    Usage(prompt={"TEXT": 12, "AUDIO": 25}, response={"AUDIO": 10}, bundled_with=TURN_COMPLETE),
)
SCRIPTS = [
    Script("refuse", (RefuseHandshake(429, "slow down"),), Match(platform="vertex_ai")),
    Script("no setup", (Expect("setup"), Close(1008, "no such model")), Match(model="unknown")),
    Script(
        "fail", (SetupComplete(), *TURN, Close(1011, "Internal error encountered.")), Match(model="fails")
    ),
    Script("break", (SetupComplete(), *TURN, Abort()), Match(model="breaks")),
    Script("leave", (SetupComplete(), *TURN, Close(1000, "")), Match(model="leaves")),
    Script("talk", (SetupComplete(), ResumptionUpdate(), Repeat(TURN, times=2))),
]
RESUMABLE: Any = {"session_resumption": {}}


async def ask(session: Any) -> None:
    turn = types.Content(role="user", parts=[types.Part(text="hello")])
    await session.send_client_content(turns=turn, turn_complete=True)
    async for _ in session.receive():
        pass


async def talk(client: Client) -> None:
    async with client.aio.live.connect(model="gemini-3.8-live", config=RESUMABLE) as session:
        await ask(session)
        await ask(session)


async def talk_in_a_block(client: Client) -> None:
    with livemeter.session(user="mary", labels={"tenant": "acme"}) as session:
        session.on_budget(usd=100, call=lambda _: None)
        session.phase("before")
        await talk(client)
        session.outcome("done")


async def talk_on(client: Client, model: str) -> None:
    async with client.aio.live.connect(model=model) as session:
        while True:
            await ask(session)


async def until_it_ends(client: Client, model: str) -> None:
    with pytest.raises((errors.APIError, ConnectionClosed)) as caught:
        await talk_on(client, model)
    assert livemeter.diagnose(caught.value) is not None


async def forgotten(client: Client) -> None:
    """The server leaves and nobody notices: neither a receive nor an exit."""
    opening = client.aio.live.connect(model="leaves")
    session = await opening.__aenter__()
    await ask(session)
    await session._ws.wait_closed()
    await until(lambda: not vars(session._ws).keys() & {"recv", "send"})


async def dropped_open(client: Client) -> None:
    """Without an exit: the loop ends the generator of the SDK once it is garbage."""
    opening = client.aio.live.connect(model="gemini-3.8-live")
    await ask(await opening.__aenter__())


async def cancelled_on_the_way(client: Client) -> None:
    dialling = asyncio.create_task(talk(client))
    for _ in range(5):
        await asyncio.sleep(0)
    dialling.cancel()
    with suppress(asyncio.CancelledError):
        await dialling


async def never_dialled(_: Client) -> None:
    live.ws_connect("wss://h/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent")  # type: ignore[attr-defined]


async def refused(client: Client) -> None:
    with pytest.raises(InvalidStatus):
        await talk(client)


LIVES: list[Callable[[Client], Awaitable[None]]] = [
    talk,
    talk_in_a_block,
    lambda client: until_it_ends(client, "unknown"),
    lambda client: until_it_ends(client, "fails"),
    lambda client: until_it_ends(client, "breaks"),
    forgotten,
    dropped_open,
    cancelled_on_the_way,
    never_dialled,
]


async def test_connections_leave_nothing_however_they_end(
    small: None, dropped: Dropped, client_of: ClientOf
) -> None:
    """All kinds of lives, again and again: once the registries are full, there is not one object more."""

    async def lives(client: Client, vertex: Client, times: int) -> Counter[str]:
        for _ in range(times):
            await asyncio.gather(*(life(client) for life in LIVES), refused(vertex))
        await until(lambda: dropped.count > 0 and not living(OF_A_CONNECTION))
        return census()

    async with FakeLiveServer(SCRIPTS, record_messages=False, raise_errors=False) as server:
        async with client_of(server) as client, client_of(server, vertex=True) as vertex:
            before = await lives(client, vertex, times=8)
            after = await lives(client, vertex, times=16)

    assert after == before
    assert dropped.count > 0
    assert len(closes._known) == 0
    assert_registries_are_full()


async def test_a_socket_goes_when_it_would_go_without_us(dropped: Dropped, client_of: ClientOf) -> None:
    """Without waiting for the garbage collector: its buffers are a third of a megabyte."""

    async def is_freed(client: Client) -> bool:
        async with client.aio.live.connect(model="gemini-3.8-live") as session:
            await ask(session)
        socket = weakref.ref(session._ws)
        del session
        await asyncio.sleep(0)
        return socket() is None

    async with FakeLiveServer() as server, client_of(server) as client:
        gc.disable()
        try:
            observed = await is_freed(client)
            livemeter.uninstrument()
            plain = await is_freed(client)
        finally:
            gc.enable()

    assert (plain, observed) == (True, True)


async def test_a_loop_that_was_closed_with_sessions_open_keeps_none_of_them(
    small: None, dropped: Dropped
) -> None:
    def leave_open(server: FakeLiveServer) -> None:
        loop = asyncio.new_event_loop()
        options: Any = {"base_url": server.url, "async_client_args": {"ssl": server.ssl_context()}}
        client = Client(api_key="x", http_options=types.HttpOptions(**options))
        opening = client.aio.live.connect(model="gemini-3.8-live")
        session = loop.run_until_complete(opening.__aenter__())
        loop.run_until_complete(ask(session))
        session._ws.transport.abort()
        loop.run_until_complete(session._ws.wait_closed())
        loop.close()

    with FakeLiveServer.running_in_thread(SCRIPTS, raise_errors=False) as server:
        for _ in range(3):
            await asyncio.to_thread(leave_open, server)
        await until(lambda: not living(OF_A_CONNECTION))


URI = "wss://generativelanguage.googleapis.com/ws/google.ai.BidiGenerateContent"
SETUP = '{"setup":{"model":"models/gemini-3.8-live"}}'
ANSWER = (
    b'{"usageMetadata":{"promptTokenCount":37,"responseTokenCount":10},"serverContent":{"turnComplete":true}}'
)


class Scripted:
    """A socket that says what it is told and closes: what a tap touches of one, without a network."""

    class _Protocol:
        close_rcvd: CloseFrame | None = None
        close_sent: CloseFrame | None = None
        close_rcvd_then_sent: bool | None = None

    def __init__(self, messages: list[bytes]) -> None:
        self._messages = iter(messages)
        self.protocol = self._Protocol()
        self.close_code: int | None = None

    async def recv(self) -> bytes:
        for message in self._messages:
            return message
        close = self.protocol.close_rcvd = self.protocol.close_sent = CloseFrame(1000, "")
        self.close_code, self.protocol.close_rcvd_then_sent = 1000, True
        raise ConnectionClosedOK(close, close, rcvd_then_sent=True)

    async def send(self, message: str) -> None:
        pass

    async def ping(self) -> None:
        pass


async def scripted_session(number: int) -> None:
    """One session by the real wiring, from the dial to its end."""
    active: Any = livemeter.instrumentation._active
    update = b'{"sessionResumptionUpdate":{"newHandle":"handle-%d","resumable":true}}' % number
    socket = Scripted([b'{"setupComplete":{}}', update, ANSWER])
    active.watch(URI).attach(socket)
    await socket.send(SETUP)
    with suppress(ConnectionClosedOK):
        while True:
            await socket.recv()
    await asyncio.sleep(0)  # A loop forgets timers when it has a turn.


async def test_thousands_of_sessions_leave_what_the_first_hundred_left(small: None, dropped: Dropped) -> None:
    async def sessions(first: int, count: int) -> Counter[str]:
        for number in range(first, first + count):
            # In a task of its own, whose context goes with it.
            await asyncio.create_task(scripted_session(number))
        await until(lambda: dropped.count > 0)
        await until(lambda: not living(OF_A_CONNECTION))
        return census()

    before = await sessions(0, 100)
    after = await sessions(100, 1900)

    assert after == before
    assert_registries_are_full()


# Nothing is mixed.


def plan(number: int) -> Script:
    """A server that talks to one session as to no other."""
    call = {"functionCalls": [{"id": f"call-{number}", "name": f"tool_{number}", "args": {"n": number}}]}
    turn = (
        Expect("clientContent"),
        Send({"toolCall": call}),
        Expect("toolResponse"),
        SendAudio(20 * (1 + number % 5), sample_rate=24_000),
        Usage(
            prompt={"TEXT": 100 + number, "AUDIO": 1000 + 7 * number},
            response={"AUDIO": 10 + 3 * number},
            bundled_with=TURN_COMPLETE,
        ),
    )
    return Script(
        f"plan {number}", (SetupComplete(), Repeat(turn, times=turns(number))), Match(model=model(number))
    )


def turns(number: int) -> int:
    return 1 + number % 3


def model(number: int) -> str:
    return f"gemini-live-{number:03}-preview"


async def one_of_many(client: Client, number: int) -> livemeter.Session:
    with livemeter.session(f"session-{number}", user=f"user-{number}", labels={"n": str(number)}) as session:
        async with client.aio.live.connect(model=model(number)) as live:
            session.phase(f"phase-{number}")
            for _ in range(turns(number)):
                await one_turn(live, number)
            session.outcome(f"outcome-{number}")
    return session


async def one_turn(live: Any, number: int) -> None:
    content = types.Content(role="user", parts=[types.Part(text="x" * number)])
    await live.send_client_content(turns=content, turn_complete=True)
    async for message in live.receive():
        if not message.tool_call:
            continue
        [call] = message.tool_call.function_calls
        audio = types.Blob(data=bytes(320 * (1 + number % 7)), mime_type="audio/pcm;rate=16000")
        for _ in range(1 + number % 4):
            await live.send_realtime_input(audio=audio)
        answer = types.FunctionResponse(id=call.id, name=call.name, response={"n": call.args["n"]})
        await live.send_tool_response(function_responses=[answer])


def by_connection(told: Told) -> dict[str, list[tuple[str, Mapping[str, Any], Any]]]:
    events: dict[str, list[tuple[str, Mapping[str, Any], Any]]] = defaultdict(list)
    for record in told.records:
        attributes = dict(record.attributes or {})
        events[str(attributes[Attribute.CONNECTION_ID])].append(
            (record.event_name or "", attributes, record.body)
        )
    return events


def assert_own(events: list[tuple[str, Mapping[str, Any], Any]], number: int, served: Connection) -> None:
    """Everything that was told of a connection is what its own script had."""
    every = [attributes for _, attributes, _ in events]
    count = turns(number)

    def of(event: Event, *names: str) -> list[Any]:
        found = [attributes for name, attributes, _ in events if name == event]
        return [tuple(each.get(name) for name in names) for each in found]

    assert {each[Attribute.SESSION_ID] for each in every} == {f"session-{number}"}
    assert {each[Attribute.USER_ID] for each in every} == {sha256(f"user-{number}".encode()).hexdigest()}
    assert {each[f"{Attribute.LABEL_PREFIX}n"] for each in every} == {str(number)}
    # What leaves before the setup is answered has no model yet.
    assert {each[Attribute.MODEL] for each in every if Attribute.MODEL in each} == {model(number)}
    usage = (1100 + 8 * number, 10 + 3 * number)
    assert of(Event.USAGE, Attribute.INPUT_TOKENS, Attribute.OUTPUT_TOKENS) == [usage] * count
    assert of(Event.TURN, Attribute.TURN) == [(turn + 1,) for turn in range(count)]
    assert sum(speech for (speech,) in of(Event.TURN, Attribute.MODEL_SPEECH_MS) if speech) == pytest.approx(
        count * 20 * (1 + number % 5)
    )
    assert (
        of(Event.TOOL_CALL, Attribute.TOOL_NAME, Attribute.TOOL_CALL_ID)
        == [(f"tool_{number}", f"call-{number}")] * count
    )
    assert of(Event.PHASE, Attribute.APP_PHASE) == [(f"phase-{number}",)]
    assert of(Event.OUTCOME, Attribute.OUTCOME) == [(f"outcome-{number}",)]
    frames = len(served.received) + len(served.sent)
    assert sum(of_frames for (of_frames,) in of(Event.FRAMES, Attribute.FRAMES_COUNT)) == frames
    assert of(Event.CONNECTION_CLOSED, Attribute.FRAMES_OBSERVED) == [(frames,)]


def assert_not_mixed(told: Told, sessions: Mapping[int, livemeter.Session], server: FakeLiveServer) -> None:
    served = {connection.model.removeprefix("models/"): connection for connection in server.connections}
    told_of = by_connection(told)
    assert len(told_of) == len(served) == len(sessions)
    for events in told_of.values():
        number = int(str(events[0][1][Attribute.SESSION_ID]).removeprefix("session-"))
        assert_own(events, number, served[model(number)])
    for number, session in sessions.items():
        count, figures = turns(number), session.figures
        assert (figures.input_tokens, figures.output_tokens) == (
            count * (1100 + 8 * number),
            count * (10 + 3 * number),
        )


async def test_two_hundred_sessions_on_one_loop_never_mix(told: Told, client_of: ClientOf) -> None:
    numbers = range(200)
    with FakeLiveServer.running_in_thread([plan(number) for number in numbers]) as server:
        async with client_of(server) as client:
            done = await asyncio.gather(*(one_of_many(client, number) for number in numbers))

    assert_not_mixed(told, dict(zip(numbers, done, strict=True)), server)


def test_sessions_of_two_loops_in_two_threads_never_mix(told: Told, client_of: ClientOf) -> None:
    numbers = range(40)
    done: dict[int, livemeter.Session] = {}

    async def half(server: FakeLiveServer, mine: range) -> None:
        async with client_of(server) as client:
            done.update(
                zip(mine, await asyncio.gather(*(one_of_many(client, each) for each in mine)), strict=True)
            )

    with FakeLiveServer.running_in_thread([plan(number) for number in numbers]) as server:
        halves = [
            threading.Thread(target=asyncio.run, args=(half(server, mine),))
            for mine in (numbers[::2], numbers[1::2])
        ]
        for thread in halves:
            thread.start()
        for thread in halves:
            thread.join()

    assert_not_mixed(told, done, server)
