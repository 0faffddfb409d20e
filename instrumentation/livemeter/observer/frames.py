"""One raw WebSocket message to one classified frame: what it is, what it bundled, how much audio.

3.x models bundle several fields in one server message, so every field is looked at, never the first
alone. Kinds are the leaf names of the protocol (``audio``, ``turnComplete``, ``usageMetadata``).
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from livemeter.observer.payload import Payload, get, has, is_object, objects, text
from livemeter.vocabulary import Direction

UNKNOWN = "unknown"
"""Kind of a frame that is no JSON object or holds no field we know."""

_SENT_TOP = ("setup", "clientContent", "toolResponse", "contextUpdate")
_REALTIME = ("audio", "video", "text", "activityStart", "activityEnd", "audioStreamEnd", "mediaChunks")
_CONTENT_FLAGS = ("interrupted", "generationComplete", "turnComplete")
_CONTENT_TEXTS = ("inputTranscription", "outputTranscription", "interimInputTranscription")
_RECEIVED_TOP = (
    "setupComplete",
    "toolCall",
    "toolCallCancellation",
    "usageMetadata",
    "goAway",
    "sessionResumptionUpdate",
    "voiceActivity",
    "voiceActivityDetectionSignal",
    "error",
)

# A frame that bundles several fields is named after the one that says most about it.
_PRECEDENCE = (
    "audio",
    "video",
    "text",
    "thought",
    "toolCall",
    "toolCallCancellation",
    "interrupted",
    "turnComplete",
    "generationComplete",
    "outputTranscription",
    "inputTranscription",
)

_RATE = re.compile(r"rate=([1-9][0-9]{2,6})(?![0-9])")
_DEFAULT_RATE_HZ = {Direction.SENT: 16_000, Direction.RECEIVED: 24_000}
_BYTES_PER_SAMPLE = 2  # PCM16, the only raw audio Live takes and gives


@dataclass(frozen=True, slots=True)
class Frame:
    """One message. ``contents`` holds every field found, ``kind`` the main one; ``size`` is in bytes."""

    direction: Direction
    kind: str
    contents: tuple[str, ...]
    size: int
    audio_ms: float
    message: Payload


def read_frame(direction: Direction, raw: str | bytes) -> Frame:
    """Classify one message. Whatever cannot be read becomes a frame of kind ``unknown``; never raises."""
    size = len(raw) if isinstance(raw, bytes) else len(raw.encode("utf-8", "surrogatepass"))
    message = _load(raw)
    if direction is Direction.SENT:
        contents, audio_ms = _read_sent(message)
    else:
        contents, audio_ms = _read_received(message)
    return Frame(direction, _main_kind(contents), contents, size, audio_ms, message)


def _load(raw: str | bytes) -> Payload:
    try:
        message: Any = json.loads(raw)
    except (ValueError, RecursionError):
        return {}
    return message if is_object(message) else {}


def _main_kind(contents: tuple[str, ...]) -> str:
    if len(contents) < 2:
        return contents[0] if contents else UNKNOWN
    return next((kind for kind in _PRECEDENCE if kind in contents), contents[0])


def _read_sent(message: Payload) -> tuple[tuple[str, ...], float]:
    contents = [kind for kind in _SENT_TOP if has(message, kind)]
    realtime = get(message, "realtimeInput")
    contents += [kind for kind in _REALTIME if has(realtime, kind)]
    audio_ms = blob_audio_ms(get(realtime, "audio"), Direction.SENT)
    audio_ms += sum(blob_audio_ms(chunk, Direction.SENT) for chunk in objects(get(realtime, "mediaChunks")))
    return tuple(contents), audio_ms


def _read_received(message: Payload) -> tuple[tuple[str, ...], float]:
    content = get(message, "serverContent")
    contents: list[str] = []
    audio_ms = 0.0
    for kind, milliseconds in _model_parts(content):
        audio_ms += milliseconds
        if kind not in contents:
            contents.append(kind)
    contents += [kind for kind in _CONTENT_TEXTS if has(content, kind)]
    contents += [kind for kind in _CONTENT_FLAGS if get(content, kind) is True]
    contents += [kind for kind in ("groundingMetadata", "urlContextMetadata") if has(content, kind)]
    contents += [kind for kind in _RECEIVED_TOP if has(message, kind)]
    return tuple(contents), audio_ms


def _model_parts(content: object) -> Iterator[tuple[str, float]]:
    for part in objects(get(get(content, "modelTurn"), "parts")):
        blob = get(part, "inlineData")
        if blob is not None:
            media = text(get(blob, "mimeType")).split("/")[0]
            yield (
                (media if media in {"audio", "video", "image"} else "inlineData"),
                blob_audio_ms(blob, Direction.RECEIVED),
            )
        elif get(part, "thought") is True:
            yield "thought", 0.0
        elif has(part, "text"):
            yield "text", 0.0
        else:
            yield from ((name, 0.0) for name in ("executableCode", "codeExecutionResult") if has(part, name))


def blob_audio_ms(blob: object, direction: Direction) -> float:
    """Return the milliseconds of PCM16 in ``{data, mimeType}``; 0 for anything else.

    Only the length of the base64 text counts, so both alphabets and missing padding are fine.
    """
    mime_type = text(get(blob, "mimeType")).lower()
    if not mime_type.startswith("audio/pcm"):
        return 0.0
    data = text(get(blob, "data")).rstrip("=")
    rate = _RATE.search(mime_type)
    hertz = int(rate.group(1)) if rate else _DEFAULT_RATE_HZ[direction]
    return len(data) * 3 // 4 / _BYTES_PER_SAMPLE * 1000 / hertz
