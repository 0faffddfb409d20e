"""The server over real sockets, with a bare WebSocket client that speaks as other languages' SDKs do."""

import asyncio
import json
import logging
import ssl
import subprocess
import sys
import threading
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.sync.client import connect as connect_sync

from livemeter.testing import (
    SCRIPT_ERROR_CLOSE_CODE,
    Abort,
    CertificateAuthority,
    Close,
    Expect,
    FakeLiveServer,
    GoAway,
    Match,
    Pause,
    RefuseHandshake,
    Repeat,
    ResumptionUpdate,
    Script,
    ScriptError,
    Send,
    SendAudio,
    SetupComplete,
    Step,
    Usage,
)

GEMINI_PATH = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
VERTEX_PATH = "//ws/google.cloud.aiplatform.v1beta1.LlmBidiService/BidiGenerateContent"
Json = dict[str, Any]
SETUP: Json = {"setup": {"model": "models/gemini-3.8-live"}}
CONTENT: Json = {"clientContent": {"turns": [], "turnComplete": True}}
AUDIO: Json = {"realtimeInput": {"audio": {"data": "AAA=", "mimeType": "audio/pcm;rate=16000"}}}
TOOL_RESPONSE: Json = {"toolResponse": {"functionResponses": []}}
TURN_COMPLETE = Send({"serverContent": {"turnComplete": True}})


def dial(
    server: FakeLiveServer, path: str = GEMINI_PATH, **options: Any
) -> AbstractAsyncContextManager[ClientConnection]:
    """A client connection with or without TLS, as the server wants it."""
    if server.settings.tls:
        options["ssl"] = server.ssl_context()
    return connect(server.url.replace("http", "ws", 1) + path, **options)


def script(*steps: Step, **match: Any) -> Script:
    return Script("talk", steps, Match(**match))


async def say(socket: ClientConnection, *messages: Any) -> None:
    for message in messages:
        await socket.send(json.dumps(message))


async def hear(socket: ClientConnection, count: int = 1) -> list[Json]:
    return [json.loads(await socket.recv()) for _ in range(count)]


async def hear_all(socket: ClientConnection) -> list[Json]:
    return [json.loads(raw) async for raw in socket]


async def closing_error(script_: Script, *messages: Any, **options: Any) -> str:
    """Play messages against a script, expect the server to close, and return the script error."""
    options = {"tls": False, "raise_errors": False} | options
    async with FakeLiveServer([script_], **options) as server, dial(server) as socket:
        for message in messages:
            await socket.send(message if isinstance(message, (str, bytes)) else json.dumps(message))
        with pytest.raises(ConnectionClosedError) as caught:
            await hear(socket, 100)
    [error] = server.errors
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == SCRIPT_ERROR_CLOSE_CODE
    assert str(error).startswith(caught.value.rcvd.reason)
    return str(error)


async def test_without_scripts_it_answers_every_turn_over_tls() -> None:
    async with FakeLiveServer() as server, dial(server) as socket:
        await say(socket, SETUP)
        assert await hear(socket) == [{"setupComplete": {"sessionId": "session-1"}}]
        turns: list[Json] = [
            CONTENT,
            {"realtime_input": {"text": "hi"}},
            {"realtimeInput": {"activityEnd": {}}},
        ]
        for turn in turns:
            await say(socket, AUDIO, turn)
            *_, last = await hear(socket, 23)
            assert last["serverContent"]["turnComplete"] is True
            assert last["usageMetadata"]["responseTokensDetails"] == [{"modality": "AUDIO", "tokenCount": 10}]
    [connection] = server.connections
    assert (connection.script, connection.close_code, connection.closed_by) == ("default", 1000, "client")


@pytest.mark.parametrize("text_frames", [False, True])
async def test_server_messages_are_binary_json_unless_text_is_asked_for(text_frames: bool) -> None:
    async with FakeLiveServer(tls=False, text_frames=text_frames) as server, dial(server) as socket:
        await say(socket, SETUP)
        assert isinstance(await socket.recv(), str if text_frames else bytes)


