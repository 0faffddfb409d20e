"""A voice agent on Pipecat, without a transport: a microphone, a speaker and one tool around the pipeline.

``python app.py TURNS`` holds a conversation of that many turns and prints what it heard.
"""

import livemeter.auto  # noqa: F401, I001 - the one line; before anything else

import asyncio
import json
import os
import sys

from pipecat.frames.frames import (
    EndFrame,
    Frame,
    InputAudioRawFrame,
    LLMFullResponseEndFrame,
    LLMRunFrame,
    TTSAudioRawFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.google.gemini_live.llm import GeminiLiveLLMService
from pipecat.services.llm_service import FunctionCallParams
from pipecat.workers.runner import WorkerRunner

MODEL = "gemini-3.8-live"
TURNS = int(sys.argv[1])
SAMPLE_RATE = 16_000
CHUNK = b"\0\1" * 320


async def get_weather(params: FunctionCallParams, city: str) -> None:
    """Tell the weather in a city.

    Args:
        params: What Pipecat hands to every function.
        city: The city.
    """
    await params.result_callback({"city": city, "weather": "sunny"})


class Speaker(FrameProcessor):
    """Plays in no time, and knows how much it played."""

    def __init__(self) -> None:
        super().__init__()
        self.heard_ms = 0.0
        self.answers: asyncio.Queue[Frame] = asyncio.Queue()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, TTSAudioRawFrame):
            self.heard_ms += len(frame.audio) / 2 / frame.sample_rate * 1000
        elif isinstance(frame, LLMFullResponseEndFrame):
            self.answers.put_nowait(frame)
        await self.push_frame(frame, direction)


async def microphone(worker: PipelineWorker) -> None:
    """Send 20 ms of sound every 5 ms: four times faster than speech, so that nobody has to wait."""
    while True:
        await worker.queue_frame(InputAudioRawFrame(audio=CHUNK, sample_rate=SAMPLE_RATE, num_channels=1))
        await asyncio.sleep(0.005)


async def converse(worker: PipelineWorker, speaker: Speaker) -> int:
    await worker.queue_frame(LLMRunFrame())
    speaking = asyncio.create_task(microphone(worker))
    heard = [await speaker.answers.get() for _ in range(TURNS)]
    await asyncio.sleep(0.2)
    speaking.cancel()
    await worker.queue_frame(EndFrame())
    return len(heard)


async def main() -> None:
    llm = GeminiLiveLLMService(
        api_key=os.environ["GOOGLE_API_KEY"],
        system_instruction="Be brief.",
        tools=[get_weather],
        settings=GeminiLiveLLMService.Settings(model=MODEL),
    )
    aggregators = LLMContextAggregatorPair(LLMContext())
    speaker = Speaker()
    worker = PipelineWorker(
        Pipeline([aggregators.user(), llm, speaker, aggregators.assistant()]),
        params=PipelineParams(audio_in_sample_rate=SAMPLE_RATE, audio_out_sample_rate=24_000),
    )
    runner = WorkerRunner()
    await runner.add_workers(worker)
    _, turns = await asyncio.gather(runner.run(), converse(worker, speaker))
    sys.stdout.write(json.dumps({"turns": turns, "heard_ms": speaker.heard_ms}) + "\n")


if __name__ == "__main__":
    asyncio.run(main())
