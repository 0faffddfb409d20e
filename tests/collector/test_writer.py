import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from livemeter_collector.ingest.counters import Counters, Tally
from livemeter_collector.ingest.lane import Limits
from livemeter_collector.ingest.request import MalformedError, RefusedError, Request
from livemeter_collector.ingest.writer import Writer
from livemeter_collector.store.contract import Signal
from tests.collector.memory_store import POISON, MemoryStore, until

QUICK = Limits(window_s=0.0, retry_for_s=0.0, pause_s=0.0)


def logs(*names: str) -> Request:
    request = ExportLogsServiceRequest()
    scope = request.resource_logs.add().scope_logs.add()
    for name in names:
        scope.log_records.add().body.string_value = name
    return Request(request.SerializeToString(), len(names))


def spans(*names: str) -> Request:
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    for name in names:
        scope.spans.add(name=name)
    return Request(request.SerializeToString(), len(names))


@asynccontextmanager
async def writing(store: MemoryStore, limits: Limits = QUICK) -> AsyncIterator[Writer]:
    writer = Writer(store, limits)
    writer.start()
    try:
        yield writer
    finally:
        store.gate.set()
        await writer.stop(drain=False, timeout_s=5)


async def queued(*submissions: Awaitable[None]) -> list[asyncio.Task[None]]:
    """Start submissions in order and let each reach the queue."""
    tasks = []
    for submission in submissions:
        tasks.append(asyncio.ensure_future(submission))
        await asyncio.sleep(0)
    return tasks


async def test_nothing_is_acknowledged_before_the_store_returned() -> None:
    store = MemoryStore()
    store.gate.clear()
    async with writing(store) as writer:
        (task,) = await queued(writer.submit(Signal.LOGS, logs("a")))
        await until(lambda: store.calls == 1)
        assert not task.done()
        assert writer.counters()[Signal.LOGS] == Counters()
        store.gate.set()
        await task
        assert store.names == ["a"]


async def test_requests_that_arrive_together_share_one_insert_named_by_its_content() -> None:
    store = MemoryStore()
    async with writing(store, Limits(window_s=0.05)) as writer:
        first, second = logs("a", "b"), logs("c")
        await asyncio.gather(writer.submit(Signal.LOGS, first), writer.submit(Signal.LOGS, second))
        token = hashlib.blake2b(first.body + second.body, digest_size=16).hexdigest()
        assert store.inserts == [(Signal.LOGS, token)]
        assert store.names == ["a", "b", "c"]


async def test_requests_that_arrive_during_an_insert_form_the_next_one() -> None:
    store = MemoryStore()
    store.gate.clear()
    async with writing(store) as writer:
        tasks = await queued(writer.submit(Signal.LOGS, logs("a")))
        await until(lambda: store.calls == 1)
        tasks += await queued(*(writer.submit(Signal.LOGS, logs(name)) for name in "bcd"))
        store.gate.set()
        await asyncio.gather(*tasks)
        assert len(store.inserts) == 2
        assert store.names == ["a", "b", "c", "d"]


async def test_a_group_closes_at_its_size_without_waiting_for_the_window() -> None:
    store = MemoryStore()
    request = logs("a")
    async with writing(store, Limits(window_s=60, group_bytes=2 * len(request.body))) as writer:
        tasks = await queued(*(writer.submit(Signal.LOGS, request) for _ in range(3)))
        await asyncio.gather(*tasks[:2])
        assert len(store.inserts) == 1
        assert not tasks[2].done()


async def test_each_signal_has_an_insert_of_its_own() -> None:
    store = MemoryStore()
    async with writing(store) as writer:
        await asyncio.gather(
            writer.submit(Signal.LOGS, logs("a")), writer.submit(Signal.TRACES, spans("b", "c"))
        )
        assert {signal for signal, _ in store.inserts} == {Signal.LOGS, Signal.TRACES}
        assert writer.counters()[Signal.TRACES].inserted.records == 2


async def test_an_empty_request_is_acknowledged_without_the_store() -> None:
    store = MemoryStore()
    async with writing(store) as writer:
        await writer.submit(Signal.LOGS, Request(b"", 0))
        assert store.inserts == []
        assert writer.counters()[Signal.LOGS].accepted == Tally(1, 0, 0)


