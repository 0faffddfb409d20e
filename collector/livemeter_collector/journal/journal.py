"""The journal: requests are appended and synced, and stay until what they hold is stored.

Theory of operation. Each signal has a directory of numbered segments. The newest is open: ``append`` adds
requests to it and returns when they are on disk; then they may be acknowledged. ``seal`` closes it, and from
then on its bytes never change, so that storing it again, also after a crash, is storing the same bytes under
the same token. ``remove`` comes after they are stored: it remembers the digests, replaces ``state.json`` (the
one moment that counts), and unlinks the files. A new process seals whatever it finds, with a torn tail cut
off: what was in it was never acknowledged.

Blocking. One caller per signal at a time for ``append`` and ``seal``; the rest is safe from any thread.
"""

import contextlib
import os
import shutil
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from livemeter_collector.journal.disk import sync_directory, write_durably
from livemeter_collector.journal.record import (
    MAX_PREAMBLE_BYTES,
    Entry,
    Preamble,
    UnreadableSegmentError,
    read_contents,
)
from livemeter_collector.journal.seen import SeenRequests
from livemeter_collector.journal.segment import SUFFIX, OpenSegment, Segment, path_of, segment_of
from livemeter_collector.journal.state import Amount, Done, read_state, write_state
from livemeter_collector.store.contract import Signal

LIMIT_BYTES = 2 * 1024**3
"""What the journal may hold: hours of a busy fleet's telemetry while ClickHouse is away."""

RESERVE_BYTES = 512 * 1024**2
"""Free space that the journal leaves on its disk: the embedded engine's merges need some, and writes a part
before it removes those it was made of."""

CLOSE_WAIT_S = 1.0
"""How long the end waits for a disk that does not answer."""

_FREE_SPACE_EVERY_S = 0.5
_DAMAGED = ".damaged"


class JournalFullError(Exception):
    """The journal takes nothing at the moment; the text says why."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How large the journal may become."""

    size_bytes: int = LIMIT_BYTES
    reserve_bytes: int = RESERVE_BYTES


