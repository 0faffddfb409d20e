"""Reading Live JSON whatever its spelling: camelCase or snake_case, at every level.

The Python SDK writes ``realtime_input`` outside and ``mimeType`` or ``mime_type`` inside, JavaScript
writes camelCase throughout, and releases differ; Google's servers accept all of it, so must we.
"""

import functools
import json
from collections.abc import Iterator, Mapping
from typing import Any, TypeGuard

Payload = Mapping[str, Any]
"""A JSON object as it came off the wire. Foreign: every value is checked before it is used."""


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
    """Return a string as it is and anything else as an empty one."""
    return value if isinstance(value, str) else ""


def count(value: object) -> int | None:
    """Return a token count: an int, or a string of digits (protobuf JSON writes 64-bit ints so)."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if value >= 0 else None
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    return None


def objects(value: object) -> Iterator[Payload]:
    """Yield the JSON objects of a list; nothing for anything else."""
    if is_array(value):
        yield from (item for item in value if is_object(item))


def strings(value: object) -> tuple[str, ...]:
    """Return the strings of a list; nothing for anything else."""
    return tuple(item for item in value if isinstance(item, str)) if is_array(value) else ()


def duration_ms(value: object) -> float | None:
    """Return a protobuf JSON duration (``"50s"``, ``"1.5s"``) in milliseconds."""
    if not isinstance(value, str) or not value.endswith("s"):
        return None
    try:
        return float(value[:-1]) * 1000
    except ValueError:
        return None


def size(value: object) -> int:
    """Return the bytes of a JSON value in its compact UTF-8 form."""
    return len(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass"))
