"""Frames on their way out: columns that grow by one row a frame and leave as one fact."""

import operator

from livemeter.observer.columns import Row, row_of
from livemeter.observer.facts import FramesRecorded
from livemeter.observer.frames import Frame
from livemeter.observer.lane import Run

MAX_FRAMES = 1000
"""A batch leaves early when it is this long, so that one event stays near 20 kB."""


class FrameBatch:
    """At most ``interval_ms`` of one connection's frames, and the handles that were given meanwhile."""

    def __init__(self, interval_ms: float) -> None:
        self._interval_ns = int(interval_ms * 1e6)
        self.frames = 0
        self._clear()

    def _clear(self) -> None:
        self._opened_ns = 0
        self._times_ms: list[int] = []
        self._rows: list[Row] = []
        self._turns: list[int] = []
        self._handle_hashes: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, frame: Frame, turn: int, monotonic_ns: int, wall_ns: int) -> None:
        """Append one frame that crossed the socket at ``wall_ns``."""
        self._extend([wall_ns // 1_000_000], [row_of(frame)], turn, monotonic_ns)

    def add_run(self, run: Run, turn: int, monotonic_ns: int) -> None:
        """Append frames that were counted by the lanes; all are of one turn."""
        self._extend(run.times_ms, run.rows, turn, monotonic_ns)

    def _extend(self, times_ms: list[int], rows: list[Row], turn: int, monotonic_ns: int) -> None:
        if not self._rows:
            self._opened_ns = monotonic_ns
        self._times_ms += times_ms
        self._rows += rows
        self._turns += [turn] * len(rows)

    def handle_given(self, handle_hash: str) -> None:
        """Let the hash of a new resumption handle ride along."""
        self._handle_hashes[handle_hash] = None

    def is_due(self, monotonic_ns: int) -> bool:
        """Say whether the batch should leave now."""
        if not self._rows:
            return False
        return monotonic_ns - self._opened_ns >= self._interval_ns or len(self._rows) >= MAX_FRAMES

    def take(self, wall_ns: int) -> FramesRecorded:
        """Return the frames so far and start again."""
        times = self._times_ms
        directions, kinds, contents, sizes, audio_ms, sample_rates = zip(*self._rows, strict=True)
        fact = FramesRecorded(
            at_ns=wall_ns,
            first_seq=self.frames,
            base_ms=times[0],
            offsets_ms=(0, *map(operator.sub, times[1:], times)),
            directions=directions,
            kinds=kinds,
            contents=contents,
            bytes=sizes,
            audio_ms=audio_ms,
            sample_rates=sample_rates,
            turns=tuple(self._turns),
            handle_hashes=tuple(self._handle_hashes),
        )
        self.frames += len(times)
        self._clear()
        return fact
