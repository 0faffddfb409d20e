"""The bytes of a segment: requests of one signal, each behind a header that the engine does not see. Pure.

A segment is one valid protobuf message, because requests of one signal may be concatenated. Headers are
fields that no schema of OTLP has, so every reader skips them: the engine is given a segment as it is, and a
segment needs no index beside it that could disagree with it.

    preamble   field 1000: JSON, {"version": 2, "signal": "logs", "number": 7, "rules": 197}
    header     field 1001: length of the request (8 bytes), records (4), accepted at (Unix ns, 8),
               digest of the request (16), CRC-32 of these 36 (4); little-endian
    request    as many bytes as the header says
    header     ...
"""

import hashlib
import json
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from livemeter_collector.store.contract import Signal

VERSION = 2
DIGEST_BYTES = 16
MAX_PREAMBLE_BYTES = 3 + 127

_FIELDS = struct.Struct("<QIQ16s")
_CHECK = struct.Struct("<I")
_HEADER_BYTES = _FIELDS.size + _CHECK.size
# Tag and length as varints: field 1000 or 1001, wire type 2.
_PREAMBLE_TAG = bytes([0xC2, 0x3E])
_HEADER_TAG = bytes([0xCA, 0x3E, _HEADER_BYTES])


class UnreadableSegmentError(Exception):
    """The bytes do not begin as a segment of this version begins."""


@dataclass(frozen=True, slots=True)
class Preamble:
    """What a segment says of itself."""

    signal: Signal
    number: int
    rules: int
    """The number of the last migration that the writer knew: with which SQL its requests are to be stored."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One request on its way into the journal."""

    body: bytes
    records: int
    accepted_at_ns: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class Place:
    """One request in a segment: its header begins at ``start``, its body at ``body``; both end at ``end``."""

    start: int
    body: int
    end: int
    records: int
    accepted_at_ns: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class Contents:
    """What of a segment can be trusted: everything before ``end``; after it the tail is torn."""

    preamble: Preamble
    places: tuple[Place, ...]
    end: int


def digest_of(body: bytes) -> bytes:
    """Return what tells a request from any other: the first 16 bytes of its SHA-256.

    Processors have instructions for SHA-256, which make it about twice as fast as BLAKE2b here.
    """
    return hashlib.sha256(body).digest()[:DIGEST_BYTES]


def preamble_bytes(preamble: Preamble) -> bytes:
    """Return the beginning of a segment."""
    text = json.dumps(
        {
            "version": VERSION,
            "signal": preamble.signal.value,
            "number": preamble.number,
            "rules": preamble.rules,
        },
        separators=(",", ":"),
    ).encode()
    assert len(text) < 128  # noqa: S101 - one byte of varint
    return _PREAMBLE_TAG + bytes([len(text)]) + text


def header_bytes(entry: Entry) -> bytes:
    """Return what goes before a request's own bytes."""
    fields = _FIELDS.pack(len(entry.body), entry.records, entry.accepted_at_ns, entry.digest)
    return _HEADER_TAG + fields + _CHECK.pack(zlib.crc32(fields))


def entries_bytes(entries: Sequence[Entry]) -> bytes:
    """Return requests with their headers, as they are appended."""
    return b"".join(piece for entry in entries for piece in (header_bytes(entry), entry.body))


def entries_length(entries: Sequence[Entry]) -> int:
    """Return how many bytes ``entries_bytes`` makes."""
    return sum(len(_HEADER_TAG) + _HEADER_BYTES + len(entry.body) for entry in entries)


def read_contents(data: bytes) -> Contents:
    """Read a segment, up to the first byte that is not as it was written.

    Raises:
        UnreadableSegmentError: it is none, or of a later version.
    """
    preamble, start = _read_preamble(data)
    places = tuple(_read_places(data, start))
    return Contents(preamble, places, places[-1].end if places else start)


def _read_preamble(data: bytes) -> tuple[Preamble, int]:
    end = 3 + data[2] if len(data) > 2 else 0
    if not data.startswith(_PREAMBLE_TAG) or not 3 < end <= len(data):
        raise UnreadableSegmentError("it does not begin like a segment")
    try:
        said: dict[str, Any] = json.loads(data[3:end])
        if said["version"] != VERSION:
            raise UnreadableSegmentError(f"it is of version {said['version']}, and this is {VERSION}")
        return Preamble(Signal(said["signal"]), int(said["number"]), int(said["rules"])), end
    except (ValueError, KeyError, TypeError) as error:
        raise UnreadableSegmentError("its preamble cannot be read") from error


def _read_places(data: bytes, start: int) -> Iterator[Place]:
    while place := _read_place(data, start):
        yield place
        start = place.end


def _read_place(data: bytes, start: int) -> Place | None:
    body = start + len(_HEADER_TAG) + _HEADER_BYTES
    if body > len(data) or not data.startswith(_HEADER_TAG, start):
        return None
    fields = data[start + len(_HEADER_TAG) : body - _CHECK.size]
    if _CHECK.unpack_from(data, body - _CHECK.size)[0] != zlib.crc32(fields):
        return None
    length, records, accepted_at_ns, digest = _FIELDS.unpack(fields)
    end = body + length
    if end > len(data) or digest_of(data[body:end]) != digest:
        return None
    return Place(start, body, end, records, accepted_at_ns, digest)
