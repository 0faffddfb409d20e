"""What applications do with the real client, by habit or by accident; every frame is told, once.

The fake server's record of what crossed the socket is the oracle.
"""

import asyncio
import json
import random
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from google.genai import Client, errors, types
from websockets.exceptions import ConnectionClosed

import livemeter
from livemeter.instrumentation import NotInstalledError, instrument_privately
from livemeter.settings import Settings
from livemeter.testing import (
    Close,
    Expect,
    FakeLiveServer,
    Repeat,
    Script,
    SendAudio,
    SetupComplete,
    Step,
    Usage,
)
from livemeter.vocabulary import Attribute, ClosedBy, Event, FramesBody
from tests.app.conftest import Told
from tests.hooks.conftest import ClientOf
from tests.hooks.sockets import until
from tests.instrumentation.otlp_server import OtlpServer

MODEL = "gemini-3.8-live"
TURN_COMPLETE = {"serverContent": {"turnComplete": True}}
TURN: tuple[Step, ...] = (
    Expect("clientContent"),
    SendAudio(60),
    Usage(prompt={"TEXT": 12}, response={"AUDIO": 3}, bundled_with=TURN_COMPLETE),
)
ANY_TURN = Expect("turn", ignoring=("any",), or_closed=True)
ENDLESS = Script("talk", (SetupComplete(), Repeat((ANY_TURN, *TURN[1:]))))
QUESTION = types.Content(role="user", parts=[types.Part(text="hello")])
RAW = '{"clientContent":{"turns":[{"role":"user","parts":[{"text":"hi"}]}],"turnComplete":true}}'
AUDIO = types.Blob(data=b"\0\1" * 160, mime_type="audio/pcm;rate=16000")


def served(*steps: Step) -> FakeLiveServer:
    return FakeLiveServer([Script("talk", (SetupComplete(), *steps))])


def talkative() -> FakeLiveServer:
    return FakeLiveServer([ENDLESS])


async def ask(session: Any) -> None:
    await session.send_client_content(turns=QUESTION, turn_complete=True)
    await answer(session)


async def answer(session: Any) -> int:
    return len([message async for message in session.receive()])


def sizes(told: Told, direction: int) -> list[int]:
    """Frames told, in bytes; 0 is sent, 1 received."""
    batches: list[Any] = [record.body for record in told.records if record.event_name == Event.FRAMES]
    bodies = [json.loads(body) for body in batches]
    return [
        size
        for body in bodies
        for way, size in zip(body[FramesBody.DIRECTION], body[FramesBody.BYTES], strict=True)
        if way == direction
    ]


def crossed(server: FakeLiveServer) -> tuple[list[int], list[int]]:
    """Frames that the server saw, in bytes: from the client, to the client."""
    [connection] = server.connections
    return (
        [frame.payload_bytes for frame in connection.received],
        [frame.payload_bytes for frame in connection.sent],
    )


def assert_told(told: Told, server: FakeLiveServer, code: int, closed_by: ClosedBy) -> None:
    """Every frame once, in its order, and one end."""
    assert (sizes(told, 0), sizes(told, 1)) == crossed(server)
    [closed] = told.of(Event.CONNECTION_CLOSED)
    assert (closed[Attribute.CLOSE_CODE], closed[Attribute.CLOSED_BY]) == (code, closed_by)
    assert len(told.of(Event.CONNECTION_STARTED)) == 1


async def test_entered_in_one_task_used_in_others_and_left_in_another(
    told: Told, client_of: ClientOf
) -> None:
    async with talkative() as server, client_of(server) as client:
        opening = client.aio.live.connect(model=MODEL)
        session = await asyncio.create_task(opening.__aenter__())
        await asyncio.create_task(ask(session))
        await asyncio.create_task(ask(session))
        await asyncio.create_task(opening.__aexit__(None, None, None))

    assert_told(told, server, 1000, ClosedBy.CLIENT)
    assert [turn[Attribute.TURN] for turn in told.of(Event.TURN)] == [1, 2]


