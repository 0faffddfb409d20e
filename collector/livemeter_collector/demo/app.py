"""The demo's voice application: the real google-genai client, instrumented with one import.

It runs as a process of its own (``python -m livemeter_collector.demo.app``) and finds both the Live
server and the collector by environment variables, as any application does. A line of JSON on stdout
after each session is its progress.
"""
# google-genai's own annotations are incomplete, so its methods are partly unknown to a strict checker.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnusedImport=false

import livemeter.auto  # noqa: I001 - the one line; before anything else, as the README shows it

import asyncio
import json
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import google.genai as genai  # noqa: PLR0402 - `google` has stubs of another distribution
from google.genai import errors, live, types
from google.oauth2.credentials import Credentials

import livemeter
from livemeter_collector.demo import SESSIONS

DEVELOPER_MODEL = "gemini-3.8-live"
OLDER_DEVELOPER_MODEL = "gemini-2.5-flash-native-audio-preview-12-2025"
VERTEX_MODEL = "gemini-live-2.5-flash-native-audio"
WRONG_ON_VERTEX = "gemini-2.5-flash-native-audio-preview-09-2025"

_SAMPLE_RATE_HZ = 16_000
_CHUNK_MS = 20
_PACE_S = 0.005  # four times faster than speech, so that nobody has to wait
_CHUNK = b"\0\1" * (_SAMPLE_RATE_HZ * _CHUNK_MS // 1000)

Config = dict[str, Any]


async def conversation() -> None:
    """Speak four turns with activity marked by hand, one interrupting the model, then type a fifth."""
    config: Config = {
        "system_instruction": "You are a waiter. Be brief.",
        "realtime_input_config": {"automatic_activity_detection": {"disabled": True}},
        "input_audio_transcription": {},
        "output_audio_transcription": {},
    }
    with livemeter.session("conversation", user="ana", labels={"lesson": "café"}):
        async with _developer(DEVELOPER_MODEL, config) as session:
            await _speak(session, 2000)
            await _listen(session)
            await _speak(session, 960)
            await _listen(session)
            await _speak(session, 600)
            await _listen_until_interrupting(session)
            await session.send_realtime_input(video=types.Blob(data=b"\xff\xd8\xff", mime_type="image/jpeg"))
            await _speak(session, 1200, started=True)
            await _listen(session)
            await _type(session, "How was my accent?")
            await _listen(session)


async def tools() -> None:
    """Answer a tool call, see one cancelled, and answer one that the server cannot take."""
    config: Config = {
        "tools": [{"function_declarations": [{"name": "find_order"}, {"name": "track_parcel"}]}]
    }
    with livemeter.session("tools", user="ben"):
        async with _developer(DEVELOPER_MODEL, config) as session:
            for question in ("Where is order 4711?", "And the parcel?", "And order 4712?"):
                await _type(session, question)
                await _listen(session, answer_tools=True)


async def go_away() -> None:
    """Leave when told to and resume on a new connection with the handle."""
    config: Config = {"session_resumption": {}}
    async with _developer(DEVELOPER_MODEL, config) as session:
        await _type(session, "Tell me a story.")
        handle = await _listen_until_go_away(session)
    config["session_resumption"] = {"handle": handle}
    async with _developer(DEVELOPER_MODEL, config) as session:
        await _type(session, "Go on.")
        await _listen(session)


async def forgotten() -> None:
    """Resume after an abnormal close, only to be greeted like a stranger."""
    config: Config = {"session_resumption": {}}
    async with _developer(DEVELOPER_MODEL, config) as session:
        await _type(session, "My name is Chiara; remember it.")
        handle = await _listen_until_go_away(session)
    config["session_resumption"] = {"handle": handle}
    async with _developer(DEVELOPER_MODEL, config) as session:
        await _type(session, "What is my name?")
        await _listen(session)


async def wrong_backend() -> None:
    """Ask Vertex AI for a model by its Developer API name."""
    with livemeter.session("wrong-backend", user="dev"):
        async with _vertex(WRONG_ON_VERTEX) as session:
            await _listen(session)


async def gaps() -> None:
    """Speak three turns of which only the last is fully accounted for by the server."""
    config: Config = {"realtime_input_config": {"automatic_activity_detection": {"disabled": True}}}
    with livemeter.session("gaps", user="eva"):
        async with _developer(OLDER_DEVELOPER_MODEL, config) as session:
            for speech_ms in (3000, 1000, 1000):
                await _speak(session, speech_ms)
                await _listen(session)


async def cut() -> None:
    """Lose the network in the middle of an answer."""
    with livemeter.session("cut", user="finn"):
        async with _developer(DEVELOPER_MODEL, {}) as session:
            for question in ("Are you there?", "Still there?"):
                await _type(session, question)
                await _listen(session)


async def two_at_once() -> None:
    """Hold two sessions of two models at the same time."""

    async def hold(session_id: str, opened: Any) -> None:
        with livemeter.session(session_id, user="guy"):
            async with opened as session:
                for question in ("One?", "Two?"):
                    await _type(session, question)
                    await _listen(session)

    await asyncio.gather(
        hold("pair-developer", _developer(DEVELOPER_MODEL, {})), hold("pair-vertex", _vertex(VERTEX_MODEL))
    )


@asynccontextmanager
async def _developer(model: str, config: Config) -> AsyncGenerator[live.AsyncSession]:
    async with genai.Client().aio as client, _opened(client, model, config) as session:
        yield session


@asynccontextmanager
async def _vertex(model: str) -> AsyncGenerator[live.AsyncSession]:
    client = genai.Client(
        vertexai=True,
        project="livemeter-demo",
        location="us-central1",
        credentials=Credentials("not-a-token"),  # type: ignore[no-untyped-call]
    )
    async with client.aio as vertex, _opened(vertex, model, {}) as session:
        yield session


def _opened(client: Any, model: str, config: Config) -> Any:
    return client.live.connect(model=model, config={"response_modalities": ["AUDIO"], **config})


async def _type(session: live.AsyncSession, words: str) -> None:
    turn = types.Content(role="user", parts=[types.Part(text=words)])
    await session.send_client_content(turns=turn, turn_complete=True)


async def _speak(session: live.AsyncSession, speech_ms: int, *, started: bool = False) -> None:
    if not started:
        await session.send_realtime_input(activity_start=types.ActivityStart())
    audio = types.Blob(data=_CHUNK, mime_type=f"audio/pcm;rate={_SAMPLE_RATE_HZ}")
    for _ in range(speech_ms // _CHUNK_MS):
        await session.send_realtime_input(audio=audio)
        await asyncio.sleep(_PACE_S)
    await session.send_realtime_input(activity_end=types.ActivityEnd())


async def _listen(session: live.AsyncSession, *, answer_tools: bool = False) -> None:
    async for message in session.receive():
        if answer_tools and message.tool_call and not _is_slow(message.tool_call):
            await _answer(session, message.tool_call)


def _is_slow(tool_call: types.LiveServerToolCall) -> bool:
    return any(call.name == "track_parcel" for call in tool_call.function_calls or [])


async def _answer(session: live.AsyncSession, tool_call: types.LiveServerToolCall) -> None:
    for call in tool_call.function_calls or []:
        answer = types.FunctionResponse(
            id=call.id, name=call.name, response={"status": "shipped", "carrier": "any"}
        )
        await session.send_tool_response(function_responses=answer)


async def _listen_until_interrupting(session: live.AsyncSession) -> None:
    """Start to speak when the answer is 2.32 s long, and hear the model stop."""
    heard_ms = 0.0
    async for message in session.receive():
        heard_ms += len(message.data or b"") / 48
        if heard_ms >= 2320 and message.data:
            await session.send_realtime_input(activity_start=types.ActivityStart())


async def _listen_until_go_away(session: live.AsyncSession) -> str | None:
    """Return the last resumption handle once the server said goodbye, in whichever way."""
    handle: str | None = None
    try:
        while True:
            async for message in session.receive():
                update = message.session_resumption_update
                handle = (update.new_handle if update else None) or handle
                if message.go_away:
                    return handle
    except errors.APIError:
        return handle


async def _main() -> None:
    for name in SESSIONS:
        play: Callable[[], Awaitable[None]] = globals()[name]
        outcome = "ended"
        try:
            await play()
        except errors.APIError as error:
            outcome = f"closed with {error.code}"
        sys.stdout.write(json.dumps({"session": name, "outcome": outcome}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(_main())