async def test_a_poisoned_request_is_rejected_and_its_neighbours_are_stored() -> None:
    store = MemoryStore()
    names = ["a", "b", POISON, "c", "d", POISON, "e"]
    async with writing(store, Limits(window_s=0.05)) as writer:
        results = await asyncio.gather(
            *(writer.submit(Signal.LOGS, logs(name)) for name in names), return_exceptions=True
        )
        for name, result in zip(names, results, strict=True):
            assert isinstance(result, MalformedError) if name == POISON else result is None
        assert "a record is poisoned" in str(results[2])
        assert store.names == ["a", "b", "c", "d", "e"]
        counters = writer.counters()[Signal.LOGS]
        assert (counters.accepted.requests, counters.malformed.requests) == (5, 2)


async def test_an_insert_is_repeated_with_the_same_token_until_the_store_is_back() -> None:
    """The second failure stores the rows before it fails: only the token keeps them from counting twice."""
    store = MemoryStore()
    store.failures = ["before", "after", "before"]
    async with writing(store, Limits(window_s=0, retry_for_s=10, pause_s=0.001)) as writer:
        await writer.submit(Signal.LOGS, logs("a"))
        assert store.names == ["a"]
        assert len({token for _, token in store.inserts}) == 1


async def test_a_store_that_stays_away_refuses_the_group_and_whoever_waits_behind_it() -> None:
    store = MemoryStore()
    store.failures = ["before"] * 50
    store.gate.clear()
    async with writing(store) as writer:
        tasks = await queued(writer.submit(Signal.LOGS, logs("a")))
        await until(lambda: store.calls == 1)
        tasks += await queued(writer.submit(Signal.LOGS, logs("b")))
        store.gate.set()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(result, RefusedError) for result in results)
        assert "the store is away" in str(results[0])
        store.failures = []
        await writer.submit(Signal.LOGS, logs("a"))
        counters = writer.counters()[Signal.LOGS]
        assert (counters.refused.requests, counters.accepted.requests) == (2, 1)


async def test_a_full_queue_refuses_at_once_and_recovers() -> None:
    store = MemoryStore()
    store.gate.clear()
    request = logs("a")
    async with writing(store, Limits(window_s=0, queue_bytes=3 * len(request.body))) as writer:
        tasks = await queued(*(writer.submit(Signal.LOGS, request) for _ in range(3)))
        with pytest.raises(RefusedError, match="full") as refusal:
            await writer.submit(Signal.TRACES, spans("b"))
        assert refusal.value.retry_after_s <= 2
        store.gate.set()
        await asyncio.gather(*tasks)
        await writer.submit(Signal.TRACES, spans("b"))


async def test_an_idle_writer_takes_a_request_over_the_queues_bound() -> None:
    store = MemoryStore()
    async with writing(store, Limits(window_s=0, queue_bytes=1)) as writer:
        await writer.submit(Signal.LOGS, logs("a"))
        assert store.names == ["a"]


async def test_a_sender_that_hangs_up_gives_its_place_back() -> None:
    store = MemoryStore()
    store.gate.clear()
    request = logs("a")
    async with writing(store, Limits(window_s=0, queue_bytes=2 * len(request.body))) as writer:
        await queued(writer.submit(Signal.LOGS, request))
        await until(lambda: store.calls == 1)
        for _ in range(10):
            (task,) = await queued(writer.submit(Signal.LOGS, logs("b")))
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        store.gate.set()
        await until(lambda: store.names == ["a"])
        await writer.submit(Signal.LOGS, logs("c"))
        assert store.names == ["a", "c"]


async def test_a_sender_that_hangs_up_during_the_insert_is_counted_as_stored_only() -> None:
    store = MemoryStore()
    store.gate.clear()
    async with writing(store) as writer:
        (task,) = await queued(writer.submit(Signal.LOGS, logs("a")))
        await until(lambda: store.calls == 1)
        task.cancel()
        store.gate.set()
        await until(lambda: writer.counters()[Signal.LOGS].inserted.requests == 1)
        assert writer.counters()[Signal.LOGS].accepted.requests == 0


async def test_stopping_stores_what_is_queued_and_refuses_what_comes_later() -> None:
    store = MemoryStore()
    writer = Writer(store, Limits(window_s=60))
    writer.start()
    tasks = await queued(*(writer.submit(Signal.LOGS, logs(name)) for name in "abc"))
    assert await writer.stop(drain=True, timeout_s=5)
    await asyncio.gather(*tasks)
    assert store.names == ["a", "b", "c"]
    with pytest.raises(RefusedError, match="stopping"):
        await writer.submit(Signal.LOGS, logs("d"))