class Journal:
    """All signals' segments in one directory that nobody else uses."""

    def __init__(self, directory: Path, rules: int, limits: Limits = Limits()) -> None:
        """Open the directory and read what an earlier process left in it.

        Args:
            directory: made if missing.
            rules: the number of the last migration that this process knows.
            limits: how large it may become.

        Raises:
            UnreadableStateError: another version's, or damaged.
            OSError: it cannot be used.
        """
        self.directory = directory
        self._rules = rules
        self._limits = limits
        self._lock = threading.Lock()
        # Held while a file is written to, however long its disk takes; the lock above is held for moments.
        self._at_the_file = {signal: threading.Lock() for signal in Signal}
        self._closed = False
        self._open: dict[Signal, OpenSegment] = {}
        self._sealed: dict[Signal, dict[int, Segment]] = {signal: {} for signal in Signal}
        self._free: tuple[float, int] | None = None
        self.damaged: list[Path] = []
        """Files that could not be read, or not to their end: copies for people to look at."""
        for signal in Signal:
            (directory / signal.value).mkdir(parents=True, exist_ok=True)
        self._state_path = directory / "state.json"
        self._state = read_state(self._state_path)
        if not self._state_path.exists():
            write_state(self._state_path, self._state)
        self._seen = SeenRequests(directory / "seen", time.time_ns())
        self.left = {signal: self._recover(signal) for signal in Signal}
        """Segments of an earlier process by signal, oldest first: to be stored before all others."""
        self._next = {signal: self._number_after(signal) for signal in Signal}

    def note_death(self, *, crashed: bool) -> None:
        """Take note of how the process before this one ended; once, before anything is stored.

        Args:
            crashed: it died of a fault of its own, and was not killed.
        """
        for segments in self.left.values():
            for segment in segments:
                segment.note_death(crashed=crashed)

    @property
    def collector_id(self) -> str:
        """A UUID, minted with the directory."""
        return self._state.collector_id

    def done(self, signal: Signal) -> Done:
        """Return a signal's history up to its last removed segment."""
        return self._state.done[signal]

    @property
    def size_bytes(self) -> int:
        """Size of all segments on disk."""
        with self._lock:
            sealed = (each.file_bytes for one in self._sealed.values() for each in one.values())
            return sum(sealed) + sum(each.file_bytes for each in self._open.values())

    @property
    def limit_bytes(self) -> int:
        """What it may hold."""
        return self._limits.size_bytes

    def free_bytes(self) -> int:
        """Return the free space on the disk, as of half a second ago at most."""
        now = time.monotonic()
        if self._free is None or now - self._free[0] > _FREE_SPACE_EVERY_S:
            self._free = now, shutil.disk_usage(self.directory).free
        return self._free[1]

    def reason_to_refuse(self, size_bytes: int = 0) -> str:
        """Return why a request of this size is not taken now, or an empty text."""
        held = self.size_bytes
        # An empty journal takes any size, or a request over its limit could never pass.
        if held and held + size_bytes > self._limits.size_bytes:
            return "the journal is full: the store takes telemetry more slowly than it comes, or not at all"
        if self.free_bytes() - size_bytes < self._limits.reserve_bytes:
            return "the disk is nearly full"
        return ""

    def is_repeat(self, digest: bytes) -> bool:
        """Say whether a request of this digest was accepted within the last hour."""
        with self._lock:
            return digest in self._seen

    def append(self, signal: Signal, entries: Sequence[Entry]) -> None:
        """Add requests; when it returns they are on disk and count as accepted.

        Raises:
            JournalFullError: there is no room; nothing was added.
            BrokenJournalError: the disk failed; the process must end.
        """
        with self._at_the_file[signal]:
            if self._closed:
                raise JournalFullError("the journal is closed")
            try:
                segment = self._open.get(signal) or self._begin(signal)
                segment.append(list(entries))
            except OSError as error:
                self._free = None
                raise JournalFullError(f"the journal cannot be written: {error.strerror}") from error
            with self._lock:
                segment.count(list(entries))
                now_ns = time.time_ns()
                self._seen.add(((entry.digest, entry.accepted_at_ns) for entry in entries), now_ns)

    def held(self, signal: Signal) -> tuple[Amount, int]:
        """Return how much of a signal is not done with, and when the oldest of it came (Unix ns; 0: none)."""
        with self._lock:
            held = self._held(signal)
            return sum((_amount(each) for each in held), Amount()), min(
                (each.oldest_ns for each in held), default=0
            )

    def account(self, signal: Signal) -> tuple[Done, Amount]:
        """Return a signal's history and how much of it is not done with, both of one moment."""
        with self._lock:
            return self._state.done[signal], sum(map(_amount, self._held(signal)), Amount())

    def _held(self, signal: Signal) -> list[Segment | OpenSegment]:
        segment = self._open.get(signal)
        return [*self._sealed[signal].values(), *([segment] if segment and segment.requests else [])]

    def open_amount(self, signal: Signal) -> tuple[int, int]:
        """Return the bytes of the open segment and when its first request came (Unix ns); 0, 0 without."""
        segment = self._open.get(signal)
        return (segment.body_bytes, segment.oldest_ns) if segment is not None else (0, 0)

    def seal(self, signal: Signal) -> Segment | None:
        """Close the open segment and return it; None if it has no request."""
        with self._at_the_file[signal]:
            segment = self._open.get(signal)
            if segment is None or not segment.requests:
                return None
            sealed = segment.seal()
            with self._lock:
                del self._open[signal]
                self._sealed[signal][sealed.preamble.number] = sealed
            return sealed

    def remove(self, segment: Segment, digests: Sequence[tuple[bytes, int]], set_aside: Amount) -> None:
        """Be done with a segment: every request of it is stored or set aside. Durable when it returns.

        Of each signal the oldest goes first.

        Raises:
            OSError: the disk is full; nothing is lost, and it may be called again.
        """
        signal = segment.preamble.signal
        accepted = _amount(segment)
        with self._lock:
            self._seen.keep(digests)
            done = self._state.done[signal].plus(segment.preamble.number, accepted, set_aside)
            state = self._state.with_done(signal, done)
            write_state(self._state_path, state)
            self._state = state
            self._sealed[signal].pop(segment.preamble.number, None)
        # It counts as done by now, and must not be done again: the next process removes what is left of it.
        with contextlib.suppress(OSError):
            segment.unlink()

    def close(self, wait_s: float = CLOSE_WAIT_S) -> None:
        """Close the open files; what is in them is there for the next process.

        A file that a thread still writes to after ``wait_s`` is left to it: its number must not become
        another file's under its hands. Nothing new is begun, and the file ends with the process.
        """
        self._closed = True
        give_up = time.monotonic() + wait_s
        for signal, at_the_file in self._at_the_file.items():
            if at_the_file.acquire(timeout=max(0.0, give_up - time.monotonic())):
                try:
                    if segment := self._open.pop(signal, None):
                        segment.seal()
                finally:
                    at_the_file.release()

    def _begin(self, signal: Signal) -> OpenSegment:
        number = self._next[signal]
        segment = OpenSegment(self.directory / signal.value, Preamble(signal, number, self._rules))
        with self._lock:
            self._next[signal] = number + 1
            self._open[signal] = segment
        return segment

    def _number_after(self, signal: Signal) -> int:
        left = [segment.preamble.number for segment in self.left[signal]]
        return max([self._state.done[signal].through, *left]) + 1

    def _recover(self, signal: Signal) -> list[Segment]:
        directory = self.directory / signal.value
        paths = sorted(directory.glob(f"*{SUFFIX}"))
        # Only the newest can have been written to when the process ended.
        found = [self._recovered(path, is_newest=path == paths[-1]) for path in paths]
        sync_directory(directory)
        return [segment for segment in found if segment is not None]

    def _recovered(self, path: Path, *, is_newest: bool) -> Segment | None:
        data = path.read_bytes()
        try:
            contents = read_contents(data)
        except UnreadableSegmentError:
            # What never got beyond its beginning holds no request.
            self._put_apart(path, data if len(data) > MAX_PREAMBLE_BYTES else b"")
            path.unlink()
            return None
        segment = segment_of(path, contents)
        if contents.end < len(data):
            self._put_apart(path, b"" if is_newest else data)
            _cut(path, contents.end)
        is_done = contents.preamble.number <= self._state.done[contents.preamble.signal].through
        if is_done or not contents.places:
            segment.unlink()
            return None
        self._sealed[segment.preamble.signal][segment.preamble.number] = segment
        self._seen.add(((place.digest, place.accepted_at_ns) for place in contents.places), time.time_ns())
        return segment

    def _put_apart(self, path: Path, data: bytes) -> None:
        if data:
            damaged = path.with_suffix(_DAMAGED)
            write_durably(damaged, data)
            self.damaged.append(damaged)


def segment_path(directory: Path, signal: Signal, number: int) -> Path:
    """Return where a journal keeps a segment."""
    return path_of(directory / signal.value, number)


def _amount(segment: Segment | OpenSegment) -> Amount:
    return Amount(segment.requests, segment.records, segment.body_bytes)


def _cut(path: Path, size: int) -> None:
    with contextlib.closing(os.fdopen(os.open(path, os.O_WRONLY), "wb")) as file:
        file.truncate(size)
        file.flush()
        os.fsync(file.fileno())
