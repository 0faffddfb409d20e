"""One raw WebSocket message to one classified frame: what it is, what it bundled, how much audio.

3.x models bundle several fields in one server message, so every field is looked at, never the first
alone. Kinds are the leaf names of the protocol (``audio``, ``turnComplete``, ``usageMetadata``).

Nearly all frames are audio, alike but for their base64, which nobody here needs to read. So it is cut
out first: what remains is short, holds every other field there may be, and mostly has been seen before.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from livemeter.observer.blob import cut_blob, is_blob, joined
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


# What is measured or kept in full: such a frame is read as it came.
_READ_WHOLE = {"setup", "clientContent", "toolResponse", "contextUpdate", "toolCall", "toolCallCancellation"}

MAX_SHAPES = 512
"""Distinct frames without their base64 that are remembered; when full, all are forgotten."""

_MAX_SHAPE_CHARACTERS = 1000

# Looking a member up in its class costs as much as three comparisons.
_SENT = Direction.SENT


class Frame(NamedTuple):
    """One message. ``contents`` holds every field found, ``kind`` the main one; ``size`` is in bytes.

    ``sample_rate`` is that of the audio in hertz, 0 without PCM; ``message`` lacks the base64 of audio and
    video. ``is_utf8`` is False for bytes that are no valid UTF-8; they are read all the same.
    """

    direction: Direction
    kind: str
    contents: tuple[str, ...]
    size: int
    audio_ms: float
    message: Payload
    sample_rate: int = 0
    is_utf8: bool = True


class _Shape(NamedTuple):
    """What all frames are that differ only in their base64; ``sample_rate`` is 0 if that is no PCM."""

    kind: str
    contents: tuple[str, ...]
    message: Payload
    sample_rate: int


_Around = tuple[str | bytes, str | bytes]
_shapes: dict[Direction, dict[_Around, _Shape | None]] = {direction: {} for direction in Direction}
_sent_shapes, _received_shapes = _shapes[Direction.SENT], _shapes[Direction.RECEIVED]


def read_frame(direction: Direction, raw: str | bytes) -> Frame:
    """Classify one message. Whatever cannot be read becomes a frame of kind ``unknown``; never raises."""
    size = len(raw) if isinstance(raw, bytes) or raw.isascii() else len(raw.encode("utf-8", "surrogatepass"))
    blob = cut_blob(raw)
    if blob is not None:
        around, characters = blob
        shapes = _sent_shapes if direction is _SENT else _received_shapes
        shape = shapes[around] if around in shapes else _new_shape(direction, around)
        if shape is not None:
            kind, contents, message, rate = shape
            return Frame(direction, kind, contents, size, _audio_ms(characters, rate), message, rate)
    message, is_utf8 = _load(raw)
    contents = _contents(direction, message)
    blobs = list(_blobs(direction, message))
    audio_ms = sum(blob_audio_ms(blob, direction) for blob in blobs)
    rate = max((_sample_rate(blob, direction) for blob in blobs), default=0)
    return Frame(direction, _main_kind(contents), contents, size, audio_ms, message, rate, is_utf8)


def _new_shape(direction: Direction, around: _Around) -> _Shape | None:
    """Return what a frame without its base64 is, or None where it must be read whole; and remember it."""
    shape = _read_shape(direction, around)
    if len(around[0]) + len(around[1]) <= _MAX_SHAPE_CHARACTERS:
        shapes = _shapes[direction]
        if len(shapes) >= MAX_SHAPES:
            shapes.clear()
        shapes[around] = shape
    return shape


def _read_shape(direction: Direction, around: _Around) -> _Shape | None:
    before, behind = around
    if not is_blob(before, behind):
        return None
    message, _ = _load(joined(before, behind))
    contents = _contents(direction, message)
    blobs = list(_blobs(direction, message))
    if len(blobs) != 1 or not _READ_WHOLE.isdisjoint(contents):
        return None
    return _Shape(_main_kind(contents), contents, message, _sample_rate(blobs[0], direction))


def _load(raw: str | bytes) -> tuple[Payload, bool]:
    """Return the JSON object, an empty one if it is none, and whether it was valid UTF-8."""
    try:
        message: Any = json.loads(raw)
    except UnicodeDecodeError:
        assert isinstance(raw, bytes)  # noqa: S101 - a str has nothing to decode
        return _load(raw.decode("utf-8", "replace"))[0], False
    except (ValueError, RecursionError):
        return {}, True
    return (message if is_object(message) else {}), True


def _main_kind(contents: tuple[str, ...]) -> str:
    if len(contents) < 2:
        return contents[0] if contents else UNKNOWN
    return next((kind for kind in _PRECEDENCE if kind in contents), contents[0])


def _contents(direction: Direction, message: Payload) -> tuple[str, ...]:
    return _sent_contents(message) if direction is Direction.SENT else _received_contents(message)


def _sent_contents(message: Payload) -> tuple[str, ...]:
    contents = [kind for kind in _SENT_TOP if has(message, kind)]
    realtime = get(message, "realtimeInput")
    return (*contents, *(kind for kind in _REALTIME if has(realtime, kind)))


def _received_contents(message: Payload) -> tuple[str, ...]:
    content = get(message, "serverContent")
    contents = [*dict.fromkeys(_part_kinds(content))]
    contents += [kind for kind in _CONTENT_TEXTS if has(content, kind)]
    contents += [kind for kind in _CONTENT_FLAGS if get(content, kind) is True]
    contents += [kind for kind in ("groundingMetadata", "urlContextMetadata") if has(content, kind)]
    contents += [kind for kind in _RECEIVED_TOP if has(message, kind)]
    return tuple(contents)


def _parts(content: object) -> Iterator[Payload]:
    return objects(get(get(content, "modelTurn"), "parts"))


def _part_kinds(content: object) -> Iterator[str]:
    for part in _parts(content):
        blob = get(part, "inlineData")
        if blob is not None:
            media = text(get(blob, "mimeType")).split("/")[0]
            yield media if media in {"audio", "video", "image"} else "inlineData"
        elif get(part, "thought") is True:
            yield "thought"
        elif has(part, "text"):
            yield "text"
        else:
            yield from (name for name in ("executableCode", "codeExecutionResult") if has(part, name))


def _blobs(direction: Direction, message: Payload) -> Iterator[object]:
    """Yield everything that may hold base64: ``{data, mimeType}``."""
    if direction is Direction.RECEIVED:
        parts = _parts(get(message, "serverContent"))
        yield from (blob for part in parts if (blob := get(part, "inlineData")) is not None)
        return
    realtime = get(message, "realtimeInput")
    yield from (blob for kind in ("audio", "video") if (blob := get(realtime, kind)) is not None)
    yield from objects(get(realtime, "mediaChunks"))


def blob_audio_ms(blob: object, direction: Direction) -> float:
    """Return the milliseconds of PCM16 in ``{data, mimeType}``; 0 for anything else.

    Only the length of the base64 text counts, so both alphabets and missing padding are fine.
    """
    data = text(get(blob, "data")).rstrip("=")
    return _audio_ms(len(data), _sample_rate(blob, direction))


def _audio_ms(characters: int, sample_rate: int) -> float:
    return characters * 3 // 4 * 1000 / sample_rate / _BYTES_PER_SAMPLE if sample_rate else 0.0


def _sample_rate(blob: object, direction: Direction) -> int:
    mime_type = text(get(blob, "mimeType")).lower()
    if not mime_type.startswith("audio/pcm"):
        return 0
    rate = _RATE.search(mime_type)
    return int(rate.group(1)) if rate else _DEFAULT_RATE_HZ[direction]
