"""google-genai observed: every frame seen, and the application none the wiser.

The fake server's own record of what crossed the socket is the oracle. The file also runs where an older
google-genai with an older websockets is installed.
"""

import asyncio
import logging
from typing import Any, cast

import pytest
from google.genai import errors, live, types
from websockets.exceptions import ConnectionClosed, InvalidStatus

from livemeter import guard
from livemeter.observer.facts import (
    ConnectionClosed as Closed,
)
from livemeter.observer.facts import (
    ConnectionStarted,
    FramesRecorded,
    ResumptionChanged,
    ToolCallEnded,
    TurnEnded,
    UsageReported,
)
from livemeter.testing import (
    Abort,
    Close,
    Expect,
    FakeLiveServer,
    RefuseHandshake,
    ResumptionUpdate,
    Script,
    Send,
    SendAudio,
    SetupComplete,
    Step,
    Usage,
)
from livemeter.vocabulary import ClosedBy, Phase, ToolStatus
from tests.hooks.conftest import ClientOf, Watched

MODEL = "gemini-3.8-live"
CLOSED = (errors.APIError, ConnectionClosed)
"""What a receive raises when the socket is gone: the SDK's error from 1.62 on, before it the library's."""

TURN_COMPLETE = {"serverContent": {"turnComplete": True}}
ANSWER: tuple[Step, ...] = (
    Expect("clientContent"),
    SendAudio(100),
    Usage(prompt={"TEXT": 12}, response={"AUDIO": 3}, bundled_with=TURN_COMPLETE),
)


def played(*steps: Step, accept: bool = True) -> FakeLiveServer:
    first: tuple[Step, ...] = (SetupComplete(),) if accept else ()
    return FakeLiveServer([Script("talk", (*first, *steps))])


async def ask(session: Any, text: str = "hello") -> None:
    turn = types.Content(role="user", parts=[types.Part(text=text)])
    await session.send_client_content(turns=turn, turn_complete=True)


async def answer(session: Any) -> list[dict[str, Any]]:
    return [message.model_dump(exclude_none=True) async for message in session.receive()]


async def one_turn(server: FakeLiveServer, client_of: ClientOf, *, vertex: bool = False) -> list[Any]:
    async with client_of(server, vertex=vertex) as client:
        async with client.aio.live.connect(model=MODEL) as session:
            await ask(session)
            return await answer(session)


@pytest.mark.parametrize("vertex", [False, True], ids=["developer", "vertex"])
async def test_every_frame_of_both_directions_is_recorded_with_its_size(
    watched: Watched, client_of: ClientOf, vertex: bool
) -> None:
    async with played(*ANSWER) as server:
        await one_turn(server, client_of, vertex=vertex)

    batches = watched.of(FramesRecorded)
    sizes: dict[int, list[int]] = {0: [], 1: []}
    for batch in batches:
        for direction, size in zip(batch.directions, batch.bytes, strict=True):
            sizes[direction].append(size)
    [connection] = server.connections
    assert [frame.payload_bytes for frame in connection.received] == sizes[0]
    assert [frame.payload_bytes for frame in connection.sent] == sizes[1]


@pytest.mark.parametrize("vertex", [False, True], ids=["developer", "vertex"])
async def test_a_turn_gives_its_usage_in_either_spelling(
    watched: Watched, client_of: ClientOf, vertex: bool
) -> None:
    async with played(*ANSWER) as server:
        await one_turn(server, client_of, vertex=vertex)

    [reported] = watched.of(UsageReported)
    [turn] = watched.of(TurnEnded)
    assert (
        reported.usage.prompt,
        reported.usage.response,
        reported.usage.response_details,
    ) == (12, 3, {"AUDIO": 3})
    assert (turn.turn, turn.has_output, turn.model_speech_ms) == (1, True, 100.0)


async def test_the_application_sees_the_same_messages_with_and_without_the_hook(
    watched: Watched, client_of: ClientOf
) -> None:
    async with played(*ANSWER) as server:
        observed = await one_turn(server, client_of)
    watched.hooks.uninstall()
    async with played(*ANSWER) as server:
        plain = await one_turn(server, client_of)

    assert plain == observed