async def test_client_messages_may_be_text_or_binary_in_either_spelling() -> None:
    talk = script(SetupComplete(), Expect("clientContent", count=2), Expect("toolResponse"), Close())
    async with FakeLiveServer([talk], tls=False) as server, dial(server) as socket:
        await socket.send(json.dumps(SETUP).encode())
        await socket.send('{"client_content": {"turns": [], "turn_complete": true}}')
        await socket.send(b'{"clientContent":{"turns":[],"turnComplete":true}}')
        await socket.send('{"tool_response": {"function_responses": [{"id": "1"}]}}')
        await hear_all(socket)
    [connection] = server.connections
    assert connection.kinds == ["setup", "clientContent", "clientContent", "toolResponse"]
    assert connection.of_kind("clientContent")[0].message == connection.of_kind("clientContent")[1].message
    assert connection.received[3].message == {"toolResponse": {"functionResponses": [{"id": "1"}]}}
    assert connection.received[1].raw == '{"client_content": {"turns": [], "turn_complete": true}}'
    assert connection.received[1].payload_bytes == 56


@pytest.mark.parametrize("compression", [False, True])
async def test_compression_is_an_option(compression: bool) -> None:
    async with FakeLiveServer(tls=False, compression=compression) as server, dial(server) as socket:
        await say(socket, SETUP)
        await hear(socket)
    assert server.connections[0].compressed is compression


async def test_other_paths_are_not_found() -> None:
    async with FakeLiveServer(tls=False) as server:
        with pytest.raises(InvalidStatus) as caught:
            await dial(server, "/v1beta/models").__aenter__()
    assert caught.value.response.status_code == 404
    assert server.connections == []


@pytest.mark.parametrize("status", [400, 401, 403, 429])
async def test_a_handshake_can_be_refused_and_the_next_one_served(status: int) -> None:
    refuse = Script("refuse", (RefuseHandshake(status, '{"error": "no"}'),), Match(connection=1))
    async with FakeLiveServer([refuse], tls=False) as server:
        with pytest.raises(InvalidStatus) as caught:
            await dial(server).__aenter__()
        assert (caught.value.response.status_code, caught.value.response.body) == (status, b'{"error": "no"}')
        async with dial(server) as socket:
            await say(socket, SETUP)
            await hear(socket)
    first, second = server.connections
    assert (first.script, first.refused_status, first.steps_done, first.close_code) == (
        "refuse",
        status,
        1,
        None,
    )
    assert (second.script, second.refused_status) == ("default", None)


async def test_usage_is_spelled_as_the_path_of_each_connection_says() -> None:
    talk = script(
        SetupComplete(), Usage(response={"AUDIO": 3}), Send({"usageMetadata": {"responseTokenCount": 4}})
    )
    names: list[list[str]] = []
    async with FakeLiveServer([talk], tls=False) as server:
        for path in (GEMINI_PATH, VERTEX_PATH):
            async with dial(server, path) as socket:
                await say(socket, SETUP)
                _, usage, sent = await hear(socket, 3)
                names.append(
                    [
                        name
                        for m in (usage, sent)
                        for name in m["usageMetadata"]
                        if name.endswith("TokenCount")
                    ]
                )
    assert names[0] == ["responseTokenCount", "totalTokenCount", "responseTokenCount"]
    assert names[1] == ["candidatesTokenCount", "totalTokenCount", "candidatesTokenCount"]
    assert [connection.platform for connection in server.connections] == ["gemini_api", "vertex_ai"]
    assert [connection.api_version for connection in server.connections] == ["v1beta", "v1beta1"]


