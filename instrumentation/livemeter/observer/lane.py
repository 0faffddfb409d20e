"""The short way of audio: frames that differ from one before in their base64 alone.

Nearly all frames of a voice session are such, fifty a second each way. Between two of them the caches of the
machine are the application's, and the little that observing one would cost is three times as much. So a
frame that begins like audio that went the long way is only stamped and put aside; the frames put aside are
read in one go: at the latest when half a second has passed, and always before anything else is observed.
Nothing is guessed: each is compared in full, and one that is not alike goes the long way then, in its order.

Alike is a frame with the same text around its base64, in which no quote and no backslash stand, so that no
field can hide there. Padding is looked at, so that milliseconds are exact. Many are compared at once; only
if one is not alike is the place looked for where it stands.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from livemeter.observer.blob import cut_blob, is_blob
from livemeter.observer.clock import Instant
from livemeter.observer.columns import Row, row_of
from livemeter.observer.frames import Frame
from livemeter.vocabulary import Direction

MAX_WAITING = 256
"""Frames that are put aside at most: they are kept whole, and a burst of them must not fill the memory."""

Waiting = tuple[int, "Likeness", Any]
"""The monotonic clock (ns), what it began like, and a message. A plain tuple: one is made for every frame."""

Take = Callable[[Any, int], bool]
"""Put a message aside, with the monotonic clock in nanoseconds; False if it must go the long way now."""

_MARKS: dict[type, tuple[Any, Any, Any]] = {bytes: (b'"', b"\\", b"="), str: ('"', "\\", "=")}


class Likeness(NamedTuple):
    """What audio frames of one direction have in common. Two are the same only if they are one object."""

    frame: Frame
    ms_per_byte: float
    head: Any
    tail: Any

    def frames(self, raws: Sequence[Any]) -> dict[int, Frame] | None:
        """Return the frame that each length in ``raws`` stands for; None if one message is not alike.

        All begin alike. Those of one length must have the same padding, too.
        """
        quote, escape, _ = _MARKS[type(self.head)]
        before, behind = len(self.head), len(self.tail)
        lengths = set(map(len, raws))
        blobs = self.head[:0].join([raw[before:-behind] for raw in raws])
        if min(lengths) < before + behind or quote in blobs or escape in blobs:
            return None
        if quote == '"' and not blobs.isascii():
            return None
        frames: dict[int, Frame] = {}
        for length in lengths:
            own = raws if len(lengths) == 1 else [raw for raw in raws if len(raw) == length]
            padding = self._padding(own)
            if padding is None:
                return None
            size = (length - before - behind - padding) * 3 // 4
            frames[length] = self.frame._replace(size=length, audio_ms=size * self.ms_per_byte)
        return frames

    def _padding(self, raws: Sequence[Any]) -> int | None:
        """Return how much padding all messages have; None if they differ, or end otherwise."""
        *_, pad = _MARKS[type(self.head)]
        padding = next((n for n in (2, 1) if raws[0].endswith(pad * n + self.tail)), 0)
        end = pad * padding + self.tail
        if False in [raw.endswith(end) for raw in raws]:
            return None
        behind = len(end)
        if padding < 2 and pad in [raw[-behind - 1 : -behind] for raw in raws]:
            return None
        return padding


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


class _Own(NamedTuple):
    """One direction's part in a run: how many frames, what each length is, and their sum."""

    frames: int
    rows: dict[int, Row]
    way: Way | None


