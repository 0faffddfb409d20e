"""The bounded way from the receivers to the store: submit a request, and come back when it is kept.

Runs on one event loop. Refuses what it cannot hold and drops nothing: whoever submits gets an answer, and no
request is acknowledged before it is on disk.
"""

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from livemeter_collector.ingest.counters import JournalState, SignalState
from livemeter_collector.ingest.feeder import Feeder, SetsAside
from livemeter_collector.ingest.lane import Lane, Limits
from livemeter_collector.ingest.request import Request, shorten
from livemeter_collector.journal.journal import Journal
from livemeter_collector.store.contract import Signal, Store

_DEFAULT_LIMITS = Limits()


class Writer:
    """Writes requests to the journal and its segments to the store, one insert at a time of each signal."""

    def __init__(
        self, store: Store, journal: Journal, dead_letters: SetsAside, limits: Limits = _DEFAULT_LIMITS
    ) -> None:
        self._journal = journal
        self._limits = limits
        # For each signal one that writes and one that stores.
        self._threads = ThreadPoolExecutor(2 * len(Signal), thread_name_prefix="livemeter-ingest")
        feeder = Feeder(store, journal, dead_letters)
        self._lanes = {signal: Lane(signal, journal, feeder, limits, self._threads) for signal in Signal}
        self._tasks: list[asyncio.Task[None]] = []
        self._accepting = False
        self._away = ""
        self._to_feed = asyncio.Event()

    def start(self, away: str = "") -> None:
        """Begin to take requests; called once, on the event loop that will submit.

        Args:
            away: why the store is not there yet, if so; then nothing is stored before ``store_is_there``.
        """
        if away:
            self.store_is_away(away)
        else:
            self.store_is_there()
        self._tasks = [
            asyncio.create_task(work, name=f"{what} {signal}")
            for signal, lane in self._lanes.items()
            for what, work in (("write", lane.write()), ("feed", self._feed(lane)))
        ]
        for task in self._tasks:
            # A lane that died takes nothing more, and nobody may wait for it.
            task.add_done_callback(self._stop_accepting)
        self._accepting = True

    def store_is_away(self, reason: str) -> None:
        """Say why nothing is stored yet, for whoever asks for the state."""
        self._away = shorten(reason)

    def store_is_there(self) -> None:
        """Begin to store; called once."""
        self._away = ""
        self._to_feed.set()

    async def _feed(self, lane: Lane) -> None:
        await self._to_feed.wait()
        # Stopped before the store was there: all of it stays in the journal.
        if not self._away:
            await lane.feed()

    async def submit(self, signal: Signal, request: Request, *, again: bool = False) -> None:
        """Return when the request's records are on disk; they are in the store soon after.

        A request whose bytes were accepted within the last hour is acknowledged and counts once, unless it is
        said to come ``again`` on purpose. A caller that is cancelled while waiting has no acknowledgement;
        its request may still be kept.

        Raises:
            RefusedError: the journal is full, or the writer is stopping; it may come again.
        """
        lane = self._lanes[signal]
        if not request.records:
            lane.count("accepted", 0, len(request.body))
            return
        await lane.put(request, self._reason_to_refuse(len(request.body)), again=again)

    def _stop_accepting(self, _: object = None) -> None:
        self._accepting = False

    def _reason_to_refuse(self, size_bytes: int) -> str:
        if not self._accepting:
            return "the collector is stopping"
        held_bytes = self.held_bytes
        # An idle writer takes any size, or a request over the whole queue's bound could never pass.
        if held_bytes and held_bytes + size_bytes > self._limits.queue_bytes:
            return "more requests are waiting than the collector holds"
        return self._journal.reason_to_refuse(held_bytes + size_bytes)

    def count_malformed(self, signal: Signal, size_bytes: int) -> None:
        """Count a request that was turned away before it could be submitted."""
        self._lanes[signal].count("malformed", 0, size_bytes)

    @property
    def held_bytes(self) -> int:
        """Bytes of all requests that wait for the journal."""
        return sum(lane.held_bytes for lane in self._lanes.values())

    def state(self) -> Mapping[Signal, SignalState]:
        """Return what was done with each signal's requests, and what is left to do."""
        states = {signal: lane.state() for signal, lane in self._lanes.items()}
        if not self._away:
            return states
        return {signal: replace(state, trouble=self._away) for signal, state in states.items()}

    def journal_state(self) -> JournalState:
        """Return how full the journal is."""
        return JournalState(
            self._journal.size_bytes,
            self._journal.limit_bytes,
            self._journal.free_bytes(),
            self._reason_to_refuse(0),
        )

    async def failure(self) -> None:
        """Wait until a lane dies of a bug or a broken disk, and raise what it died of."""
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()

    async def stop(self, timeout_s: float) -> bool:
        """Take no more requests, write and store what is there, and end.

        What the store does not take in time stays in the journal, for the next process.

        Returns:
            False when an insert was still running after ``timeout_s``: its thread is left behind.
        """
        self._stop_accepting()
        for lane in self._lanes.values():
            lane.close()
        self._to_feed.set()
        if not self._tasks:
            return True
        done, late = await asyncio.wait(self._tasks, timeout=timeout_s)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        self._threads.shutdown(wait=False, cancel_futures=True)
        for task in done:
            if not task.cancelled():
                task.result()
        return not late
