"""A voice agent on Pydantic AI: a microphone, a speaker and one tool.

``python app.py TURNS`` holds a conversation of that many turns and prints what it heard and what it cost by
Pydantic AI's own account.
"""

import livemeter.auto  # noqa: F401, I001 - the one line; before anything else

import asyncio
import json
import sys
from collections.abc import AsyncIterator

from pydantic_ai import Agent
from pydantic_ai.realtime import RealtimeSession, RealtimeTurnCompleteEvent
from pydantic_ai.realtime.google import GoogleRealtimeModel

MODEL = "gemini-3.8-live"
TURNS = int(sys.argv[1])

agent = Agent(instructions="Be brief.")


@agent.tool_plain
def get_weather(city: str) -> str:
    """Tell the weather in a city."""
    return f"It is sunny in {city}."


async def microphone() -> AsyncIterator[bytes]:
    """Give 20 ms of sound every 5 ms: four times faster than speech, so that nobody has to wait."""
    while True:
        yield b"\0\1" * 320
        await asyncio.sleep(0.005)


async def speaker(session: RealtimeSession) -> int:
    return sum([len(chunk) async for chunk in session.stream_audio()])


async def main() -> None:
    settings = {"reconnect": {"max_reconnects": 5, "max_attempts": 3, "base_delay": 0.1}}
    model = GoogleRealtimeModel(MODEL)
    async with agent.realtime(model, model_settings=settings).session() as session:
        speaking = asyncio.create_task(session.send_audio(microphone()))
        playing = asyncio.create_task(speaker(session))
        turns = 0
        async for event in session:
            turns += isinstance(event, RealtimeTurnCompleteEvent)
            if turns == TURNS:
                break
        speaking.cancel()
        await session.wait_for_playback()
    told = {"turns": turns, "heard_ms": await playing / 48, "cost_usd": str(session.usage.cost)}
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    asyncio.run(main())
