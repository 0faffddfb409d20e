"""A voice agent on the oldest ADK that is tested, which neither resumes nor reconnects: the application does.

``python app.py TURNS`` holds a conversation of that many turns and prints what it heard.
"""

import livemeter.auto  # noqa: F401, I001 - the one line; before anything else

import asyncio
import json
import sys
from collections.abc import AsyncIterator

from google.adk.agents import Agent
from google.adk.agents.live_request_queue import LiveRequestQueue
from google.adk.agents.run_config import RunConfig, StreamingMode
from google.adk.events import Event
from google.adk.runners import InMemoryRunner
from google.adk.sessions import Session
from google.genai import types
from websockets.exceptions import ConnectionClosed

MODEL = "gemini-2.5-flash-native-audio-preview-12-2025"
TURNS = int(sys.argv[1])
CHUNK = types.Blob(data=b"\0\1" * 320, mime_type="audio/pcm;rate=16000")


def get_weather(city: str) -> dict[str, str]:
    """Tell the weather in a city."""
    return {"city": city, "weather": "sunny"}


async def microphone(queue: LiveRequestQueue) -> None:
    """Send 20 ms of sound every 5 ms: four times faster than speech, so that nobody has to wait."""
    while True:
        queue.send_realtime(CHUNK)
        await asyncio.sleep(0.005)


async def events(runner: InMemoryRunner, session: Session, queue: LiveRequestQueue) -> AsyncIterator[Event]:
    """Run the agent, again when its connection is lost, until the queue is closed."""
    config = RunConfig(
        response_modalities=["AUDIO"],
        streaming_mode=StreamingMode.BIDI,
        input_audio_transcription=types.AudioTranscriptionConfig(),
        output_audio_transcription=types.AudioTranscriptionConfig(),
    )
    while True:
        try:
            async for event in runner.run_live(
                user_id="ana", session_id=session.id, live_request_queue=queue, run_config=config
            ):
                yield event
        except ConnectionClosed:
            continue
        return


async def main() -> None:
    agent = Agent(name="weather", model=MODEL, instruction="Be brief.", tools=[get_weather])
    runner = InMemoryRunner(agent=agent, app_name="weather")
    session = await runner.session_service.create_session(app_name="weather", user_id="ana")
    queue = LiveRequestQueue()
    speaking = asyncio.create_task(microphone(queue))
    turns, heard_bytes = 0, 0
    async for event in events(runner, session, queue):
        parts = (event.content and event.content.parts) or []
        heard_bytes += sum(len(part.inline_data.data) for part in parts if part.inline_data)
        turns += bool(event.turn_complete)
        if event.turn_complete and turns == TURNS:
            speaking.cancel()
            queue.close()
    sys.stdout.write(json.dumps({"turns": turns, "heard_ms": heard_bytes / 48}) + "\n")


if __name__ == "__main__":
    asyncio.run(main())