async def test_the_setup_is_read_though_it_passes_before_a_session_exists(
    watched: Watched, client_of: ClientOf
) -> None:
    config: types.LiveConnectConfigDict = {
        # As applications write it: the client takes the word, its types only name the enum.
        "response_modalities": [cast(types.Modality, "AUDIO")],
        "tools": [{"function_declarations": [{"name": "book"}]}],
        "system_instruction": "Be brief.",
        "input_audio_transcription": {},
    }
    async with played(*ANSWER) as server, client_of(server) as client:
        async with client.aio.live.connect(model=MODEL, config=config) as session:
            await ask(session)
            await answer(session)

    [started] = watched.of(ConnectionStarted)
    setup = started.setup
    assert (setup.model, setup.response_modalities, setup.declared_tools) == (MODEL, ("AUDIO",), ("book",))
    assert setup.input_transcription
    assert not setup.output_transcription
    assert setup.instruction_bytes > 0


async def test_a_refused_setup_is_a_close_in_that_phase(watched: Watched, client_of: ClientOf) -> None:
    async with played(Expect("setup"), Close(1008, "no such model"), accept=False) as server:
        with pytest.raises(CLOSED):
            await one_turn(server, client_of)

    [closed] = watched.of(Closed)
    assert (closed.code, closed.reason, closed.phase) == (1008, "no such model", Phase.SETUP)
    assert (closed.closed_by, closed.setup.model) == (ClosedBy.SERVER, MODEL)


async def test_a_refused_handshake_is_a_close_with_its_http_status(
    watched: Watched, client_of: ClientOf
) -> None:
    async with FakeLiveServer([Script("no", (RefuseHandshake(429, "quota for key=AIzaSecret"),))]) as server:
        with pytest.raises(InvalidStatus):
            await one_turn(server, client_of)

    [closed] = watched.of(Closed)
    assert (closed.code, closed.http_status, closed.phase) == (None, 429, Phase.HANDSHAKE)
    assert closed.reason == "quota for key=[redacted]"


async def test_the_server_s_close_is_the_server_s(watched: Watched, client_of: ClientOf) -> None:
    async with played(*ANSWER, Close(1011, "Internal error encountered.")) as server:
        async with client_of(server) as client, client.aio.live.connect(model=MODEL) as session:
            await ask(session)
            await answer(session)
            with pytest.raises(CLOSED):
                await answer(session)

    [closed] = watched.of(Closed)
    assert (closed.code, closed.reason) == (1011, "Internal error encountered.")
    assert (closed.closed_by, closed.clean, closed.phase) == (ClosedBy.SERVER, True, Phase.ACTIVE)


async def test_a_key_in_a_close_reason_is_not_kept(watched: Watched, client_of: ClientOf) -> None:
    reason = "API key AIzaSyVerySecretIndeed not valid"
    async with played(Expect("setup"), Close(1007, reason), accept=False) as server:
        with pytest.raises(CLOSED):
            await one_turn(server, client_of)

    assert watched.of(Closed)[0].reason == "API key [redacted] not valid"


async def test_the_client_s_close_is_the_client_s(watched: Watched, client_of: ClientOf) -> None:
    async with played(*ANSWER) as server:
        await one_turn(server, client_of)

    [closed] = watched.of(Closed)
    assert (closed.code, closed.closed_by, closed.clean) == (1000, ClosedBy.CLIENT, True)


async def test_a_lost_connection_is_nobody_s_close(watched: Watched, client_of: ClientOf) -> None:
    async with played(*ANSWER, Expect("clientContent"), Abort()) as server:
        async with client_of(server) as client, client.aio.live.connect(model=MODEL) as session:
            await ask(session)
            await answer(session)
            await ask(session)
            with pytest.raises(CLOSED):
                await answer(session)

    [closed] = watched.of(Closed)
    assert (closed.code, closed.closed_by, closed.clean) == (1006, ClosedBy.NONE, False)


async def test_a_tool_response_that_the_socket_refuses_is_recorded_as_such(
    watched: Watched, client_of: ClientOf
) -> None:
    call = Send({"toolCall": {"functionCalls": [{"id": "c1", "name": "book", "args": {}}]}})
    async with played(Expect("clientContent"), call, Close(1011, "")) as server:
        async with client_of(server) as client, client.aio.live.connect(model=MODEL) as session:
            await ask(session)
            message = await session._receive()
            assert message.tool_call
            await session._ws.wait_closed()
            with pytest.raises(ConnectionClosed):
                await session.send_tool_response(
                    function_responses=types.FunctionResponse(id="c1", name="book", response={"ok": True})
                )

    [ended] = watched.of(ToolCallEnded)
    assert (ended.status, ended.name) == (ToolStatus.SEND_FAILED, "book")
    assert watched.of(Closed)[0].code == 1011


