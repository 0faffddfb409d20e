"""The writer: acknowledged means on disk, and everything on disk is stored once, whatever the store does."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from livemeter_collector.ingest.counters import Tally
from livemeter_collector.ingest.feeder import MAX_DEATHS
from livemeter_collector.ingest.lane import Limits
from livemeter_collector.ingest.request import RefusedError, Request
from livemeter_collector.ingest.writer import Writer
from livemeter_collector.journal.dead_letters import DeadLetters
from livemeter_collector.journal.journal import Journal
from livemeter_collector.journal.journal import Limits as JournalLimits
from livemeter_collector.journal.record import read_contents
from livemeter_collector.store.contract import Signal
from tests.collector.memory_store import POISON, MemoryStore, until

QUICK = Limits(window_s=0.0, pause_s=0.001)
ROOMY = JournalLimits(reserve_bytes=0)


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


@dataclass
class Writing:
    """A writer, what it writes to, and the folder in which the next one goes on."""

    writer: Writer
    journal: Journal
    letters: DeadLetters

    def names_on_disk(self) -> list[str]:
        """Names of the logs in the journal's files, as another process would read them now."""
        names: list[str] = []
        for path in sorted((self.journal.directory / "logs").glob("*.pb")):
            data = path.read_bytes()
            for place in read_contents(data).places:
                request = ExportLogsServiceRequest.FromString(data[place.body : place.end])
                scope = request.resource_logs[0].scope_logs[0]
                names += [record.body.string_value for record in scope.log_records]
        return names

    async def settled(self) -> None:
        """Wait until everything that was accepted is stored or set aside, and counted so."""

        def is_settled() -> bool:
            counters = self.writer.state()[Signal.LOGS].counters
            done = counters.stored.requests + counters.set_aside.requests
            return done == counters.accepted.requests and not self.names_on_disk()

        await until(is_settled)


@asynccontextmanager
async def writing(
    store: MemoryStore, folder: Path, limits: Limits = QUICK, journal_limits: JournalLimits = ROOMY
) -> AsyncIterator[Writing]:
    journal = Journal(folder / "journal", 1, journal_limits)
    letters = DeadLetters(folder / "dead-letters")
    writer = Writer(store, journal, letters, limits)
    writer.start()
    try:
        yield Writing(writer, journal, letters)
    finally:
        store.gate.set()
        await writer.stop(timeout_s=5)
        journal.close()


async def started(*submissions: Awaitable[None]) -> list[asyncio.Task[None]]:
    """Start submissions in order and let each reach the queue."""
    tasks = []
    for submission in submissions:
        tasks.append(asyncio.ensure_future(submission))
        await asyncio.sleep(0)
    return tasks


async def test_a_request_is_acknowledged_when_it_is_on_disk_and_before_it_is_stored(tmp_path: Path) -> None:
    store = MemoryStore()
    store.gate.clear()
    async with writing(store, tmp_path) as on:
        await on.writer.submit(Signal.LOGS, logs("a"))

        assert on.names_on_disk() == ["a"]
        assert store.names == []
        state = on.writer.state()[Signal.LOGS]
        assert (state.counters.accepted.records, state.journal.records) == (1, 1)

        store.gate.set()
        await on.settled()
        assert store.names == ["a"]
        state = on.writer.state()[Signal.LOGS]
        assert (state.counters.stored.records, state.journal.records, state.oldest_s) == (1, 0, 0)


async def test_requests_of_one_window_share_one_insert(tmp_path: Path) -> None:
    store = MemoryStore()
    async with writing(store, tmp_path, Limits(window_s=0.05)) as on:
        await asyncio.gather(*(on.writer.submit(Signal.LOGS, logs(name)) for name in "abc"))
        await until(lambda: len(store.names) == 3)
        assert len(store.inserts) == 1


async def test_requests_that_arrive_during_an_insert_form_the_next_one(tmp_path: Path) -> None:
    store = MemoryStore()
    store.gate.clear()
    async with writing(store, tmp_path) as on:
        await on.writer.submit(Signal.LOGS, logs("a"))
        await until(lambda: store.calls == 1)
        for name in "bcd":
            await on.writer.submit(Signal.LOGS, logs(name))
        store.gate.set()
        await until(lambda: len(store.names) == 4)
        assert store.names == ["a", "b", "c", "d"]
        assert len(store.inserts) == 2


