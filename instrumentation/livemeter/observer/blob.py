"""Cutting the base64 out of a JSON message without reading it.

The first key ``data`` near the start of a message is taken for a blob. Inside a JSON string the quotes
around it would be escaped, so it cannot be mistaken for text. Where anything is not as expected, nothing is
cut and the message is read as it came.
"""

from typing import TypeVar

KEY_WITHIN = 256
"""How far from the start, in characters, the key is looked for: blobs come first or not at all."""

_Raw = TypeVar("_Raw", str, bytes)


def cut_blob(raw: str | bytes) -> tuple[tuple[str | bytes, str | bytes], int] | None:
    """Return what is before and behind a blob, and how many base64 characters it has without padding.

    None: there is none, or one with escapes in it. Whether it is one, ``is_blob`` says: once for all
    messages that are alike around it.
    """
    if isinstance(raw, bytes):
        return _cut(raw, b'"data"', b'"', b"\\", b"=")
    return _cut(raw, '"data"', '"', "\\", "=")


def is_blob(before: str | bytes, behind: str | bytes) -> bool:
    """Say whether what was cut is the value of the only key ``data``."""
    if isinstance(before, str):
        before = before.encode("utf-8", "replace")
    if isinstance(behind, str):
        behind = behind.encode("utf-8", "replace")
    between = before[before.find(b'"data"') + 6 : -1]
    return between.strip() == b":" and b'"data"' not in behind


def joined(before: str | bytes, behind: str | bytes) -> str | bytes:
    """Return a message with an empty blob."""
    if isinstance(before, bytes) and isinstance(behind, bytes):
        return before + behind
    return f"{before!s}{behind!s}"


def _cut(raw: _Raw, key: _Raw, quote: _Raw, escape: _Raw, pad: _Raw) -> tuple[tuple[_Raw, _Raw], int] | None:
    place = raw.find(key, 0, KEY_WITHIN)
    if place < 0:
        return None
    start = raw.find(quote, place + 6) + 1
    end = raw.find(quote, start)
    if end <= start or raw.find(escape, start, end) >= 0:
        return None
    padding = raw.count(pad, end - 2, end)
    return (raw[:start], raw[end:]), end - start - padding