async def test_a_receive_that_is_cancelled_again_and_again_loses_and_repeats_nothing(
    told: Told, client_of: ClientOf
) -> None:
    chance = random.Random(7)
    received = 0
    steps = (Expect("clientContent"), SendAudio(1000, pacing_ms=1), Usage(bundled_with=TURN_COMPLETE))
    async with served(*steps) as server, client_of(server) as client:
        async with client.aio.live.connect(model=MODEL) as session:
            for _ in range(5):
                # Nothing can have come, so this one waits.
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(session._receive(), 0.001)
            await session.send_client_content(turns=QUESTION, turn_complete=True)
            while received < 51:
                receiving = asyncio.ensure_future(session._receive())
                for _ in range(chance.randrange(4)):
                    await asyncio.sleep(0)
                if chance.random() < 0.5:
                    receiving.cancel()
                with suppress(asyncio.CancelledError):
                    await receiving
                    received += 1

    assert_told(told, server, 1000, ClosedBy.CLIENT)


async def test_a_second_reader_is_turned_away_and_ends_nothing(told: Told, client_of: ClientOf) -> None:
    async with talkative() as server, client_of(server) as client:
        async with client.aio.live.connect(model=MODEL) as session:
            first = asyncio.create_task(answer(session))
            await asyncio.sleep(0)
            with pytest.raises(Exception, match="recv"):
                await answer(session)
            await session.send_client_content(turns=QUESTION, turn_complete=True)
            await first

    assert_told(told, server, 1000, ClosedBy.CLIENT)


async def test_two_tasks_sending_at_once_are_told_in_the_order_of_the_wire(
    told: Told, client_of: ClientOf
) -> None:
    async def say(session: Any, first: int) -> None:
        for number in range(first, first + 25):
            audio = types.Blob(data=bytes(2 * number), mime_type="audio/pcm")
            await session.send_realtime_input(audio=audio)
            await session.send_realtime_input(text="x" * number)

    async with talkative() as server, client_of(server) as client:
        async with client.aio.live.connect(model=MODEL) as session:
            listening = asyncio.create_task(answer(session))
            await asyncio.gather(say(session, 1), say(session, 100))
            await listening
            for _ in range(49):
                await answer(session)

    assert_told(told, server, 1000, ClosedBy.CLIENT)


async def test_settings_of_the_socket_may_be_changed(told: Told, client_of: ClientOf) -> None:
    async with talkative() as server, client_of(server) as client:
        async with client.aio.live.connect(model=MODEL) as session:
            session._ws.close_timeout = 1.0
            await ask(session)
            assert session._ws.close_timeout == 1.0

    assert_told(told, server, 1000, ClosedBy.CLIENT)


async def test_a_socket_that_the_application_aborts_is_nobody_s_close(
    told: Told, client_of: ClientOf
) -> None:
    async with talkative() as server, client_of(server) as client:
        async with client.aio.live.connect(model=MODEL) as session:
            await ask(session)
            session._ws.transport.abort()
            with pytest.raises((errors.APIError, ConnectionClosed)):
                await answer(session)

    assert_told(told, server, 1006, ClosedBy.NONE)


async def test_a_session_that_is_dropped_without_an_exit_ends_once(told: Told, client_of: ClientOf) -> None:
    async def drop(client: Client) -> None:
        await ask(await client.aio.live.connect(model=MODEL).__aenter__())

    async with talkative() as server, client_of(server) as client:
        await drop(client)
        await until(lambda: len(told.of(Event.CONNECTION_CLOSED)) > 0)

    # 1000 or, from websockets 17.2 on, 1011: the loop ends the SDK's generator by an exception.
    [closed] = told.of(Event.CONNECTION_CLOSED)
    assert_told(told, server, closed[Attribute.CLOSE_CODE], ClosedBy.CLIENT)