async def test_a_cancelled_receive_loses_no_frame_and_ends_nothing(
    watched: Watched, client_of: ClientOf
) -> None:
    async with played(*ANSWER) as server:
        async with client_of(server) as client, client.aio.live.connect(model=MODEL) as session:
            waiting = asyncio.create_task(answer(session))
            await asyncio.sleep(0.01)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            assert watched.of(Closed) == []
            await ask(session)
            messages = await answer(session)

    assert messages[-1]["server_content"]["turn_complete"]
    assert len(watched.of(UsageReported)) == 1


async def test_raw_sends_around_the_session_are_seen(watched: Watched, client_of: ClientOf) -> None:
    raw = '{"clientContent":{"turns":[{"role":"user","parts":[{"text":"hi"}]}],"turnComplete":true}}'
    async with played(*ANSWER) as server:
        async with client_of(server) as client, client.aio.live.connect(model=MODEL) as session:
            session._ws.close_timeout = 1.0
            await session._ws.send(raw)
            await answer(session)

    kinds = [kind for batch in watched.of(FramesRecorded) for kind in batch.kinds]
    assert [kind for kind in kinds if kind in {"setup", "clientContent"}] == ["setup", "clientContent"]


async def test_a_connection_may_be_entered_and_left_in_different_tasks(
    watched: Watched, client_of: ClientOf
) -> None:
    async with played(*ANSWER) as server, client_of(server) as client:
        opening = client.aio.live.connect(model=MODEL)
        session = await asyncio.create_task(opening.__aenter__())
        await ask(session)
        await asyncio.create_task(answer(session))
        await asyncio.create_task(opening.__aexit__(None, None, None))

    assert len(watched.of(Closed)) == 1


async def test_a_resumption_handle_leaves_as_a_hash_only(watched: Watched, client_of: ClientOf) -> None:
    async with played(*ANSWER, ResumptionUpdate("very-secret-handle")) as server:
        async with client_of(server) as client:
            config: types.LiveConnectConfigDict = {"session_resumption": {}}
            async with client.aio.live.connect(model=MODEL, config=config) as session:
                await ask(session)
                await answer(session)
                await session._receive()

    [changed] = watched.of(ResumptionChanged)
    assert changed.resumable
    assert len(changed.handle_hash) == 32
    assert "very-secret-handle" not in repr(watched.facts)


async def test_our_own_errors_never_reach_the_application(
    watched: Watched, client_of: ClientOf, caplog: pytest.LogCaptureFixture
) -> None:
    guard.strict(False)
    watched.broken = True
    with caplog.at_level(logging.WARNING, "livemeter"):
        async with played(*ANSWER) as server:
            messages = await one_turn(server, client_of)

    assert messages[-1]["server_content"]["turn_complete"]
    assert caplog.records


async def test_tests_see_our_own_errors(watched: Watched, client_of: ClientOf) -> None:
    watched.broken = True
    async with FakeLiveServer([Script("talk", (SetupComplete(),))], raise_errors=False) as server:
        with pytest.raises(RuntimeError, match="the sink is broken"):
            await one_turn(server, client_of)


def test_uninstalling_puts_back_what_was_there(watched: Watched) -> None:
    watched.hooks.uninstall()
    original = live.ws_connect  # type: ignore[attr-defined]
    watched.hooks.install(pytest.fail)
    watched.hooks.install(pytest.fail)
    assert live.ws_connect is not original  # type: ignore[attr-defined]
    watched.hooks.uninstall()
    watched.hooks.uninstall()

    assert live.ws_connect is original  # type: ignore[attr-defined]


def test_a_hook_laid_over_ours_stays_and_what_it_dials_is_not_observed(watched: Watched) -> None:
    ours, original = live.ws_connect, watched.hooks._original  # type: ignore[attr-defined]

    def theirs(*args: Any, **kwargs: Any) -> Any:
        return ours(*args, **kwargs)

    live.ws_connect = theirs  # type: ignore[attr-defined, assignment]
    try:
        watched.hooks.uninstall()
        assert live.ws_connect is theirs  # type: ignore[attr-defined]
        assert isinstance(theirs("wss://127.0.0.1:1"), original)
    finally:
        live.ws_connect = original  # type: ignore[attr-defined]
