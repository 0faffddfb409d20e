"""A voice agent on LiveKit Agents, without a room: a microphone, a speaker and one tool.

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

MODEL = "gemini-3.8-live"
TURNS = int(sys.argv[1])
SAMPLE_RATE = 16_000
CHUNK_SAMPLES = 320


class Microphone(io.AudioInput):
    """20 ms of sound every 5 ms: four times faster than speech, so that nobody has to wait."""

    def __init__(self) -> None:
        super().__init__(label="microphone")

    async def __anext__(self) -> rtc.AudioFrame:
        await asyncio.sleep(0.005)
        return rtc.AudioFrame(b"\0\1" * CHUNK_SAMPLES, SAMPLE_RATE, 1, CHUNK_SAMPLES)


class Speaker(io.AudioOutput):
    """Plays in no time, and knows how much it played."""

    def __init__(self) -> None:
        capabilities = io.AudioOutputCapabilities(pause=False)
        super().__init__(label="speaker", capabilities=capabilities, sample_rate=24_000)
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
    session = AgentSession(llm=google.realtime.RealtimeModel(model=MODEL))
    speaker = Speaker()
    session.input.audio, session.output.audio = Microphone(), speaker
    answers: asyncio.Queue[str] = asyncio.Queue()

    @session.on("conversation_item_added")
    def _added(event) -> None:
        if getattr(event.item, "role", "") == "assistant" and event.item.text_content:
            answers.put_nowait(event.item.text_content)

    await session.start(Weather())
    heard = [await answers.get() for _ in range(TURNS)]
    await session.aclose()
    sys.stdout.write(json.dumps({"turns": len(heard), "heard_ms": round(speaker.heard_ms, 3)}) + "\n")


if __name__ == "__main__":
    asyncio.run(main())