async def test_the_longer_an_insert_takes_the_more_waits_for_the_next_one(tmp_path: Path) -> None:
    """Up to a bound; an insert costs nearly the same for few records as for many."""
    store = MemoryStore()
    async with writing(store, tmp_path, Limits(window_s=0, pace=1e9, longest_window_s=60)) as on:
        await on.writer.submit(Signal.LOGS, logs("first"))
        await until(lambda: store.names == ["first"])
        for name in "abc":
            await on.writer.submit(Signal.LOGS, logs(name))
            await asyncio.sleep(0.02)
        assert store.names == ["first"]
    assert store.names == ["first", "a", "b", "c"]
    assert len(store.inserts) == 2


async def test_a_segment_is_stored_at_its_size_without_waiting_for_the_window(tmp_path: Path) -> None:
    store = MemoryStore()
    size = len(logs("a").body)
    async with writing(store, tmp_path, Limits(window_s=60, segment_bytes=2 * size)) as on:
        for name in "abc":
            await on.writer.submit(Signal.LOGS, logs(name))
        await until(lambda: len(store.names) >= 2)
        assert store.names == ["a", "b"]


async def test_each_signal_has_an_insert_of_its_own(tmp_path: Path) -> None:
    store = MemoryStore()
    async with writing(store, tmp_path) as on:
        await on.writer.submit(Signal.LOGS, logs("a"))
        await on.writer.submit(Signal.TRACES, spans("b", "c"))
        await until(lambda: len(store.names) == 3)
        assert {signal for signal, _ in store.inserts} == {Signal.LOGS, Signal.TRACES}
        await until(lambda: on.writer.state()[Signal.TRACES].counters.stored.records == 2)


async def test_an_empty_request_is_acknowledged_and_kept_nowhere(tmp_path: Path) -> None:
    async with writing(MemoryStore(), tmp_path) as on:
        await on.writer.submit(Signal.LOGS, Request(b"", 0))
        assert on.names_on_disk() == []
        assert on.writer.state()[Signal.LOGS].counters.accepted == Tally(1, 0, 0)


async def test_a_request_that_comes_again_is_acknowledged_and_counts_once(tmp_path: Path) -> None:
    """While it is written, when it is in the journal, when it is stored, and to the next process."""
    store = MemoryStore()
    store.gate.clear()
    async with writing(store, tmp_path) as on:
        twice = [on.writer.submit(Signal.LOGS, logs("a")) for _ in range(2)]
        await asyncio.gather(*twice)
        await on.writer.submit(Signal.LOGS, logs("a"))
        assert on.names_on_disk() == ["a"]
        store.gate.set()
        await on.settled()
        await on.writer.submit(Signal.LOGS, logs("a"))
        counters = on.writer.state()[Signal.LOGS].counters
        assert (counters.accepted.requests, counters.repeated.requests) == (1, 3)
    async with writing(store, tmp_path) as on:
        await on.writer.submit(Signal.LOGS, logs("a"))
    assert store.names == ["a"]


async def test_a_request_that_is_sent_again_on_purpose_is_taken(tmp_path: Path) -> None:
    store = MemoryStore()
    async with writing(store, tmp_path) as on:
        await on.writer.submit(Signal.LOGS, logs("a"))
        await until(lambda: store.names == ["a"])
        await on.writer.submit(Signal.LOGS, logs("a"), again=True)
        await until(lambda: store.names == ["a", "a"])


async def test_a_poisoned_request_is_set_aside_and_its_neighbours_are_stored(tmp_path: Path) -> None:
    store = MemoryStore()
    names = ["a", "b", f"{POISON}", "c", "d", "e"]
    async with writing(store, tmp_path, Limits(window_s=0.05)) as on:
        await asyncio.gather(*(on.writer.submit(Signal.LOGS, logs(name)) for name in names))
        await on.settled()
        assert store.names == ["a", "b", "c", "d", "e"]
        counters = on.writer.state()[Signal.LOGS].counters
        assert (counters.stored.requests, counters.set_aside.requests) == (5, 1)
        (letter,) = on.letters.list().letters
        assert "a record is poisoned" in letter.reason
        assert on.letters.get(letter.id).body == logs(POISON).body
        done = on.journal.done(Signal.LOGS)
        assert (done.accepted.requests, done.set_aside.requests) == (6, 1)