class Lane:
    """One direction's lane; closed until it is taught and opened.

    A message for which ``type(raw) is lane.kind and raw.startswith(lane.head)`` begins like audio; both are
    None, as is ``likeness``, while it is closed.
    """

    def __init__(self, waiting: list[Waiting]) -> None:
        self._waiting = waiting
        self._taught: Likeness | None = None
        self.likeness: Any = None
        self.kind: Any = None
        self.head: Any = None

    def take(self, raw: Any, monotonic_ns: int) -> bool:
        """See ``Take``. The first look only, because it is paid at the application's expense."""
        if type(raw) is not self.kind or not raw.startswith(self.head) or len(self._waiting) >= MAX_WAITING:
            return False
        self._waiting.append((monotonic_ns, self.likeness, raw))
        return True

    def put_aside(self, raw: Any, monotonic_ns: int) -> bool:
        """Put a message aside if it begins like audio, however many wait."""
        is_like: bool = type(raw) is self.kind and raw.startswith(self.head)
        if is_like:
            self._waiting.append((monotonic_ns, self.likeness, raw))
        return is_like

    def teach(self, frame: Frame, raw: str | bytes) -> None:
        """Learn from a frame that went the long way and held audio alone."""
        cut = cut_blob(raw)
        if cut is None or not frame.audio_ms or not is_blob(*cut[0]) or len(raw) != frame.size:
            return
        (head, tail), characters = cut
        known = self._taught
        if known is None or type(raw) is not type(known.head) or (head, tail) != (known.head, known.tail):
            self._taught = Likeness(frame, frame.audio_ms / (characters * 3 // 4), head, tail)

    def open(self, *, opened: bool) -> None:
        """Take frames from now on, if there is anything to know them by; or take none."""
        likeness = self._taught if opened else None
        self.likeness = likeness
        self.head = likeness.head if likeness else None
        self.kind = type(self.head) if likeness else None

    def read(self, waiting: Sequence[Waiting], ahead_ns: int) -> _Own | None:
        """Return this lane's part in a run; None if one of its messages is not alike."""
        likeness: Likeness | None = self.likeness
        own = [each for each in waiting if each[1] is likeness]
        if likeness is None or not own:
            return _Own(0, {}, None)
        raws = [raw for _, _, raw in own]
        frames = likeness.frames(raws)
        if frames is None:
            return None
        lengths = [*map(len, raws)]
        audio_ms = sum(lengths.count(length) * frame.audio_ms for length, frame in frames.items())
        last_ns, *_ = own[-1]
        rows = {length: row_of(frame) for length, frame in frames.items()}
        return _Own(len(own), rows, Way(audio_ms, Instant(last_ns, last_ns + ahead_ns)))


class Lanes:
    """Both directions' lanes of one connection."""

    def __init__(self) -> None:
        self.waiting: list[Waiting] = []
        self.sent = Lane(self.waiting)
        self.received = Lane(self.waiting)

    def of(self, direction: Direction) -> Lane:
        """Return the lane of a direction."""
        return self.sent if direction is Direction.SENT else self.received

    def open(self, *, sent: bool, received: bool) -> None:
        """Open each lane, or close it."""
        self.sent.open(opened=sent)
        self.received.open(opened=received)

    def take_waiting(self) -> list[Waiting]:
        """Return the messages that were put aside, in their order, and have none."""
        waiting = self.waiting[:]
        self.waiting.clear()
        return waiting

    def run(self, waiting: Sequence[Waiting], ahead_ns: int) -> Run | None:
        """Return the longest run of audio with which ``waiting`` begins; None if the first is not alike.

        The wall clock is ``ahead_ns`` before the monotonic one.
        """
        longest = self._run(waiting, ahead_ns)
        alike, unlike, step = 0, 0 if longest else len(waiting), 1
        while unlike - alike > 1:
            # In growing steps, then by halves: a frame that is not alike costs as much as its run is long.
            step = min(step, (unlike - alike) // 2)
            run = self._run(waiting[: alike + step], ahead_ns)
            if run is None:
                unlike = alike + step
            else:
                longest, alike, step = run, alike + step, 2 * step
        return longest

    def _run(self, waiting: Sequence[Waiting], ahead_ns: int) -> Run | None:
        sent, received = self.sent.read(waiting, ahead_ns), self.received.read(waiting, ahead_ns)
        if sent is None or received is None or sent.frames + received.frames < len(waiting):
            return None
        likeness, to_server, from_server = self.sent.likeness, sent.rows, received.rows
        return Run(
            [(at_ns + ahead_ns) // 1_000_000 for at_ns, _, _ in waiting],
            [(to_server if like is likeness else from_server)[len(raw)] for _, like, raw in waiting],
            sent.way,
            received.way,
        )