async def test_stopping_without_draining_refuses_what_is_queued() -> None:
    store = MemoryStore()
    writer = Writer(store, Limits(window_s=60))
    writer.start()
    tasks = await queued(writer.submit(Signal.LOGS, logs("a")))
    assert await writer.stop(drain=False, timeout_s=5)
    with pytest.raises(RefusedError, match="stopping"):
        await tasks[0]
    assert store.names == []


async def test_stopping_is_bounded_when_an_insert_hangs() -> None:
    store = MemoryStore()
    store.gate.clear()
    writer = Writer(store, QUICK)
    writer.start()
    tasks = await queued(writer.submit(Signal.LOGS, logs("a")), writer.submit(Signal.LOGS, logs("b")))
    await until(lambda: store.calls == 1)
    assert not await writer.stop(drain=True, timeout_s=0.05)
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(result, RefusedError) for result in results)
    store.gate.set()


async def test_stopping_a_writer_that_never_started_is_harmless() -> None:
    assert await Writer(MemoryStore()).stop(drain=True, timeout_s=0)


class _BrokenStore(MemoryStore):
    def insert_otlp(self, signal: Signal, body: bytes, token: str) -> None:
        raise ZeroDivisionError("a bug in the store")


async def test_a_bug_in_the_store_leaves_nobody_waiting_and_is_raised() -> None:
    writer = Writer(_BrokenStore(), QUICK)
    writer.start()
    tasks = await queued(writer.submit(Signal.LOGS, logs("a")))
    with pytest.raises(ZeroDivisionError):
        await writer.failure()
    with pytest.raises(RefusedError):
        await tasks[0]
    with pytest.raises(RefusedError):
        await writer.submit(Signal.LOGS, logs("b"))
    with pytest.raises(ZeroDivisionError):
        await writer.stop(drain=True, timeout_s=5)


events = st.lists(
    st.tuples(st.booleans(), st.sampled_from([0, 1, 3])),
    min_size=1,
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(events, st.lists(st.sampled_from(["ok", "before", "after"]), max_size=8), st.integers(1, 400))
def test_whatever_happens_every_sender_is_told_the_truth(
    arrivals: list[tuple[bool, int]], failures: list[str], group_bytes: int
) -> None:
    """Acknowledged means stored once by then; malformed, poisoned and not stored; the rest was refused."""
    asyncio.run(_play(arrivals, failures, group_bytes))


async def _play(arrivals: list[tuple[bool, int]], failures: list[str], group_bytes: int) -> None:
    store = MemoryStore()
    store.failures = list(failures)
    patience_s = 0.002
    limits = Limits(window_s=0, group_bytes=group_bytes, retry_for_s=patience_s, pause_s=patience_s / 4)

    async def send(name: str) -> str:
        request = logs(name, POISON) if name.startswith("bad") else logs(name)
        try:
            await writer.submit(Signal.LOGS, request)
        except RefusedError:
            return "refused"
        except MalformedError:
            return "malformed"
        assert store.names.count(name) == 1, "acknowledged means stored, at this very moment"
        return "accepted"

    async with writing(store, limits) as writer:
        senders = {}
        for number, (bad, pause_ticks) in enumerate(arrivals):
            name = f"{'bad' if bad else 'good'}{number}"
            senders[name] = asyncio.ensure_future(send(name))
            for _ in range(pause_ticks):
                await asyncio.sleep(0)
        fates = {name: await sender for name, sender in senders.items()}
        counters = writer.counters()[Signal.LOGS]
    for name, fate in fates.items():
        assert fate != "malformed" or name.startswith("bad")
        assert fate != "accepted" or name.startswith("good")
        assert store.names.count(name) <= (0 if name.startswith("bad") else 1)
    assert failures or "refused" not in fates.values()
    told = [counters.accepted, counters.refused, counters.malformed]
    assert [tally.requests for tally in told] == [
        list(fates.values()).count(fate) for fate in ("accepted", "refused", "malformed")
    ]
    assert counters.inserted.requests == counters.accepted.requests
    order = [int(name.removeprefix("good")) for name in store.names]
    assert all(earlier < later for earlier, later in pairwise(order)), "stored in order of arrival"