async def test_an_insert_is_repeated_with_the_same_token_until_the_store_is_back(tmp_path: Path) -> None:
    """The second failure stores the rows before it fails: only the token keeps them from counting twice."""
    store = MemoryStore()
    store.failures = ["before", "after", "before"]
    async with writing(store, tmp_path) as on:
        await on.writer.submit(Signal.LOGS, logs("a"))
        await on.settled()
        assert store.names == ["a"]
        assert len({token for _, token in store.inserts}) == 1
        state = on.writer.state()[Signal.LOGS]
        assert (state.failed_inserts, state.trouble) == (3, "")


async def test_requests_are_taken_while_the_store_is_away(tmp_path: Path) -> None:
    store = MemoryStore()
    store.failures = ["before"] * 10_000
    async with writing(store, tmp_path) as on:
        for name in "abcd":
            await on.writer.submit(Signal.LOGS, logs(name))
        await until(lambda: bool(on.writer.state()[Signal.LOGS].trouble))
        assert on.writer.state()[Signal.LOGS].journal.requests == 4
        assert "the store is away" in on.writer.state()[Signal.LOGS].trouble
        store.failures = []
        await until(lambda: len(store.names) == 4)
        assert store.names == ["a", "b", "c", "d"]


async def test_segments_do_not_grow_while_the_store_is_away(tmp_path: Path) -> None:
    store = MemoryStore()
    store.failures = ["before"] * 10_000
    size = len(logs("00").body)
    async with writing(store, tmp_path, Limits(window_s=0, segment_bytes=3 * size, pause_s=0.001)) as on:
        names = [f"{number:02d}" for number in range(20)]
        for name in names:
            await on.writer.submit(Signal.LOGS, logs(name))
        store.failures = []
        await on.settled()
        assert store.names == names
        assert len(store.inserts) >= 20 // 3


async def test_what_could_not_be_stored_is_stored_by_the_next_process(tmp_path: Path) -> None:
    away, store = MemoryStore(), MemoryStore()
    away.failures = ["before"] * 10_000
    async with writing(away, tmp_path) as on:
        for name in "abc":
            await on.writer.submit(Signal.LOGS, logs(name))
        assert await on.writer.stop(timeout_s=5), "nothing is left behind but the journal"
    async with writing(store, tmp_path) as on:
        await until(lambda: len(store.names) == 3)
        assert store.names == ["a", "b", "c"]
        await until(lambda: not on.names_on_disk())


async def test_a_full_journal_refuses_at_once_and_recovers(tmp_path: Path) -> None:
    store = MemoryStore()
    store.gate.clear()
    async with writing(store, tmp_path, QUICK, JournalLimits(300, 0)) as on:
        await on.writer.submit(Signal.LOGS, logs("a" * 150))
        with pytest.raises(RefusedError, match="journal is full") as refusal:
            await on.writer.submit(Signal.TRACES, spans("b" * 150))
        assert refusal.value.retry_after_s <= 2
        await on.writer.submit(Signal.LOGS, logs("a" * 150))  # Kept already: no room is needed.
        assert "full" in on.writer.journal_state().reason_to_refuse or on.journal.size_bytes < 300
        store.gate.set()
        await on.settled()
        await on.writer.submit(Signal.TRACES, spans("b" * 150))


async def test_a_sender_that_hangs_up_may_send_again_and_counts_once(tmp_path: Path) -> None:
    store = MemoryStore()
    async with writing(store, tmp_path) as on:
        (task,) = await started(on.writer.submit(Signal.LOGS, logs("a")))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await on.writer.submit(Signal.LOGS, logs("a"))
        await until(lambda: not on.names_on_disk() and bool(store.names))
        assert store.names == ["a"]
        assert on.writer.held_bytes == 0


async def test_stopping_stores_what_is_queued_and_refuses_what_comes_later(tmp_path: Path) -> None:
    store = MemoryStore()
    async with writing(store, tmp_path, Limits(window_s=60)) as on:
        tasks = await started(*(on.writer.submit(Signal.LOGS, logs(name)) for name in "abc"))
        assert await on.writer.stop(timeout_s=5)
        await asyncio.gather(*tasks)
        assert store.names == ["a", "b", "c"]
        with pytest.raises(RefusedError, match="stopping"):
            await on.writer.submit(Signal.LOGS, logs("d"))


