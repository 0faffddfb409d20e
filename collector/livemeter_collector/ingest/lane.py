"""One signal's way: into the journal with what arrives together, acknowledged, then stored by segments.

Runs on the event loop; what blocks, the journal's sync and the store's insert, runs in threads. Knows nothing
of HTTP, gRPC or OTLP.

The invariant everything rests on: a request is acknowledged only in ``_acknowledge``, which is only called
after ``Journal.append`` returned for it.
"""

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Literal, TypeVar

from livemeter_collector.ingest.counters import BOUNDS_S, Counters, InsertTimes, SignalState, Tally
from livemeter_collector.ingest.feeder import Feeder
from livemeter_collector.ingest.request import RefusedError, Request, RequestError, shorten
from livemeter_collector.journal.journal import Journal, JournalFullError
from livemeter_collector.journal.record import Entry, digest_of
from livemeter_collector.journal.segment import Segment
from livemeter_collector.store.contract import Signal, StoreError

Fate = Literal["accepted", "repeated", "refused", "malformed", "stored", "set_aside"]
"""A field of ``Counters``."""

_T = TypeVar("_T")

_LONGEST_PAUSE_S = 5.0
_LOG = logging.getLogger("livemeter.collector")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a writer may hold in memory, and how it batches."""

    window_s: float = 0.25
    """How long a segment takes requests at least before it is stored."""
    longest_window_s: float = 0.75
    """How long at most: what is sent is wanted within two seconds, and the sender had it for nearly one."""
    pace: float = 4.0
    """Between them, this many times as long as the last insert took, whose cost is the same for few records
    as for many: a steady trickle takes a quarter of one core, and the more there is to do, the more of it
    goes into one insert."""
    segment_bytes: int = 64 * 1024 * 1024
    """A segment is stored at this size at the latest; a single larger request is one of its own."""
    queue_bytes: int = 256 * 1024 * 1024
    """Bound on all requests that wait for the journal; beyond it new ones are refused."""
    pause_s: float = 0.1
    """Before an insert that failed is repeated; every further pause is twice as long, up to five seconds."""


@dataclass(eq=False, slots=True)
class Waiting:
    """A request whose sender is waiting for its fate."""

    entry: Entry
    answer: "asyncio.Future[RequestError | None]"


class Lane:
    """The queue of one signal, and the two loops that empty it: into the journal, and out of it."""

    def __init__(
        self, signal: Signal, journal: Journal, feeder: Feeder, limits: Limits, threads: Executor
    ) -> None:
        self._signal = signal
        self._journal = journal
        self._feeder = feeder
        self._limits = limits
        self._threads = threads
        # Dicts keep order like a list and let a sender that hangs up leave from the middle.
        self._queue: dict[Waiting, None] = {}
        self._writing: dict[Waiting, None] = {}
        self._queued_bytes = 0
        self._by_digest: dict[bytes, Waiting] = {}
        self._changed = asyncio.Event()
        self._to_feed = asyncio.Event()
        self._at_the_file = asyncio.Lock()
        self._backlog: deque[Segment] = deque()
        # When the open segment got its first request. Not by the clock of its entries: that one may be set.
        self._open_since: float | None = None
        self._closed = asyncio.Event()
        self._written = asyncio.Event()
        self._tallies: dict[Fate, Tally] = {}
        self._insert_counts = [0] * (len(BOUNDS_S) + 1)
        self._insert_s = self._last_insert_s = 0.0
        self._failed_inserts = 0
        self._trouble = ""

    @property
    def held_bytes(self) -> int:
        """Bytes of all requests that wait for the journal."""
        return self._queued_bytes

    def state(self) -> SignalState:
        """Return what was done so far and what is left to do."""
        held, oldest_ns = self._journal.held(self._signal)
        return SignalState(
            Counters(**self._tallies),
            Tally(held.requests, held.records, held.bytes),
            max(0.0, (time.time_ns() - oldest_ns) / 1e9) if oldest_ns else 0.0,
            InsertTimes(tuple(self._insert_counts), self._insert_s),
            self._failed_inserts,
            self._trouble,
        )

    async def put(self, request: Request, refusal: str = "", *, again: bool = False) -> None:
        """Return when a request is in the journal, or had been there; see ``Writer.submit``.

        ``refusal`` is why nothing new is taken now, if so: what is kept already is acknowledged all the same.
        """
        digest = digest_of(request.body)
        if not again and self._journal.is_repeat(digest):
            self.count("repeated", request.records, len(request.body))
            return
        if refusal:
            self.count("refused", request.records, len(request.body))
            raise RefusedError(refusal)
        twin = self._by_digest.get(digest)
        if twin is not None:
            # The same bytes are on their way already: both are told what becomes of them.
            error = await asyncio.shield(twin.answer)
            self.count("refused" if error else "repeated", request.records, len(request.body))
        else:
            error = await self._queued(request, digest)
        if error is not None:
            raise error

    async def _queued(self, request: Request, digest: bytes) -> RequestError | None:
        entry = Entry(request.body, request.records, time.time_ns(), digest)
        waiting = Waiting(entry, asyncio.get_running_loop().create_future())
        self._queue[waiting] = None
        self._by_digest[digest] = waiting
        self._queued_bytes += len(request.body)
        self._changed.set()
        # A sender that hangs up was promised nothing; what it sent is kept all the same, and it may send it
        # again: it counts once.
        return await asyncio.shield(waiting.answer)

    def close(self) -> None:
        """Let both loops end once everything that came is in the journal and was tried to be stored."""
        self._closed.set()
        self._changed.set()
        self._to_feed.set()

    def count(self, fate: Fate, records: int, size_bytes: int, requests: int = 1) -> None:
        """Count the fate of a request, or of several."""
        self._tallies[fate] = self._tallies.get(fate, Tally()).plus(records, size_bytes, requests)

    # Into the journal.

    async def write(self) -> None:
        """Write what arrives to the journal until closed and empty."""
        try:
            while await self._has_work():
                await self._write_group(self._take())
        finally:
            # Cancelled, or a bug: nobody is left waiting for an answer that cannot come.
            self._refuse([*self._writing, *self._queue], "the collector is stopping")
            self._written.set()
            self._to_feed.set()

    async def _has_work(self) -> bool:
        while not self._queue and not self._closed.is_set():
            self._changed.clear()
            await self._changed.wait()
        return bool(self._queue)

    def _take(self) -> list[Waiting]:
        """Take requests off the queue in order of arrival, as many as a segment should hold."""
        size = 0
        for waiting in list(self._queue):
            size += len(waiting.entry.body)
            if self._writing and size > self._limits.segment_bytes:
                break
            del self._queue[waiting]
            self._writing[waiting] = None
        return list(self._writing)

    async def _write_group(self, group: list[Waiting]) -> None:
        try:
            async with self._at_the_file:
                await self._in_thread(
                    lambda: self._journal.append(self._signal, [waiting.entry for waiting in group])
                )
                self._open_since = self._open_since or time.monotonic()
                await self._seal_if_full()
        except JournalFullError as error:
            self._refuse(group, str(error))
        else:
            self._acknowledge(group)
            self._to_feed.set()

    async def _seal_if_full(self) -> None:
        # Not left to the other loop, which waits while the store is away: a segment is read as a whole.
        size, _ = self._journal.open_amount(self._signal)
        if size >= self._limits.segment_bytes:
            segment = await self._seal()
            if segment is not None:
                self._backlog.append(segment)

    async def _seal(self) -> Segment | None:
        self._open_since = None
        return await self._in_thread(lambda: self._journal.seal(self._signal))

    def _acknowledge(self, group: Iterable[Waiting]) -> None:
        for waiting in group:
            self._answer(waiting, "accepted", None)

    def _refuse(self, group: Iterable[Waiting], reason: str) -> None:
        for waiting in list(group):
            self._answer(waiting, "refused", RefusedError(reason))

    def _answer(self, waiting: Waiting, fate: Fate, error: RequestError | None) -> None:
        entry = waiting.entry
        self._queue.pop(waiting, None)
        self._writing.pop(waiting, None)
        self._by_digest.pop(entry.digest, None)
        self._queued_bytes -= len(entry.body)
        if not waiting.answer.done():
            self.count(fate, entry.records, len(entry.body))
            waiting.answer.set_result(error)

    # Out of the journal.

    async def feed(self) -> None:
        """Store segment after segment until closed, and everything is stored or the store takes nothing."""
        # Not known before: an upgrade stores what an older version left by itself.
        self._backlog.extendleft(reversed(self._journal.left[self._signal]))
        while segment := await self._next_segment():
            if not await self._store(segment):
                return

    async def _next_segment(self) -> Segment | None:
        while True:
            is_over = self._closed.is_set() and self._written.is_set()
            await self._wait_until_due()
            async with self._at_the_file:
                if self._backlog:
                    return self._backlog.popleft()
                segment = await self._seal()
            if segment is not None:
                return segment
            if is_over:
                return None

    async def _wait_until_due(self) -> None:
        """Wait until the open segment is full, or old, or nothing more will come."""
        while not self._written.is_set() and not self._backlog:
            since = self._open_since
            left_s = None if since is None else since + self._window_s() - time.monotonic()
            if left_s is not None and left_s <= 0:
                return
            self._to_feed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left_s):
                    await self._to_feed.wait()

    def _window_s(self) -> float:
        limits = self._limits
        return max(limits.window_s, min(limits.pace * self._last_insert_s, limits.longest_window_s))

    async def _store(self, segment: Segment) -> bool:
        """Store a segment, however long it takes; False if the collector is stopping and it did not work."""
        pause_s = self._limits.pause_s
        while True:
            try:
                await self._store_once(segment)
            except (StoreError, OSError) as error:
                self._failed(error)
                if self._closed.is_set():
                    return False
            else:
                return True
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._closed.wait()
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    async def _store_once(self, segment: Segment) -> None:
        began = time.monotonic()
        set_aside = await self._in_thread(lambda: self._feeder.feed(segment))
        self._timed(time.monotonic() - began)
        if self._trouble:
            _LOG.warning("%s: the store takes telemetry again", self._signal)
            self._trouble = ""
        self.count(
            "stored",
            segment.records - set_aside.records,
            segment.body_bytes - set_aside.bytes,
            segment.requests - set_aside.requests,
        )
        if set_aside.requests:
            self.count("set_aside", set_aside.records, set_aside.bytes, set_aside.requests)
            _LOG.warning(
                "%s: %d requests cannot be read by the store and were set aside: livemeter dead-letters",
                self._signal,
                set_aside.requests,
            )

    def _failed(self, error: Exception) -> None:
        self._failed_inserts += 1
        if not self._trouble:
            _LOG.warning(
                "%s: the store does not take telemetry; it is kept in the journal: %s",
                self._signal,
                shorten(str(error)),
            )
        self._trouble = shorten(str(error)) or type(error).__name__

    def _timed(self, seconds: float) -> None:
        index = next((i for i, bound in enumerate(BOUNDS_S) if seconds <= bound), len(BOUNDS_S))
        self._insert_counts[index] += 1
        self._insert_s += seconds
        self._last_insert_s = seconds

    async def _in_thread(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)
