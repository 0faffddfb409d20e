"""Reading Live JSON whatever its spelling: camelCase or snake_case, at every level.

The Python SDK writes ``realtime_input`` outside and ``mimeType`` or ``mime_type`` inside, JavaScript
writes camelCase throughout, and releases differ; Google's servers accept all of it, so must we.
"""

import functools
import json
import math
from collections.abc import Iterator, Mapping
from typing import Any, TypeGuard

Payload = Mapping[str, Any]
"""A JSON object as it came off the wire. Foreign: every value is checked before it is used."""

MAX_COUNT = 2**53 - 1
"""The largest whole number that every JSON reader agrees on; sums of a few still fit 64 bits."""

_MAX_DIGITS = 16


def is_object(value: object) -> TypeGuard[Payload]:
    """Say whether a JSON value is an object."""
    return isinstance(value, Mapping)


def is_array(value: object) -> TypeGuard[list[Any]]:
    """Say whether a JSON value is an array."""
    return isinstance(value, list)


@functools.lru_cache(maxsize=1024)
def fold(key: str) -> str:
    """Return the form under which keys are compared: ``realtime_input`` and ``realtimeInput`` agree."""
    return key.replace("_", "").lower()


def get(payload: object, key: str) -> Any:
    """Return the value under ``key`` in any spelling, or None."""
    if not is_object(payload):
        return None
    if key in payload:
        return payload[key]
    folded = fold(key)
    return next((value for name, value in payload.items() if fold(str(name)) == folded), None)


def find(payload: object, *path: str) -> Any:
    """Return the value at the end of ``path``, or None where the path breaks off."""
    for key in path:
        payload = get(payload, key)
    return payload


def has(payload: object, key: str) -> bool:
    """Say whether ``key`` is there in any spelling, also with an empty value (``activityEnd: {}``)."""
    if not is_object(payload):
        return False
    folded = fold(key)
    return key in payload or any(fold(str(name)) == folded for name in payload)


def text(value: object) -> str:
    """Return a string and anything else as an empty one.

    JSON escapes can spell half a surrogate pair, which UTF-8 cannot: it becomes a question mark.
    """
    if not isinstance(value, str):
        return ""
    return value if value.isascii() else value.encode("utf-8", "replace").decode("utf-8")


def count(value: object) -> int | None:
    """Return a token count: an int, or a string of digits (protobuf JSON writes 64-bit ints so).

    A number that no token count can have (negative, beyond ``MAX_COUNT``) is none.
    """
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= _MAX_DIGITS:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if 0 <= value <= MAX_COUNT else None


def objects(value: object) -> Iterator[Payload]:
    """Yield the JSON objects of a list; nothing for anything else."""
    if is_array(value):
        yield from (item for item in value if is_object(item))


def strings(value: object) -> tuple[str, ...]:
    """Return the strings of a list; nothing for anything else."""
    return tuple(text(item) for item in value if isinstance(item, str)) if is_array(value) else ()


def duration_ms(value: object) -> float | None:
    """Return a protobuf JSON duration (``"50s"``, ``"1.5s"``) in milliseconds."""
    if not isinstance(value, str) or not value.endswith("s"):
        return None
    try:
        milliseconds = float(value[:-1]) * 1000
    except ValueError:
        return None
    return milliseconds if math.isfinite(milliseconds) else None


def size(value: object) -> int:
    """Return the bytes of a JSON value in its compact UTF-8 form."""
    return len(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass"))
