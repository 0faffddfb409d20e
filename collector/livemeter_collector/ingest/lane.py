"""One signal's way into the store: requests that arrive together are inserted together, one insert at a time.

Runs on the event loop; only the store's blocking call runs in a thread. Knows nothing of HTTP, gRPC or OTLP:
bodies of the same signal may be concatenated, that is all.

The invariant everything rests on: a request is acknowledged only in ``_acknowledge``, which is only called
after the store's ``insert_otlp`` returned for bytes that contain the request.
"""

import asyncio
import hashlib
import logging
from collections.abc import Iterable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Literal

from livemeter_collector.ingest.counters import Counters, Tally
from livemeter_collector.ingest.request import MalformedError, RefusedError, Request, RequestError, shorten
from livemeter_collector.store.contract import PoisonError, Signal, Store, StoreError

Fate = Literal["accepted", "refused", "malformed", "inserted"]
"""A field of ``Counters``."""

_LONGEST_PAUSE_S = 1.0
_LOG = logging.getLogger("livemeter.collector")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a writer may hold and how long it may wait."""

    window_s: float = 0.05
    """How long the first request of a group waits for others to share its insert with."""
    group_bytes: int = 16 * 1024 * 1024
    """A group closes at this size; a single larger request is a group of its own."""
    queue_bytes: int = 256 * 1024 * 1024
    """Bound on all requests that wait or are being inserted; beyond it new ones are refused."""
    retry_for_s: float = 3.0
    """How long a failing insert is repeated. Exporters give a request up after 10 s, answer included."""
    pause_s: float = 0.1
    """Before the first repetition; every further pause is twice as long, up to a second."""


@dataclass(eq=False, slots=True)
class Waiting:
    """A request whose sender is waiting for its fate."""

    request: Request
    answer: asyncio.Future[RequestError | None]
    arrived_s: float


class Lane:
    """The queue of one signal and the loop that empties it."""

    def __init__(self, signal: Signal, store: Store, limits: Limits, threads: Executor) -> None:
        self._signal = signal
        self._store = store
        self._limits = limits
        self._threads = threads
        # A dict keeps order like a list and lets a sender that hangs up leave from the middle.
        self._queue: dict[Waiting, None] = {}
        self._queued_bytes = 0
        self._inserting: list[Waiting] = []
        self._changed = asyncio.Event()
        self._closing = False
        self._tallies: dict[Fate, Tally] = {}

    @property
    def counters(self) -> Counters:
        """What was done with this signal's requests so far."""
        return Counters(**self._tallies)

    @property
    def held_bytes(self) -> int:
        """Bytes of all requests that wait or are being inserted."""
        return self._queued_bytes + _size(self._inserting)

    async def put(self, request: Request) -> None:
        """Queue a request and return when it is stored; see ``Writer.submit`` for the errors."""
        loop = asyncio.get_running_loop()
        waiting = Waiting(request, loop.create_future(), loop.time())
        self._queue[waiting] = None
        self._queued_bytes += len(request.body)
        self._changed.set()
        try:
            error = await waiting.answer
        finally:
            # Still queued means that the sender went away: it was promised nothing and will send it again.
            self._forget(waiting)
        if error is not None:
            raise error

    def close(self) -> None:
        """Let ``run`` end once the queue is empty, without waiting for company any more."""
        self._closing = True
        self._changed.set()

    def refuse_queued(self, reason: str) -> None:
        """Turn away everything that is not being inserted yet."""
        self._refuse(self._take(self._queued_bytes), reason)

    def count(self, fate: Fate, records: int, size_bytes: int) -> None:
        """Count one request's fate."""
        self._tallies[fate] = self._tallies.get(fate, Tally()).plus(records, size_bytes)

    async def run(self) -> None:
        """Insert group after group until closed and empty."""
        try:
            while await self._has_work():
                await self._wait_for_company()
                self._inserting = self._take(self._limits.group_bytes)
                await self._store_group(self._inserting)
                self._inserting = []
        finally:
            # Cancelled, or a bug: nobody is left waiting for an answer that cannot come.
            self._refuse([*self._inserting, *self._take(self._queued_bytes)], "the collector is stopping")

    async def _has_work(self) -> bool:
        while not self._queue and not self._closing:
            self._changed.clear()
            await self._changed.wait()
        return bool(self._queue)

    async def _wait_for_company(self) -> None:
        loop = asyncio.get_running_loop()
        until_s = next(iter(self._queue)).arrived_s + self._limits.window_s
        while not self._closing and self._queued_bytes < self._limits.group_bytes and loop.time() < until_s:
            self._changed.clear()
            try:
                async with asyncio.timeout_at(until_s):
                    await self._changed.wait()
            except TimeoutError:
                return

    def _take(self, up_to_bytes: int) -> list[Waiting]:
        """Take requests off the queue in order of arrival, at least one if there is any."""
        taken: list[Waiting] = []
        size = 0
        for waiting in self._queue:
            size += len(waiting.request.body)
            if taken and size > up_to_bytes:
                break
            taken.append(waiting)
        for waiting in taken:
            self._forget(waiting)
        return taken

    def _forget(self, waiting: Waiting) -> None:
        if waiting in self._queue:
            del self._queue[waiting]
            self._queued_bytes -= len(waiting.request.body)

    async def _store_group(self, group: list[Waiting]) -> None:
        """Insert a group; halve it until a poisoned request stands alone and its neighbours are stored."""
        if not group:
            return
        try:
            await self._insert([waiting.request.body for waiting in group])
        except PoisonError as error:
            if len(group) == 1:
                self._reject(group[0], f"the store cannot read this request: {error}")
                return
            middle = len(group) // 2
            await self._store_group(group[:middle])
            await self._store_group(group[middle:])
        except StoreError as error:
            # Whoever waits behind this group has waited as long, and the store would not take theirs either.
            behind = self._take(self._queued_bytes)
            reason = shorten(str(error))
            _LOG.warning("%s: %d requests refused: %s", self._signal, len(group) + len(behind), reason)
            self._refuse([*group, *behind], f"the store is not available: {reason}")
        else:
            self._acknowledge(group)

    async def _insert(self, bodies: list[bytes]) -> None:
        """Insert the bodies as one; repeat the same bytes under the same token while the store is away."""
        loop = asyncio.get_running_loop()
        give_up_s = loop.time() + self._limits.retry_for_s
        body = b"".join(bodies)
        token = content_token(body)
        pause_s = self._limits.pause_s
        while True:
            try:
                await loop.run_in_executor(self._threads, self._store.insert_otlp, self._signal, body, token)
            except PoisonError:
                raise
            except StoreError:
                if self._closing or loop.time() + pause_s > give_up_s:
                    raise
            else:
                return
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _acknowledge(self, group: Iterable[Waiting]) -> None:
        for waiting in group:
            self.count("inserted", waiting.request.records, len(waiting.request.body))
            self._answer(waiting, "accepted", None)

    def _reject(self, waiting: Waiting, reason: str) -> None:
        self._answer(waiting, "malformed", MalformedError(reason))

    def _refuse(self, group: Iterable[Waiting], reason: str) -> None:
        for waiting in group:
            self._answer(waiting, "refused", RefusedError(reason))

    def _answer(self, waiting: Waiting, fate: Fate, error: RequestError | None) -> None:
        # Done already means cancelled: the sender is gone.
        if not waiting.answer.done():
            self.count(fate, waiting.request.records, len(waiting.request.body))
            waiting.answer.set_result(error)


def content_token(body: bytes) -> str:
    """Name an insert by its content: the same bytes are stored once, and other bytes never pass for them."""
    return hashlib.blake2b(body, digest_size=16).hexdigest()


def _size(group: Iterable[Waiting]) -> int:
    return sum(len(waiting.request.body) for waiting in group)
