"""A voice agent on the oldest LiveKit Agents that is tested, without a room; it stays on one connection.

``python app.py TURNS`` holds a conversation of that many turns and prints what it heard.
"""

import livemeter.auto  # noqa: F401, I001 - the one line; before anything else

import asyncio
import json
import sys

from livekit import rtc
from livekit.agents import Agent, AgentSession, function_tool
from livekit.agents.voice import io
from livekit.plugins import google

MODEL = "gemini-2.5-flash-native-audio-preview-12-2025"
TURNS = int(sys.argv[1])
SAMPLE_RATE = 16_000
CHUNK_SAMPLES = 320


class Microphone(io.AudioInput):
    """20 ms of sound every 5 ms, until it is switched off: four times faster than speech."""

    def __init__(self) -> None:
        self.is_on = True

    async def __anext__(self) -> rtc.AudioFrame:
        await asyncio.sleep(0.005)
        if not self.is_on:
            raise StopAsyncIteration
        return rtc.AudioFrame(b"\0\1" * CHUNK_SAMPLES, SAMPLE_RATE, 1, CHUNK_SAMPLES)


class Speaker(io.AudioOutput):
    """Plays in no time, and knows how much it played."""

    def __init__(self) -> None:
        super().__init__(sample_rate=24_000)
        self.heard_ms = 0.0
        self._segment_s = 0.0

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        await super().capture_frame(frame)
        self.heard_ms += frame.duration * 1000
        self._segment_s += frame.duration

    def flush(self) -> None:
        super().flush()
        if self._segment_s:
            self.on_playback_finished(playback_position=self._segment_s, interrupted=False)
            self._segment_s = 0.0

    def clear_buffer(self) -> None:
        self.flush()


class Weather(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="Be brief.")

    @function_tool
    async def get_weather(self, city: str) -> str:
        """Tell the weather in a city."""
        return f"It is sunny in {city}."


async def main() -> None:
    session = AgentSession(llm=google.beta.realtime.RealtimeModel(model=MODEL))
    microphone, speaker = Microphone(), Speaker()
    session.input.audio, session.output.audio = microphone, speaker
    answers: asyncio.Queue[str] = asyncio.Queue()

    @session.on("conversation_item_added")
    def _added(event) -> None:
        if event.item.role == "assistant" and event.item.text_content:
            answers.put_nowait(event.item.text_content)

    await session.start(Weather())
    heard = [await answers.get() for _ in range(TURNS)]
    microphone.is_on = False
    await asyncio.sleep(0.1)
    await session.aclose()
    sys.stdout.write(json.dumps({"turns": len(heard), "heard_ms": round(speaker.heard_ms, 3)}) + "\n")


if __name__ == "__main__":
    asyncio.run(main())