async def test_handles_are_minted_in_order_and_only_for_clients_that_asked() -> None:
    talk = script(
        SetupComplete(), ResumptionUpdate(), ResumptionUpdate(resumable=False), ResumptionUpdate(), Close()
    )
    asked: Json = {"setup": {"model": "m", "session_resumption": {}}}
    heard: list[list[Json]] = []
    async with FakeLiveServer([talk], tls=False, minted_prefix="run7-") as server:
        for setup in (SETUP, asked, asked):
            async with dial(server) as socket:
                await say(socket, setup)
                heard.append(await hear_all(socket))
    unasked, second, third = heard
    assert unasked == [{"setupComplete": {"sessionId": "run7-session-1"}}]
    handles = [
        [m["sessionResumptionUpdate"].get("newHandle") for m in messages[1:]] for messages in (second, third)
    ]
    assert handles == [
        ["run7-handle-2-1", None, "run7-handle-2-2"],
        ["run7-handle-3-1", None, "run7-handle-3-2"],
    ]
    assert [connection.steps_done for connection in server.connections] == [5, 5, 5]


async def test_setup_and_handle_decide_on_the_script() -> None:
    scripts = [
        Script("resumed", (SetupComplete("again"), Close()), Match(resumed=True)),
        Script(
            "old", (Expect("setup"), Close(1008, "models/gemini-2.5-live is not found")), Match(model="2.5")
        ),
    ]
    async with FakeLiveServer(scripts, tls=False) as server:
        async with dial(server) as socket:
            await say(
                socket, {"setup": {"model": "models/gemini-2.5-live", "sessionResumption": {"handle": "h"}}}
            )
            assert await hear_all(socket) == [{"setupComplete": {"sessionId": "again"}}]
        async with dial(server) as socket:
            await say(socket, {"setup": {"model": "models/gemini-2.5-live"}})
            with pytest.raises(ConnectionClosedError, match="1008"):
                await hear_all(socket)
    assert [connection.script for connection in server.connections] == ["resumed", "old"]
    assert server.connections[1].close_reason == "models/gemini-2.5-live is not found"
    assert server.connections[1].closed_by == "server"


async def test_a_script_may_act_before_any_setup() -> None:
    async with FakeLiveServer([script(Close(1013, "later"))], tls=False) as server, dial(server) as socket:
        with pytest.raises(ConnectionClosedError, match="1013"):
            await hear(socket)
    assert server.errors == []


@pytest.mark.parametrize("tls", [False, True])
async def test_an_abort_leaves_no_close_frame(tls: bool) -> None:
    talk = script(SetupComplete(), Abort())
    async with FakeLiveServer([talk], tls=tls) as server, dial(server) as socket:
        await say(socket, SETUP)
        with pytest.raises(ConnectionClosedError) as caught:
            await hear(socket, 2)
        assert caught.value.rcvd is None
    [connection] = server.connections
    assert (connection.close_code, connection.closed_by, connection.steps_done) == (1006, "none", 2)


async def test_close_reasons_are_cut_and_a_close_may_be_without_code() -> None:
    scripts = [script(Close(1011, "é" * 100), connection=1), script(Close(1005), connection=2)]
    async with FakeLiveServer(scripts, tls=False) as server:
        for _ in range(2):
            async with dial(server) as socket:
                await socket.wait_closed()
                closed = socket.protocol.close_rcvd
                assert closed is not None
    first, second = server.connections
    assert (first.close_code, first.close_reason) == (1011, "é" * 61)
    assert (second.close_code, second.close_reason) == (1005, "")


async def test_audio_is_paced_sent_in_chunks_and_recorded() -> None:
    talk = script(
        SetupComplete(), SendAudio(50, chunk_ms=20, pacing_ms=1), GoAway("10s"), Pause(1), TURN_COMPLETE
    )
    async with FakeLiveServer([talk], tls=False) as server, dial(server) as socket:
        await say(socket, SETUP)
        messages = await hear(socket, 6)
    assert [list(message) for message in messages[4:]] == [["goAway"], ["serverContent"]]
    sent = server.connections[0].sent
    assert [frame.message for frame in sent] == messages
    assert [frame.keys for frame in sent[:2]] == [("setupComplete",), ("serverContent",)]
    assert sent[4].payload_bytes == len('{"goAway":{"timeLeft":"10s"}}')
    assert sent[1].sent_at <= sent[2].sent_at


