"""The bounded way from the receivers to the store: submit a request, and come back when it is durable.

Runs on one event loop. Refuses what it cannot hold and drops nothing: whoever submits gets an answer, and
no request is acknowledged before the store returned for it.
"""

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from livemeter_collector.ingest.counters import Counters
from livemeter_collector.ingest.lane import Lane, Limits
from livemeter_collector.ingest.request import RefusedError, Request
from livemeter_collector.store.contract import Signal, Store

_DEFAULT_LIMITS = Limits()


class Writer:
    """Groups requests by signal and inserts them, one insert in flight per signal."""

    def __init__(self, store: Store, limits: Limits = _DEFAULT_LIMITS) -> None:
        self._limits = limits
        self._threads = ThreadPoolExecutor(max_workers=len(Signal), thread_name_prefix="livemeter-insert")
        self._lanes = {signal: Lane(signal, store, limits, self._threads) for signal in Signal}
        self._tasks: list[asyncio.Task[None]] = []
        self._accepting = False

    def start(self) -> None:
        """Begin to take requests; called once, on the event loop that will submit."""
        self._tasks = [
            asyncio.create_task(lane.run(), name=f"insert {signal}") for signal, lane in self._lanes.items()
        ]
        for task in self._tasks:
            # A lane that died takes nothing more, and nobody may wait for it.
            task.add_done_callback(self._stop_accepting)
        self._accepting = True

    async def submit(self, signal: Signal, request: Request) -> None:
        """Return when the request's records are durable in the store.

        A caller that is cancelled while waiting has no acknowledgement; its request may still be stored.

        Raises:
            RefusedError: the queue is full, the store is away or the writer is stopping; it may come again.
            MalformedError: the engine cannot read this request; its neighbours were stored without it.
        """
        lane = self._lanes[signal]
        if not request.records:
            lane.count("accepted", 0, len(request.body))
            return
        reason = self._reason_to_refuse(len(request.body))
        if reason:
            lane.count("refused", request.records, len(request.body))
            raise RefusedError(reason)
        await lane.put(request)

    def _stop_accepting(self, _: object = None) -> None:
        self._accepting = False

    def _reason_to_refuse(self, size_bytes: int) -> str:
        if not self._accepting:
            return "the collector is stopping"
        held_bytes = self.held_bytes
        # An idle writer takes any size, or a request over the whole queue's bound could never pass.
        full = held_bytes and held_bytes + size_bytes > self._limits.queue_bytes
        return "the collector's queue is full" if full else ""

    def count_malformed(self, signal: Signal, size_bytes: int) -> None:
        """Count a request that was turned away before it could be submitted."""
        self._lanes[signal].count("malformed", 0, size_bytes)

    @property
    def held_bytes(self) -> int:
        """Bytes of all requests that wait or are being inserted."""
        return sum(lane.held_bytes for lane in self._lanes.values())

    def counters(self) -> Mapping[Signal, Counters]:
        """Return what was done with each signal's requests so far."""
        return {signal: lane.counters for signal, lane in self._lanes.items()}

    async def failure(self) -> None:
        """Wait until a lane dies of a bug, and raise what it died of; returns when all ended in order."""
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()

    async def stop(self, drain: bool, timeout_s: float) -> bool:
        """Take no more requests and end; with ``drain`` the queued ones are stored first.

        Returns:
            False when an insert was still running after ``timeout_s``: its requests were refused, and its
            thread is left behind.
        """
        self._stop_accepting()
        for lane in self._lanes.values():
            if not drain:
                lane.refuse_queued("the collector is stopping")
            lane.close()
        if not self._tasks:
            return True
        done, late = await asyncio.wait(self._tasks, timeout=timeout_s)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        self._threads.shutdown(wait=False, cancel_futures=True)
        for task in done:
            task.result()
        return not late
