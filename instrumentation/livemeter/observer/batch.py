"""Frames on their way out: columns that grow by one row a frame and leave as one fact."""

import itertools

from livemeter.observer.facts import FramesRecorded
from livemeter.observer.frames import Frame
from livemeter.vocabulary import Direction

MAX_FRAMES = 1000
"""A batch leaves early when it is this long, so that one event stays near 20 kB."""


class FrameBatch:
    """At most ``interval_ms`` of one connection's frames."""

    def __init__(self, interval_ms: float) -> None:
        self._interval_ns = int(interval_ms * 1e6)
        self._next_seq = 0
        self._clear()

    def _clear(self) -> None:
        self._opened_ns = 0
        self._rows: list[tuple[int, int, Frame]] = []

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, frame: Frame, turn: int, monotonic_ns: int, wall_ns: int) -> None:
        """Append one frame that crossed the socket at ``wall_ns``."""
        if not self._rows:
            self._opened_ns = monotonic_ns
        self._rows.append((wall_ns, turn, frame))

    def is_due(self, monotonic_ns: int) -> bool:
        """Say whether the batch should leave now."""
        if not self._rows:
            return False
        return monotonic_ns - self._opened_ns >= self._interval_ns or len(self._rows) >= MAX_FRAMES

    def take(self, wall_ns: int) -> FramesRecorded:
        """Return the frames so far and start again."""
        times = [wall_ns // 1_000_000 for wall_ns, _, _ in self._rows]
        frames = [frame for _, _, frame in self._rows]
        fact = FramesRecorded(
            at_ns=wall_ns,
            first_seq=self._next_seq,
            base_ms=times[0],
            offsets_ms=(0, *(after - before for before, after in itertools.pairwise(times))),
            directions=tuple(int(frame.direction is Direction.RECEIVED) for frame in frames),
            kinds=tuple(frame.kind for frame in frames),
            contents=tuple(frame.contents if len(frame.contents) > 1 else () for frame in frames),
            bytes=tuple(frame.size for frame in frames),
            audio_ms=tuple(round(frame.audio_ms) for frame in frames),
            turns=tuple(turn for _, turn, _ in self._rows),
        )
        self._next_seq += len(frames)
        self._clear()
        return fact