async def test_messages_need_not_be_recorded() -> None:
    async with FakeLiveServer(tls=False, record_messages=False) as server, dial(server) as socket:
        await say(socket, SETUP, CONTENT)
        await hear(socket, 24)
    [connection] = server.connections
    assert connection.model == "models/gemini-3.8-live"
    assert [(frame.kind, frame.message, frame.raw) for frame in connection.received] == [
        ("setup", {}, b""),
        ("clientContent", {}, b""),
    ]
    assert connection.received[1].payload_bytes == len(json.dumps(CONTENT))
    assert all(frame.message == {} and frame.payload_bytes for frame in connection.sent)


async def test_keys_and_tokens_are_neither_recorded_nor_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("websockets.client").setLevel(logging.INFO)
    headers = {"x-goog-api-key": "sekret", "Authorization": "Bearer sekret"}
    path = f"{GEMINI_PATH}?key=sekret"
    async with FakeLiveServer(tls=False) as server, dial(server, path, additional_headers=headers) as socket:
        await say(socket, SETUP)
        await hear(socket)
    assert "sekret" not in repr(server.connections)
    assert "sekret" not in caplog.text
    assert server.connections[0].path == f"{GEMINI_PATH}?key"


async def test_a_wrong_message_names_script_step_what_was_expected_and_what_came() -> None:
    talk = script(SetupComplete(), Expect("clientContent"), Expect("toolResponse", timeout_s=3))
    error = await closing_error(talk, SETUP, CONTENT, AUDIO, CONTENT)
    assert error == (
        "script 'talk', connection 1 (gemini_api), step 3 Expect(kind='toolResponse', timeout_s=3): "
        "expected 1 toolResponse, 0 had come, but got clientContent (54 bytes with the keys clientContent)"
    )


async def test_a_step_within_repeat_is_named_with_its_round() -> None:
    talk = script(SetupComplete(), Repeat((Expect("clientContent"), Expect("toolResponse")), times=3))
    error = await closing_error(talk, SETUP, CONTENT, TOOL_RESPONSE, CONTENT, CONTENT)
    assert "step 2, round 2, step 2 Expect(kind='toolResponse'): expected 1 toolResponse" in error


async def test_a_time_out_says_what_was_waited_for() -> None:
    talk = script(SetupComplete(), Expect("realtimeInput.audio", at_least=3, timeout_s=0.3))
    error = await closing_error(talk, SETUP, AUDIO)
    assert error.endswith("waited 0.3 s for at least 3 realtimeInput.audio, 1 had come")


async def test_a_client_that_never_sends_the_deciding_setup_is_told() -> None:
    error = await closing_error(script(SetupComplete(), model="3.8"), expect_timeout_s=0.05)
    assert (
        error
        == "connection 1 (gemini_api): waited 0.05 s for the setup that decides on the script, nothing came"
    )


async def test_messages_before_the_setup_and_broken_json_are_errors() -> None:
    error = await closing_error(script(SetupComplete()), CONTENT)
    assert "step 1 SetupComplete(): expected 1 setup, 0 had come, but got clientContent" in error
    error = await closing_error(script(SetupComplete(), Expect("any", ignoring=("any",))), SETUP, b"\xff{")
    assert error.endswith("but got 2 bytes that are not a JSON object")