async def test_stopping_is_bounded_when_an_insert_hangs_and_loses_nothing(tmp_path: Path) -> None:
    store = MemoryStore()
    store.gate.clear()
    async with writing(store, tmp_path) as on:
        for name in "ab":
            await on.writer.submit(Signal.LOGS, logs(name))
        await until(lambda: store.calls == 1)
        assert not await on.writer.stop(timeout_s=0.05)
        assert on.names_on_disk() == ["a", "b"]
        store.gate.set()


async def test_stopping_a_writer_that_never_started_is_harmless(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal", 1, ROOMY)
    assert await Writer(MemoryStore(), journal, DeadLetters(tmp_path / "letters")).stop(timeout_s=0)


class _BrokenStore(MemoryStore):
    def insert_otlp(self, *_: object) -> None:
        raise ZeroDivisionError("a bug in the store")


async def test_a_bug_is_raised_and_what_was_acknowledged_is_kept(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal", 1, ROOMY)
    writer = Writer(_BrokenStore(), journal, DeadLetters(tmp_path / "letters"), QUICK)
    writer.start()
    await writer.submit(Signal.LOGS, logs("a"))
    with pytest.raises(ZeroDivisionError):
        await writer.failure()
    with pytest.raises(RefusedError):
        await writer.submit(Signal.LOGS, logs("b"))
    with pytest.raises(ZeroDivisionError):
        await writer.stop(timeout_s=5)
    store = MemoryStore()
    async with writing(store, tmp_path):
        await until(lambda: store.names == ["a"])


async def test_a_batch_over_which_processes_crashed_again_and_again_is_set_aside(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal", 1, ROOMY)
    writer = Writer(_BrokenStore(), journal, DeadLetters(tmp_path / "letters"), QUICK)
    writer.start()
    await writer.submit(Signal.LOGS, logs("a"))
    with pytest.raises(ZeroDivisionError):
        await writer.failure()
    with pytest.raises(ZeroDivisionError):
        await writer.stop(timeout_s=5)
    (segment,) = Journal(tmp_path / "journal", 1, ROOMY).left[Signal.LOGS]
    for _ in range(MAX_DEATHS):
        segment.begin_try()
        Journal(tmp_path / "journal", 1, ROOMY).note_death(crashed=True)

    store = MemoryStore()
    async with writing(store, tmp_path) as on:
        await until(lambda: not on.names_on_disk())
        assert store.names == []
        (letter,) = on.letters.list().letters
        assert f"crashed {MAX_DEATHS} times" in letter.reason


events = st.lists(
    st.tuples(st.booleans(), st.sampled_from([0, 1, 3])),
    min_size=1,
    max_size=12,
)


@settings(max_examples=40, deadline=None)
@given(events, st.lists(st.sampled_from(["ok", "before", "after"]), max_size=8), st.integers(1, 400))
def test_whatever_happens_every_request_ends_in_one_place(
    arrivals: list[tuple[bool, int]], failures: list[str], segment_bytes: int
) -> None:
    """Acknowledged means on disk by then; in the end good ones are stored once, and bad ones set aside."""
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_play(Path(folder), arrivals, failures, segment_bytes))


async def _play(
    folder: Path, arrivals: list[tuple[bool, int]], failures: list[str], segment_bytes: int
) -> None:
    store = MemoryStore()
    store.failures = list(failures)
    limits = Limits(window_s=0, segment_bytes=segment_bytes, pause_s=0.0005)
    names = [f"{'bad' if bad else 'good'}{number}" for number, (bad, _) in enumerate(arrivals)]
    async with writing(store, folder, limits) as on:
        senders = []
        for name, (_, pause_ticks) in zip(names, arrivals, strict=True):
            request = logs(name, POISON) if name.startswith("bad") else logs(name)
            senders.append(asyncio.ensure_future(on.writer.submit(Signal.LOGS, request)))
            for _ in range(pause_ticks):
                await asyncio.sleep(0)
        await asyncio.gather(*senders)
        await on.settled()
        counters = on.writer.state()[Signal.LOGS].counters
        letters = on.letters.list().letters
    good = [name for name in names if name.startswith("good")]
    assert store.names == good, "each once, in order of arrival"
    assert len(letters) == len(names) - len(good) == counters.set_aside.requests
    assert counters.accepted.requests == len(names)
    assert counters.stored.requests == len(good)
    assert all(earlier != later for earlier, later in pairwise(store.names))
