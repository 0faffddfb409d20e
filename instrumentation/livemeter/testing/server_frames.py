"""The messages that steps send, in Google's spelling.

Pure: steps in, JSON-ready mappings out.
"""

import base64
import json
import math
from array import array
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import pairwise
from typing import Any, cast

from livemeter.testing.arrival import Platform
from livemeter.testing.steps import (
    GoAway,
    ResumptionUpdate,
    Send,
    SendAudio,
    SetupComplete,
    Usage,
    UsageSpelling,
)

Message = Mapping[str, Any]

_TONE_HZ = 440
_TONE_AMPLITUDE = 8_000
_BYTES_PER_SAMPLE = 2
_REASON_LIMIT_BYTES = 123
_VERTEX_NAMES = {
    "responseTokenCount": "candidatesTokenCount",
    "responseTokensDetails": "candidatesTokensDetails",
}


def encode(message: Message) -> str:
    """A message as the JSON text that crosses the socket."""
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False)


def close_reason(reason: str) -> str:
    """A reason cut to the 123 bytes a close frame has room for, never within a character."""
    return reason.encode()[:_REASON_LIMIT_BYTES].decode(errors="ignore")


def message_of(step: Send | Usage | GoAway, platform: Platform) -> Message:
    """The one message of a step that depends on nothing but the platform."""
    match step:
        case Send():
            return spell_usage(step.message, platform, step.spelling)
        case Usage():
            return spell_usage(usage_message(step), platform, step.spelling)
        case GoAway():
            return {"goAway": {"timeLeft": step.time_left}}


def setup_complete_message(step: SetupComplete, minted_id: str) -> Message:
    """``setupComplete`` with the step's session id, or else the minted one."""
    session_id = minted_id if step.session_id is None else step.session_id
    return {"setupComplete": {"sessionId": session_id} if session_id else {}}


def resumption_message(step: ResumptionUpdate, minted_handle: str) -> Message:
    """``sessionResumptionUpdate`` with the step's handle, or else the minted one."""
    if not step.resumable:
        return {"sessionResumptionUpdate": {"resumable": False}}
    handle = minted_handle if step.handle is None else step.handle
    return {"sessionResumptionUpdate": {"newHandle": handle, "resumable": True}}


def usage_message(step: Usage) -> Message:
    """``usageMetadata`` in ``response`` names, on the message it is bundled with."""
    counted = {
        "promptTokenCount": _count(step.prompt, step.prompt_token_count),
        "cachedContentTokenCount": _count(step.cached_content, step.cached_content_token_count),
        "responseTokenCount": _count(step.response, step.response_token_count),
        "toolUsePromptTokenCount": _count(step.tool_use_prompt, step.tool_use_prompt_token_count),
        "thoughtsTokenCount": step.thoughts_token_count,
    }
    total = sum(count or 0 for name, count in counted.items() if name != "cachedContentTokenCount")
    fields: dict[str, Any] = {
        **counted,
        "totalTokenCount": total if step.total_token_count is None else step.total_token_count,
        "promptTokensDetails": _details(step.prompt),
        "cacheTokensDetails": _details(step.cached_content),
        "responseTokensDetails": _details(step.response),
        "toolUsePromptTokensDetails": _details(step.tool_use_prompt),
        "trafficType": step.traffic_type or None,
        "serviceTier": step.service_tier or None,
    }
    usage = {name: value for name, value in fields.items() if value is not None}
    return {**step.bundled_with, "usageMetadata": usage}


def spell_usage(message: Message, platform: Platform, spelling: UsageSpelling) -> Message:
    """Name the output tokens of a message's usage as the platform does, or as told."""
    wants_candidates = spelling == "candidates" or (spelling == "platform" and platform == "vertex_ai")
    usage = message.get("usageMetadata")
    if not wants_candidates or not isinstance(usage, Mapping):
        return message
    named = cast(Mapping[str, Any], usage).items()
    return {**message, "usageMetadata": {_VERTEX_NAMES.get(name, name): value for name, value in named}}


def audio_messages(step: SendAudio) -> Iterator[Message]:
    """``modelTurn`` messages of ``chunk_ms`` each; the last holds what is left."""
    samples = round(step.ms * step.sample_rate / 1000)
    chunk = max(1, round(step.chunk_ms * step.sample_rate / 1000))
    for start, end in pairwise((*range(0, samples, chunk), samples)):
        blob = {
            "mimeType": f"audio/pcm;rate={step.sample_rate}",
            "data": _tone_base64(start, end, step.sample_rate),
        }
        yield {"serverContent": {"modelTurn": {"parts": [{"inlineData": blob}]}}}


def _count(details: Mapping[str, int], given: int | None) -> int | None:
    if given is not None:
        return given
    return sum(details.values()) if details else None


def _details(details: Mapping[str, int]) -> list[dict[str, Any]] | None:
    entries = [{"modality": modality, "tokenCount": count} for modality, count in details.items()]
    return entries or None


def _tone_base64(start: int, end: int, sample_rate: int) -> str:
    second = _tone_second(sample_rate)
    offset = start % sample_rate * _BYTES_PER_SAMPLE
    length = (end - start) * _BYTES_PER_SAMPLE
    repeated = second * (1 + (offset + length) // len(second))
    return base64.b64encode(repeated[offset : offset + length]).decode()


@lru_cache
def _tone_second(sample_rate: int) -> bytes:
    # A whole number of periods fits into one second, so seconds join without a click.
    step = 2 * math.pi * _TONE_HZ / sample_rate
    samples = array("h", (round(_TONE_AMPLITUDE * math.sin(step * n)) for n in range(sample_rate)))
    return samples.tobytes()
