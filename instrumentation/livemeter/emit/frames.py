"""Frames to log records: packed into one, or one record each; both hold the same. Pure.

Packing runs for every frame that an application sends or receives, so it does no Python work per frame: a
column whose values are all the same is repeated text, and the texts of values that recur are looked up.
"""

import itertools
from collections.abc import Callable, Hashable, Iterator, Sequence

from livemeter.emit.values import Attributes, Record, clean, pack, pack_list
from livemeter.observer.facts import FramesRecorded
from livemeter.vocabulary import Attribute, Direction, Event, FramesBody

MAX_NAMES = 4096
MAX_NUMBERS = 16384
"""Values whose texts are kept, a few MB at most; real traffic has dozens of names, some thousand sizes."""

_MAX_NAME_LENGTH = 200

_SENT_AND_RECEIVED = Direction.SENT.value, Direction.RECEIVED.value


class _Names(dict[Hashable, str]):
    """JSON texts of strings and of tuples of strings. What a server invents cannot make it grow for ever."""

    def __missing__(self, value: Hashable) -> str:
        text = pack(value)
        if len(self) < MAX_NAMES and len(text) <= _MAX_NAME_LENGTH:
            self[value] = text
        return text


class _Numbers(dict[int, str]):
    """JSON texts of integers. Apart from names, so that nothing that equals a number takes its place."""

    def __missing__(self, value: int) -> str:
        text = str(int(value))
        if len(self) < MAX_NUMBERS:
            self[value] = text
        return text


_name = _Names().__getitem__
_number = _Numbers().__getitem__

_BODY = "{" + ",".join(f'"{name}":%s' for name in FramesBody if name is not FramesBody.HANDLES) + "%s}"
_HANDLES = f',"{FramesBody.HANDLES}":'
_COUNT = Attribute.FRAMES_COUNT
_DIGITS = bytes.maketrans(bytes(range(10)), b"0123456789")


def packed_record(fact: FramesRecorded) -> Record:
    """Return one record of all frames: columns of JSON in the body, and how many there are beside it."""
    body = _BODY % (
        fact.base_ms,
        fact.first_seq,
        _column(fact.offsets_ms, _number),
        _bits(fact.directions),
        _column(fact.kinds, _name),
        _column(fact.contents, _name),
        _column(fact.bytes, _number),
        _column(fact.audio_ms, _number),
        _column(fact.sample_rates, _number),
        _column(fact.turns, _number),
        _HANDLES + pack_list(fact.handle_hashes) if fact.handle_hashes else "",
    )
    return Record(Event.FRAMES, fact.at_ns, {_COUNT: len(fact.offsets_ms)}, body)


def frame_records(fact: FramesRecorded) -> Iterator[Record]:
    """Return one record for every frame, at the frame's own time."""
    times = itertools.accumulate(fact.offsets_ms, initial=fact.base_ms)
    next(times)
    rows = zip(
        times,
        fact.directions,
        fact.kinds,
        fact.contents,
        fact.bytes,
        fact.audio_ms,
        fact.sample_rates,
        fact.turns,
        strict=True,
    )
    for seq, row in enumerate(rows, start=fact.first_seq):
        at_ms, direction, kind, contents, size, audio_ms, sample_rate, turn = row
        attributes: Attributes = {
            Attribute.FRAME_SEQ: seq,
            Attribute.FRAME_DIRECTION: _SENT_AND_RECEIVED[direction],
            Attribute.FRAME_KIND: clean(kind),
            Attribute.FRAME_BYTES: size,
            Attribute.FRAME_AUDIO_MS: audio_ms,
            Attribute.TURN: turn,
        }
        if contents:
            attributes[Attribute.FRAME_CONTENTS] = _name(contents)
        if sample_rate:
            attributes[Attribute.FRAME_SAMPLE_RATE] = sample_rate
        yield Record(Event.FRAME, at_ms * 1_000_000, attributes)


def handles_record(fact: FramesRecorded) -> Record:
    """Return the record of the handles that were given meanwhile, for forms without a packed one."""
    attributes: Attributes = {Attribute.HANDLE_HASHES: pack_list(fact.handle_hashes)}
    return Record(Event.RESUMPTION, fact.at_ns, attributes)


def _column(values: Sequence[Hashable], text: Callable[..., str]) -> str:
    count = len(values)
    if count and values.count(values[0]) == count:
        one = text(values[0])
        return f"[{one}{f',{one}' * (count - 1)}]"
    return f"[{','.join(map(text, values))}]"


def _bits(values: Sequence[int]) -> str:
    text = bytearray(b"0,") * len(values)
    text[::2] = bytes(values).translate(_DIGITS)
    return f"[{text[:-1].decode()}]"