async def test_an_exit_long_after_the_socket_died_changes_nothing_of_its_end(
    told: Told, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("livemeter.hooks.tap.LOSS_GRACE_S", 0.01)
    failing = served(*TURN, Close(1011, "Internal error encountered."))
    async with failing as server, client_of(server) as client:
        async with client.aio.live.connect(model=MODEL) as session:
            await ask(session)
            await until(lambda: len(told.of(Event.CONNECTION_CLOSED)) > 0)
            before = len(told.records)
            with pytest.raises((errors.APIError, ConnectionClosed)):
                await answer(session)

    assert len(told.records) == before
    assert_told(told, server, 1011, ClosedBy.SERVER)


async def test_the_deprecated_send_is_told_and_warns_as_ever(told: Told, client_of: ClientOf) -> None:
    async with talkative() as server, client_of(server) as client:
        async with client.aio.live.connect(model=MODEL) as session:
            with pytest.warns(DeprecationWarning, match="session.send") as warned:
                await session.send(input="hello", end_of_turn=True)
            await answer(session)

    assert_told(told, server, 1000, ClosedBy.CLIENT)
    assert {warning.filename for warning in warned} == {__file__}


async def test_what_is_sent_and_received_around_the_session_is_told(told: Told, client_of: ClientOf) -> None:
    async with talkative() as server, client_of(server) as client:
        async with client.aio.live.connect(model=MODEL) as session:
            await session._ws.send(RAW)
            await session._ws.recv()
            await answer(session)
            await session._ws.send(RAW.encode())
            async for message in session._ws:
                if b"turnComplete" in message:
                    break

    assert_told(told, server, 1000, ClosedBy.CLIENT)
    assert len(told.of(Event.USAGE)) == 2


async def test_a_block_that_is_left_by_an_exception_lets_that_very_exception_out(
    told: Told, client_of: ClientOf
) -> None:
    mine = LookupError("mine")

    async def fail(client: Client) -> None:
        async with client.aio.live.connect(model=MODEL) as session:
            await ask(session)
            raise mine

    async with talkative() as server, client_of(server) as client:
        with pytest.raises(LookupError) as caught:
            await fail(client)

    assert caught.value is mine
    assert (mine.args, mine.__cause__, mine.__context__) == (("mine",), None, None)
    assert not hasattr(mine, "__notes__")
    [closed] = told.of(Event.CONNECTION_CLOSED)
    assert_told(told, server, closed[Attribute.CLOSE_CODE], ClosedBy.CLIENT)


# Turned off and on.


def ours_on(socket: Any) -> set[str]:
    return {name for name in vars(socket) if name in {"recv", "send", "ping", "close", "_livemeter_observed"}}


async def test_turned_off_in_a_session_the_socket_is_as_it_was_and_the_application_goes_on(
    told: Told, client_of: ClientOf
) -> None:
    async with talkative() as server, client_of(server) as client:
        async with client.aio.live.connect(model=MODEL) as session:
            await ask(session)
            observed, until_then = ours_on(session._ws), crossed(server)
            livemeter.uninstrument()
            assert ours_on(session._ws) == set()
            await ask(session)

    assert observed == {"recv", "send", "ping", "_livemeter_observed"}
    assert (sizes(told, 0), sizes(told, 1)) == until_then
    assert told.of(Event.CONNECTION_CLOSED) == []


async def test_turned_on_again_new_connections_are_observed_and_old_ones_left_alone(
    told: Told, client_of: ClientOf
) -> None:
    exporter, active = told.exporter, livemeter.instrumentation._active
    async with talkative() as server, client_of(server) as client:
        async with client.aio.live.connect(model=MODEL) as old:
            await ask(old)
            livemeter.uninstrument()
            exporter.clear()
            assert active is not None
            livemeter.instrument(settings=active.emitter.settings)
            async with client.aio.live.connect(model=MODEL) as new:
                await ask(old)
                await ask(new)
                assert ours_on(old._ws) == set()
                assert ours_on(new._ws)

    assert told.records == []


async def test_turned_off_while_it_dials_the_connection_is_left_alone(
    told: Told, client_of: ClientOf
) -> None:
    async with talkative() as server, client_of(server) as client:
        opening = client.aio.live.connect(model=MODEL)
        dialling = asyncio.create_task(opening.__aenter__())
        await asyncio.sleep(0)
        livemeter.uninstrument()
        session = await dialling
        await ask(session)
        assert ours_on(session._ws) == set()
        await opening.__aexit__(None, None, None)

    assert told.records == []


def test_a_socket_is_let_go_by_its_own_loop_not_under_its_hands(told: Told, client_of: ClientOf) -> None:
    sockets: list[Any] = []
    in_the_middle, released = threading.Event(), threading.Event()

    async def talk_slowly(server: FakeLiveServer) -> None:
        async with client_of(server) as client:
            async with client.aio.live.connect(model=MODEL) as session:
                sockets.append(session._ws)
                await ask(session)
                in_the_middle.set()
                released.wait()
                await ask(session)

    with FakeLiveServer.running_in_thread([ENDLESS]) as server:
        talking = threading.Thread(target=asyncio.run, args=(talk_slowly(server),))
        talking.start()
        assert in_the_middle.wait(30)
        active: Any = livemeter.instrumentation._active
        [tap] = active.taps
        detached = tap.detach()
        meanwhile = detached.done(), ours_on(sockets[0])
        released.set()
        talking.join()

    assert meanwhile == (False, {"recv", "send", "ping", "_livemeter_observed"})
    assert detached.done()
    assert ours_on(sockets[0]) == set()


def test_turned_off_from_another_thread_nothing_is_lost_or_told_twice(
    told: Told, client_of: ClientOf
) -> None:
    """The socket's own loop lets it go, between two frames."""
    busy, stop = threading.Event(), threading.Event()

    async def talk_on(server: FakeLiveServer) -> None:
        async with client_of(server) as client:
            async with client.aio.live.connect(model=MODEL) as session:
                while not stop.is_set():
                    await ask(session)
                    await session.send_realtime_input(audio=AUDIO)
                    busy.set()

    with FakeLiveServer.running_in_thread([ENDLESS]) as server:
        talking = threading.Thread(target=asyncio.run, args=(talk_on(server),))
        talking.start()
        assert busy.wait(30)
        livemeter.uninstrument()
        count = len(told.records)
        stop.set()
        talking.join()

    assert len(told.records) == count
    for seen, there in zip((sizes(told, 0), sizes(told, 1)), crossed(server), strict=True):
        assert 0 < len(seen) < len(there)
        assert seen == there[: len(seen)]


def privately(sink: OtlpServer) -> Settings:
    return Settings(endpoint=sink.endpoint)


async def test_turned_on_and_off_again_and_again_no_thread_and_no_socket_is_left(
    client_of: ClientOf,
) -> None:
    def threads() -> int:
        return sum(thread.name.startswith(("Otel", "livemeter")) for thread in threading.enumerate())

    def sockets() -> int:
        return sum(path.is_socket() for path in Path("/proc/self/fd").iterdir())

    async def once(server: FakeLiveServer, sink: OtlpServer) -> None:
        instrument_privately(privately(sink))
        async with client_of(server) as client, client.aio.live.connect(model=MODEL) as session:
            await ask(session)
        await asyncio.to_thread(livemeter.uninstrument)

    sink = OtlpServer()
    with sink.running(), FakeLiveServer.running_in_thread([ENDLESS]) as server:
        threads_before = threads()
        await once(server, sink)
        sockets_before = sockets()
        for _ in range(6):
            await once(server, sink)
        # What the servers in this process have of a connection goes when they notice.
        await until(lambda: threads() <= threads_before and sockets() <= sockets_before)


def test_without_google_genai_no_thread_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "google.genai", None)
    before = threading.enumerate()
    with pytest.raises(NotInstalledError):
        instrument_privately(Settings(endpoint="http://127.0.0.1:9"))
    assert [thread for thread in threading.enumerate() if thread not in before] == []
