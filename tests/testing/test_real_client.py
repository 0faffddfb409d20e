"""The fake server in front of Google's own client.

This file imports nothing but the fake server, google-genai and pytest, so that it also runs where an older
google-genai with an older websockets is installed, without the rest of the project's requirements.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from google.genai import Client, errors, types
from google.oauth2.credentials import Credentials

from livemeter.testing import (
    Abort,
    Close,
    Expect,
    FakeLiveServer,
    GoAway,
    Match,
    RefuseHandshake,
    ResumptionUpdate,
    Script,
    Send,
    SendAudio,
    SetupComplete,
    Step,
    Usage,
)

MODEL = "gemini-3.8-live"
TURN_COMPLETE = Send({"serverContent": {"turnComplete": True}})


def script(*steps: Step, **match: Any) -> Script:
    return Script("talk", (SetupComplete(), *steps), Match(**match))


@asynccontextmanager
async def client_of(server: FakeLiveServer, *, vertex: bool = False) -> AsyncGenerator[Client]:
    """A client of either platform, closed in the end so that no socket outlives its test."""
    options = types.HttpOptions(base_url=server.url, async_client_args={"ssl": server.ssl_context()})
    if vertex:
        credentials = Credentials(token="x")  # type: ignore[no-untyped-call]
        client = Client(
            vertexai=True, project="p", location="us-central1", credentials=credentials, http_options=options
        )
    else:
        client = Client(api_key="x", http_options=options)
    try:
        yield client
    finally:
        await client.aio.aclose()
        client.close()


async def ask(session: Any, text: str) -> None:
    await session.send_client_content(
        turns=types.Content(role="user", parts=[types.Part(text=text)]), turn_complete=True
    )


async def speak(session: Any) -> None:
    """20 ms of audio."""
    await session.send_realtime_input(audio=types.Blob(data=bytes(640), mime_type="audio/pcm;rate=16000"))


async def hear_turn(session: Any) -> list[types.LiveServerMessage]:
    return [message async for message in session.receive()]


def audio_bytes(messages: list[types.LiveServerMessage]) -> int:
    turns = [
        m.server_content.model_turn for m in messages if m.server_content and m.server_content.model_turn
    ]
    blobs = [part.inline_data for turn in turns for part in turn.parts or [] if part.inline_data]
    assert {blob.mime_type for blob in blobs} <= {"audio/pcm;rate=24000"}
    return sum(len(blob.data or b"") for blob in blobs)


def details(tokens: list[types.ModalityTokenCount] | None) -> dict[str, int | None]:
    return {token.modality.value: token.token_count for token in tokens or [] if token.modality}


@pytest.mark.parametrize("vertex", [False, True])
async def test_a_conversation_with_audio_text_and_usage_in_the_spelling_of_its_platform(vertex: bool) -> None:
    talk = script(
        Expect("realtimeInput.audio", at_least_audio_ms=60),
        Expect("clientContent"),
        Send({"serverContent": {"inputTranscription": {"text": "hello"}}}),
        SendAudio(100),
        Usage(
            prompt={"TEXT": 410, "AUDIO": 131},
            response={"AUDIO": 156},
            thoughts_token_count=20,
            bundled_with={"serverContent": {"turnComplete": True}},
        ),
    )
    async with (
        FakeLiveServer([talk]) as server,
        client_of(server, vertex=vertex) as client,
        client.aio.live.connect(
            model=MODEL, config=types.LiveConnectConfig(response_modalities=[types.Modality.AUDIO])
        ) as session,
    ):
        assert session.session_id == "session-1"
        for _ in range(3):
            await speak(session)
        await ask(session, "hello")
        messages = await hear_turn(session)
    assert audio_bytes(messages) == 100 * 24 * 2
    assert messages[0].server_content is not None
    assert messages[0].server_content.input_transcription == types.Transcription(text="hello")
    usage = messages[-1].usage_metadata
    assert usage is not None
    counts = (usage.prompt_token_count, usage.response_token_count, usage.thoughts_token_count)
    assert counts == (541, 156, 20)
    assert details(usage.prompt_tokens_details) == {"TEXT": 410, "AUDIO": 131}
    assert details(usage.response_tokens_details) == {"AUDIO": 156}
    [connection] = server.connections
    assert connection.platform == ("vertex_ai" if vertex else "gemini_api")
    assert connection.kinds == ["setup", *["realtimeInput.audio"] * 3, "clientContent"]
    assert connection.model.endswith(f"models/{MODEL}")
    assert (connection.close_code, connection.closed_by, connection.steps_done) == (1000, "client", 6)


async def test_output_tokens_in_the_other_platforms_spelling_are_lost_on_vertex() -> None:
    talk = script(Usage(response={"AUDIO": 7}, spelling="response"), TURN_COMPLETE)
    async with (
        FakeLiveServer([talk]) as server,
        client_of(server, vertex=True) as client,
        client.aio.live.connect(model=MODEL, config={}) as session,
    ):
        usage = (await hear_turn(session))[0].usage_metadata
    assert usage is not None
    assert (usage.total_token_count, usage.response_token_count) == (7, None)


async def test_a_tool_call_waits_for_its_response_while_audio_goes_on() -> None:
    call = {"id": "call-1", "name": "get_weather", "args": {"city": "Oslo"}}
    talk = script(
        Expect("clientContent"),
        Send({"toolCall": {"functionCalls": [call]}}),
        Expect("toolResponse"),
        Usage(prompt={"TEXT": 10}, tool_use_prompt={"TEXT": 4}, response={"TEXT": 3}),
        TURN_COMPLETE,
    )
    declaration = {
        "name": "get_weather",
        "parameters": {"type": "OBJECT", "properties": {"home_city": {"type": "STRING"}}},
    }
    config: Any = {"tools": [{"function_declarations": [declaration]}]}
    async with (
        FakeLiveServer([talk]) as server,
        client_of(server) as client,
        client.aio.live.connect(model=MODEL, config=config) as session,
    ):
        await ask(session, "weather?")
        async for message in session.receive():
            if message.tool_call:
                [function_call] = message.tool_call.function_calls or []
                assert function_call.args == {"city": "Oslo"}
                await speak(session)
                response = types.FunctionResponse(
                    id=function_call.id, name="get_weather", response={"temp_c": 3}
                )
                await session.send_tool_response(function_responses=[response])
            if message.usage_metadata:
                assert message.usage_metadata.tool_use_prompt_token_count == 4
    [connection] = server.connections
    [answer] = connection.of_kind("toolResponse")
    [sent] = answer.message["toolResponse"]["functionResponses"]
    assert (sent["id"], sent["response"]) == ("call-1", {"temp_c": 3})
    [tool] = connection.setup["tools"]
    assert list(tool["functionDeclarations"][0]["parameters"]["properties"]) == ["home_city"]


async def test_go_away_and_resumption_over_two_connections() -> None:
    scripts = [
        script(Expect("clientContent"), ResumptionUpdate(), GoAway("5s"), TURN_COMPLETE, resumed=False),
        script(Expect("clientContent"), SendAudio(20), TURN_COMPLETE, resumed=True),
    ]
    handle: str | None = None
    async with FakeLiveServer(scripts) as server, client_of(server) as client:
        for _ in range(2):
            config = types.LiveConnectConfig(session_resumption=types.SessionResumptionConfig(handle=handle))
            async with client.aio.live.connect(model=MODEL, config=config) as session:
                await ask(session, "hello")
                for message in await hear_turn(session):
                    if message.session_resumption_update:
                        handle = message.session_resumption_update.new_handle
                    if message.go_away:
                        assert message.go_away.time_left == "5s"
    first, second = server.connections
    assert handle == "handle-1-1"
    assert "handle" not in first.setup["sessionResumption"]
    assert second.setup["sessionResumption"]["handle"] == handle


@pytest.mark.parametrize("status", [400, 401, 403, 429])
async def test_a_refused_handshake_is_an_http_status_to_the_client(status: int) -> None:
    refuse = Script("refuse", (RefuseHandshake(status),))
    async with FakeLiveServer([refuse]) as server, client_of(server) as client:
        with pytest.raises(Exception, match=f"HTTP {status}"):
            await client.aio.live.connect(model=MODEL, config={}).__aenter__()
    assert server.connections[0].refused_status == status


async def test_a_setup_rejected_with_1008_fails_the_connect_with_its_reason() -> None:
    reason = (
        f"models/{MODEL} is not found for API version v1beta, or is not supported for bidiGenerateContent."
    )
    reject = Script("reject", (Expect("setup"), Close(1008, reason)))
    async with FakeLiveServer([reject]) as server, client_of(server) as client:
        with pytest.raises(errors.APIError) as caught:
            await client.aio.live.connect(model=MODEL, config={}).__aenter__()
    assert caught.value.code == 1008
    assert reason in str(caught.value)
    assert (server.connections[0].close_code, server.connections[0].closed_by) == (1008, "server")


@pytest.mark.parametrize(
    ("last", "code"), [(Abort(), 1006), (Close(1011, "Internal error encountered."), 1011)]
)
async def test_a_connection_that_dies_in_a_turn_raises_its_code(last: Step, code: int) -> None:
    talk = script(Expect("clientContent"), SendAudio(20), last)
    async with (
        FakeLiveServer([talk]) as server,
        client_of(server) as client,
        client.aio.live.connect(model=MODEL, config={}) as session,
    ):
        await ask(session, "hello")
        with pytest.raises(errors.APIError) as caught:
            await hear_turn(session)
    assert caught.value.code == code
    assert server.connections[0].close_code == code
    assert server.connections[0].closed_by == ("none" if code == 1006 else "server")


async def test_a_message_of_unknown_keys_makes_the_client_raise_so_it_must_be_asked_for() -> None:
    talk = script(Send({"error": {"code": 500}}, allow_unknown=True), Expect("any", or_closed=True))
    async with (
        FakeLiveServer([talk]) as server,
        client_of(server) as client,
        client.aio.live.connect(model=MODEL, config={}) as session,
    ):
        with pytest.raises((TypeError, errors.APIError)):
            await hear_turn(session)


async def test_an_unchanged_client_comes_here_by_environment_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    async with FakeLiveServer() as server:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        client = Client()
        async with client.aio.live.connect(model=MODEL, config={}) as session:
            await ask(session, "hello")
            assert audio_bytes(await hear_turn(session)) == 400 * 24 * 2
        await client.aio.aclose()
        client.close()
    assert server.connections[0].script == "default"


async def test_sessions_at_the_same_time_do_not_mix() -> None:
    talk = script(Expect("clientContent"), SendAudio(40), TURN_COMPLETE)

    async def one() -> int:
        async with client.aio.live.connect(model=MODEL, config={}) as session:
            await ask(session, "hello")
            return audio_bytes(await hear_turn(session))

    async with FakeLiveServer([talk]) as server, client_of(server) as client:
        heard = await asyncio.gather(*(one() for _ in range(8)))
    assert heard == [40 * 24 * 2] * 8
    assert [connection.steps_done for connection in server.connections] == [4] * 8


def test_a_server_in_a_thread_serves_a_client_in_a_loop_of_its_own() -> None:
    async def one(server: FakeLiveServer) -> int:
        async with client_of(server) as client, client.aio.live.connect(model=MODEL, config={}) as session:
            await ask(session, "hello")
            return audio_bytes(await hear_turn(session))

    with FakeLiveServer.running_in_thread() as server:
        assert asyncio.run(one(server)) == 400 * 24 * 2
