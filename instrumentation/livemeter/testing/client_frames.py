"""What a Live client sent: parsed, spelled one way, and given a kind.

Pure: bytes in, values out. Clients spell the protocol in camelCase or snake_case, mixed within one
frame, and send it as text or binary messages; here every name of the protocol becomes camelCase, and
names that belong to the application (function arguments, labels, schema properties) stay as sent.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from livemeter.testing.shapes import is_list, is_table

REALTIME_FIELDS = ("audio", "video", "text", "activityStart", "activityEnd", "audioStreamEnd")
TOP_LEVEL_KEYS = ("setup", "clientContent", "realtimeInput", "toolResponse", "contextUpdate")
TURN = "turn"
"""Kind that a message has besides its own when it asks the model to answer."""
ANY = "any"
UNKNOWN = "unknown"
INVALID = "invalid"

EXPECTABLE_KINDS = (
    *TOP_LEVEL_KEYS,
    *(f"realtimeInput.{field}" for field in REALTIME_FIELDS),
    TURN,
    UNKNOWN,
    ANY,
)
"""Every kind a script may wait for. ``realtimeInput`` stands for all its sub-kinds."""

_TURN_KINDS = {"realtimeInput.text", "realtimeInput.activityEnd", "realtimeInput.audioStreamEnd"}
_APPLICATION_VALUES = {"args", "response", "labels", "parametersJsonSchema", "responseJsonSchema", "default"}
_APPLICATION_NAMES = {"properties", "defs", "$defs"}
_DEFAULT_SAMPLE_RATE = 16_000
_BYTES_PER_SAMPLE = 2


@dataclass(frozen=True, slots=True)
class ClientMessage:
    """One client message: its kinds (the first is the main one) and its content in camelCase."""

    kinds: tuple[str, ...]
    content: Mapping[str, Any]
    audio_ms: float = 0.0


def parse_client_message(raw: str | bytes) -> ClientMessage:
    """Parse one WebSocket message; what is not a JSON object gets the kind ``invalid``."""
    try:
        parsed: object = json.loads(raw)
    except ValueError:
        parsed = None
    if not is_table(parsed):
        return ClientMessage((INVALID,), {})
    content = camel_case_names(parsed)
    return ClientMessage(kinds_of(content), content, audio_ms_of(content))


def kinds_of(content: Mapping[str, Any]) -> tuple[str, ...]:
    """Kinds of a message spelled in camelCase, such as ``("realtimeInput.text", "turn")``."""
    kinds = [
        kind for key in TOP_LEVEL_KEYS if content.get(key) is not None for kind in _kinds(key, content[key])
    ]
    if any(_asks_for_answer(kind, content) for kind in kinds):
        kinds.append(TURN)
    return tuple(kinds) or (UNKNOWN,)


def kind_fits(kinds: tuple[str, ...], wanted: str) -> bool:
    """Whether a message of these kinds is what ``wanted`` (a kind, a family of kinds, or any) names."""
    if INVALID in kinds:
        return False
    return wanted == ANY or any(kind == wanted or kind.startswith(f"{wanted}.") for kind in kinds)


def camel_case_names(content: Mapping[str, Any]) -> dict[str, Any]:
    """The same message with every name of the protocol in camelCase."""
    return {
        name: _renamed(name, value) for name, value in ((camel_case(key), content[key]) for key in content)
    }


def camel_case(name: str) -> str:
    """``turn_complete`` becomes ``turnComplete``; camelCase stays as it is."""
    head, *rest = name.split("_")
    return head + "".join(part[:1].upper() + part[1:] for part in rest)


def audio_ms_of(content: Mapping[str, Any]) -> float:
    """Milliseconds of 16 bit mono PCM in a ``realtimeInput`` message; 0 without audio."""
    realtime: object = content.get("realtimeInput")
    return sum(_blob_ms(blob) for blob in _blobs(realtime) if is_audio(blob)) if is_table(realtime) else 0.0


def is_audio(blob: Mapping[str, Any]) -> bool:
    """Whether a blob of the protocol declares audio."""
    return str(blob.get("mimeType", "")).startswith("audio/")


def _kinds(key: str, value: object) -> list[str]:
    if key != "realtimeInput" or not is_table(value):
        return [key]
    present = {field for field in REALTIME_FIELDS if value.get(field) is not None}
    present |= {"audio" if is_audio(chunk) else "video" for chunk in _chunks(value)}
    return [f"{key}.{field}" for field in REALTIME_FIELDS if field in present] or [key]


def _asks_for_answer(kind: str, content: Mapping[str, Any]) -> bool:
    if kind == "clientContent":
        value: object = content[kind]
        return is_table(value) and value.get("turnComplete") is True
    return kind in _TURN_KINDS


def _renamed(name: str, value: object) -> object:
    if name in _APPLICATION_VALUES:
        return value
    if is_list(value):
        return [_renamed("", item) for item in value]
    if not is_table(value):
        return value
    own_names = name in _APPLICATION_NAMES
    return {key: _renamed("", item) for key, item in value.items()} if own_names else camel_case_names(value)


def _blobs(realtime: Mapping[str, Any]) -> list[dict[str, Any]]:
    audio: object = realtime.get("audio")
    return [*([audio] if is_table(audio) else []), *_chunks(realtime)]


def _chunks(realtime: Mapping[str, Any]) -> list[dict[str, Any]]:
    chunks: object = realtime.get("mediaChunks")
    return [chunk for chunk in chunks if is_table(chunk)] if is_list(chunks) else []


def _blob_ms(blob: Mapping[str, Any]) -> float:
    # Standard and URL-safe base64 have the same lengths, so nothing needs decoding.
    data = str(blob.get("data", "")).rstrip("=")
    rate = re.search(r"rate=(\d+)", str(blob.get("mimeType", "")))
    sample_rate = (int(rate.group(1)) if rate else 0) or _DEFAULT_SAMPLE_RATE
    return len(data) * 3 // 4 / _BYTES_PER_SAMPLE / sample_rate * 1000
