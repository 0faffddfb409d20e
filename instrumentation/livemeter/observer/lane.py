"""The short way of audio: frames that differ from one before in their base64 alone.

Nearly all frames of a voice session are such, fifty a second each way. Between two of them the caches of the
machine are the application's, and the little that observing one would cost is three times as much. So a
frame that begins like audio that went the long way is only stamped and put aside; the frames put aside are
read in one go: at the latest when half a second has passed, and always before anything else is observed.
Nothing is guessed: each is compared in full, and one that is not alike goes the long way then, in its order.

Alike is a frame with the same text around its base64, in which no quote and no backslash stand, so that no
field can hide there. Padding is looked at, so that milliseconds are exact.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from livemeter.observer.blob import cut_blob, is_blob
from livemeter.observer.clock import Instant
from livemeter.observer.columns import Row, row_of
from livemeter.observer.frames import Frame
from livemeter.vocabulary import Direction

MAX_WAITING = 256
"""Frames that are put aside at most: they are kept whole, and a burst of them must not fill the memory."""

Waiting = tuple[int, "Lane", Any]
"""A message that was put aside, with the monotonic clock (ns). A plain tuple: one is made for every frame."""

Take = Callable[[str | bytes, int], bool]
"""Put a message aside, with the monotonic clock in nanoseconds; False if it must go the long way now."""

_Marks = tuple[Any, Any, int, int, Any, Any, Any, int]

_LIKE_NOTHING: _Marks = (None, None, 0, 0, None, None, None, 0)

_MARKS: dict[type, tuple[Any, Any, Any]] = {bytes: (b'"', b"\\", ord("=")), str: ('"', "\\", "=")}


class Way(NamedTuple):
    """What a run holds of one direction; ``audio_ms`` is not rounded."""

    audio_ms: float
    last: Instant


class Run(NamedTuple):
    """Audio frames of one turn, in their order; never empty. ``rows`` says what each frame was."""

    times_ms: list[int]
    rows: list[Row]
    sent: Way | None
    received: Way | None


class Lane:
    """One direction's lane; closed until it is taught and opened."""

    def __init__(self, direction: Direction, waiting: list[Waiting]) -> None:
        self.direction = direction
        self._bit = int(direction is Direction.RECEIVED)
        self._waiting = waiting
        self._frame: Frame | None = None
        self._ms_per_byte = 0.0
        # What is around the base64 and how long both are, the marks to look for, and the direction's bit. A
        # head of None is like nothing.
        self._taught: _Marks = _LIKE_NOTHING
        self.marks = self._taught

    def take(self, raw: Any, monotonic_ns: int) -> bool:
        """See ``Take``. The first look only, because it is paid at the application's expense."""
        head = self.marks[0]
        if head is None or type(raw) is not type(head) or not raw.startswith(head):
            return False
        if len(self._waiting) >= MAX_WAITING:
            return False
        self._waiting.append((monotonic_ns, self, raw))
        return True

    def teach(self, frame: Frame, raw: str | bytes) -> None:
        """Learn from a frame that went the long way and held audio alone."""
        cut = cut_blob(raw)
        if cut is None or not frame.audio_ms or not is_blob(*cut[0]):
            return
        (head, tail), characters = cut
        self._frame = frame
        self._ms_per_byte = frame.audio_ms / (characters * 3 // 4)
        self._taught = (head, tail, len(head), len(tail), *_MARKS[type(raw)], self._bit)

    def open(self, *, opened: bool) -> None:
        """Take frames from now on, if there is anything to know them by; or take none."""
        self.marks = self._taught if opened else (None, *self._taught[1:])

    def frame(self, code: int) -> Frame:
        """Return the frame that a code stands for."""
        assert self._frame is not None  # noqa: S101 - nothing has a code in a lane that was not taught
        size, padding = code >> 3, code >> 1 & 3
        characters = size - self._taught[2] - self._taught[3] - padding
        return self._frame._replace(size=size, audio_ms=characters * 3 // 4 * self._ms_per_byte)


class Lanes:
    """Both directions' lanes of one connection."""

    def __init__(self) -> None:
        self._waiting: list[Waiting] = []
        self._sent = Lane(Direction.SENT, self._waiting)
        self._received = Lane(Direction.RECEIVED, self._waiting)
        self.take_sent: Take = self._sent.take
        self.take_received: Take = self._received.take

    def __len__(self) -> int:
        return len(self._waiting)

    def teach(self, frame: Frame, raw: str | bytes) -> None:
        """Learn from a frame that went the long way and held audio alone. Nothing may wait."""
        (self._sent if frame.direction is Direction.SENT else self._received).teach(frame, raw)

    def open(self, *, sent: bool, received: bool) -> None:
        """Open each lane, or close it."""
        self._sent.open(opened=sent)
        self._received.open(opened=received)

    def put_aside(self, direction: Direction, raw: str | bytes, monotonic_ns: int) -> None:
        """Put aside a message that no lane took."""
        lane = self._sent if direction is Direction.SENT else self._received
        self._waiting.append((monotonic_ns, lane, raw))

    def take_waiting(self) -> list[Waiting]:
        """Return the messages that were put aside, in their order, and have none."""
        waiting = self._waiting[:]
        self._waiting.clear()
        return waiting

    def count(self, waiting: list[Waiting], start: int, codes: list[int], times: list[int]) -> int:
        """Append code and time of every message from ``start`` on; return where one is not alike, or the end.

        A code tells a frame from its likes: ``bytes << 3 | padding << 1 | direction``. An int is cheap to
        keep, and equal frames are equal. Written out in one loop, because it runs for every frame.
        """
        known: Lane | None = None
        head: Any
        head, tail, before, behind, quote, escape, pad, bit = _LIKE_NOTHING
        for index in range(start, len(waiting)):
            monotonic_ns, lane, raw = waiting[index]
            if lane is not known:
                head, tail, before, behind, quote, escape, pad, bit = (known := lane).marks
            if type(raw) is not type(head) or not raw.startswith(head):
                return index
            size = len(raw)
            end = size - behind
            if raw.find(quote, before) != end or raw.find(escape, before, end) >= 0 or not raw.endswith(tail):
                return index
            if quote == '"' and not raw.isascii():
                return index
            padding = 0 if raw[end - 1] != pad else 4 if raw[end - 2] == pad else 2
            codes.append(size << 3 | padding | bit)
            times.append(monotonic_ns)
        return len(waiting)

    def run(self, codes: list[int], times: list[int], ahead_ns: int) -> Run:
        """Return frames by their codes; the wall clock is ``ahead_ns`` before the monotonic ``times``."""
        lanes = self._sent, self._received
        frames = {code: lanes[code & 1].frame(code) for code in set(codes)}
        rows = {code: row_of(frame) for code, frame in frames.items()}
        return Run(
            [(time + ahead_ns) // 1_000_000 for time in times],
            [*map(rows.__getitem__, codes)],
            *(_way(bit, codes, times, frames, ahead_ns) for bit in (0, 1)),
        )


def _way(bit: int, codes: list[int], times: list[int], frames: dict[int, Frame], ahead_ns: int) -> Way | None:
    own = [code for code in frames if code & 1 == bit]
    if not own:
        return None
    last = next(index for index in range(len(codes) - 1, -1, -1) if codes[index] & 1 == bit)
    audio_ms = sum(codes.count(code) * frames[code].audio_ms for code in own)
    return Way(audio_ms, Instant(times[last], times[last] + ahead_ns))