async def test_a_client_that_leaves_early_is_an_error_where_the_script_waits_or_sends() -> None:
    waiting = script(SetupComplete(), Expect("clientContent"), connection=1)
    sending = script(SetupComplete(), Pause(5000), TURN_COMPLETE, connection=2)
    server = FakeLiveServer([waiting, sending], tls=False, raise_errors=False)
    async with server:
        for _ in range(2):
            async with dial(server) as socket:
                await say(socket, SETUP)
                await hear(socket)
    first, second = map(str, server.errors)
    assert first.endswith("expected 1 clientContent, 0 had come, but the client closed the connection (1000)")
    assert second.endswith("cannot send serverContent: the client closed the connection (1000)")
    assert [connection.steps_done for connection in server.connections] == [1, 2]


@pytest.mark.parametrize("last", [Close(1011), Abort()])
async def test_a_client_that_leaves_before_the_server_does_is_an_error_too(last: Step) -> None:
    talk = script(SetupComplete(), Pause(5000), last)
    server = FakeLiveServer([talk], tls=False, raise_errors=False)
    async with server, dial(server) as socket:
        await say(socket, SETUP)
        await hear(socket)
    assert f"{last!r}: cannot do this, the client closed the connection (1000)" in str(server.errors[0])


@pytest.mark.parametrize("step", [Expect("clientContent", or_closed=True), Pause(5000, or_closed=True)])
async def test_a_client_may_leave_where_the_step_lets_it(step: Step) -> None:
    talk = script(SetupComplete(), step, TURN_COMPLETE, Close(1011))
    async with FakeLiveServer([talk], tls=False) as server, dial(server) as socket:
        await say(socket, SETUP)
        await hear(socket)
    assert server.connections[0].steps_done == 1


async def test_without_scripts_a_client_may_leave_before_its_setup() -> None:
    async with FakeLiveServer(tls=False) as server, dial(server):
        pass
    assert server.connections[0].closed_by == "client"


async def test_script_errors_are_raised_when_the_context_is_left() -> None:
    async def leave_a_client_in_its_script() -> ClientConnection:
        async with FakeLiveServer([script(SetupComplete(), Expect("clientContent"))], tls=False) as server:
            socket = await dial(server).__aenter__()
            await say(socket, SETUP)
            await hear(socket)
        return socket

    with pytest.raises(ScriptError, match=r"^script 'talk', connection 1 .* the server was stopped$"):
        await leave_a_client_in_its_script()


async def test_several_script_errors_come_as_one_exception_of_several_lines() -> None:
    server = FakeLiveServer([script(Expect("toolResponse"))], tls=False)
    with pytest.raises(ScriptError) as caught:  # noqa: PT012 - the exit raises
        async with server:
            for _ in range(2):
                async with dial(server) as socket:
                    await say(socket, CONTENT)
                    await socket.wait_closed()
    first, *others = str(caught.value).splitlines()
    assert first == "2 connections left their scripts:"
    assert [line.strip() for line in others] == [str(error) for error in server.errors]


async def test_an_exception_already_on_its_way_keeps_its_type_and_gets_a_note() -> None:
    server = FakeLiveServer([script(Expect("toolResponse"))], tls=False)
    with pytest.raises(KeyError) as caught:  # noqa: PT012 - the exit is what is tested
        async with server:
            async with dial(server) as socket:
                await say(socket, CONTENT)
                await socket.wait_closed()
            raise KeyError("the test itself")
    assert caught.value.__notes__ == [str(server.errors[0])]


async def test_many_connections_each_have_their_own_place_in_the_script() -> None:
    talk = script(
        SetupComplete(),
        Expect("clientContent"),
        SendAudio(100),
        Expect("toolResponse"),
        TURN_COMPLETE,
        Close(),
    )

    async def one() -> list[Json]:
        async with dial(server) as socket:
            await say(socket, SETUP, AUDIO, CONTENT, AUDIO, TOOL_RESPONSE)
            return (await hear_all(socket))[1:]

    async with FakeLiveServer([talk], tls=False) as server:
        heard = await asyncio.gather(*(one() for _ in range(30)))
    assert all(messages == heard[0] for messages in heard)
    assert sorted(connection.number for connection in server.connections) == list(range(1, 31))
    assert {connection.steps_done for connection in server.connections} == {6}


def test_in_a_thread_it_serves_synchronous_code() -> None:
    threads = threading.active_count()
    with (
        FakeLiveServer.running_in_thread(tls=False, minted_prefix="t-") as server,
        connect_sync(f"ws://127.0.0.1:{server.port}{GEMINI_PATH}") as socket,
    ):
        socket.send(json.dumps(SETUP))
        assert json.loads(socket.recv()) == {"setupComplete": {"sessionId": "t-session-1"}}
    assert server.connections[0].closed_by == "client"
    assert threading.active_count() == threads


def misbehave_in_thread(fault: Exception | None = None) -> None:
    with FakeLiveServer.running_in_thread([script(Expect("toolResponse"))], tls=False) as server:
        with connect_sync(f"ws://127.0.0.1:{server.port}{GEMINI_PATH}") as socket:
            socket.send(json.dumps(CONTENT))
            with pytest.raises(ConnectionClosedError):
                socket.recv()
        if fault is not None:
            raise fault


def test_in_a_thread_script_errors_are_raised_or_noted_as_well() -> None:
    with pytest.raises(ScriptError, match="expected 1 toolResponse"):
        misbehave_in_thread()
    with pytest.raises(KeyError) as caught:
        misbehave_in_thread(KeyError("the test itself"))
    assert "expected 1 toolResponse" in caught.value.__notes__[0]


def test_in_a_thread_a_taken_port_is_told() -> None:
    with FakeLiveServer.running_in_thread(tls=False) as server, pytest.raises(OSError, match="in use"):
        FakeLiveServer.running_in_thread(tls=False, port=server.port).__enter__()


OTHER_PROCESS = f"""
import asyncio, json, os, ssl
from websockets.asyncio.client import connect

async def talk():
    context = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
    url = os.environ["GOOGLE_GEMINI_BASE_URL"].replace("https", "wss")
    async with connect(url + {GEMINI_PATH!r}, ssl=context) as socket:
        await socket.send(json.dumps({SETUP!r}))
        print(await socket.recv())

asyncio.run(talk())
"""


def test_another_process_reaches_it_by_environment_alone() -> None:
    with FakeLiveServer.running_in_thread() as server:
        command = [sys.executable, "-c", OTHER_PROCESS]
        ran = subprocess.run(command, env=server.environment(), capture_output=True, check=True)
    assert b"session-1" in ran.stdout


async def test_servers_may_share_a_certificate_authority() -> None:
    with CertificateAuthority() as authority:
        async with (
            FakeLiveServer(authority=authority) as first,
            FakeLiveServer(authority=authority) as second,
        ):
            assert first.ca_file == second.ca_file
            async with dial(second, ssl=first.ssl_context()) as socket:
                await say(socket, SETUP)
                await hear(socket)
        assert authority.ca_file.exists()
    assert not authority.ca_file.exists()


async def test_a_client_that_does_not_trust_the_authority_is_turned_away() -> None:
    async with FakeLiveServer() as server:
        with pytest.raises(ssl.SSLCertVerificationError):
            await connect(f"wss://127.0.0.1:{server.port}{GEMINI_PATH}").__aenter__()
        ca_file = server.ca_file
    assert not ca_file.exists()


async def test_without_tls_or_before_the_start_it_says_what_is_missing() -> None:
    with pytest.raises(RuntimeError, match="not running: enter its context first"):
        _ = FakeLiveServer().url
    async with FakeLiveServer(tls=False) as server:
        assert set(server.environment()) == {
            "GOOGLE_GEMINI_BASE_URL",
            "GOOGLE_VERTEX_BASE_URL",
            "GEMINI_API_KEY",
        }
        assert server.url == f"http://127.0.0.1:{server.port}"
        with pytest.raises(RuntimeError, match="has no certificate"):
            server.ssl_context()
