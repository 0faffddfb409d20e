"""The disk fills: nothing that was acknowledged is lost, and with room again it goes on by itself."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from livemeter_collector.ingest.feeder import Feeder
from livemeter_collector.journal.dead_letters import DeadLetter, DeadLetters
from livemeter_collector.journal.journal import Journal, JournalFullError, Limits
from livemeter_collector.journal.record import Entry, digest_of
from livemeter_collector.journal.segment import Segment
from livemeter_collector.journal.state import Amount
from livemeter_collector.store.contract import Signal
from tests.collector.crash.disk import PAGE_BYTES, Filler, small_disk
from tests.collector.crash.oracle import assert_accounted, assert_kept, until_stored
from tests.collector.crash.processes import collector, free_port, until
from tests.collector.crash.sender import OK, UNAVAILABLE, Evidence, sending
from tests.collector.memory_store import POISON, MemoryStore
from tests.collector.otlp_messages import logs_request

LOGS = Signal.LOGS
NO_RESERVE = Limits(size_bytes=2**40, reserve_bytes=0)
ROOM = range(6)
"""Pages that are left: with each some other step of those that write is the one that fails."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", 64 * PAGE_BYTES) as mounted:
        yield mounted


def request(*names: str) -> Entry:
    body = logs_request(names).SerializeToString()
    return Entry(body, len(names), time.time_ns(), digest_of(body))


def opened(disk: Path) -> Journal:
    return Journal(disk / "journal", 1, NO_RESERVE)


def bodies(segments: Sequence[Segment]) -> list[bytes]:
    found: list[bytes] = []
    for segment in segments:
        data, contents = segment.read()
        found += [data[place.body : place.end] for place in contents.places]
    return found


def sealed(journal: Journal, *entries: Entry) -> Segment:
    journal.append(LOGS, entries)
    segment = journal.seal(LOGS)
    assert segment is not None
    return segment


def test_a_request_that_does_not_fit_leaves_no_trace_and_its_neighbours_stay(disk: Path) -> None:
    """It fails in the middle of its bytes, because it is larger than what is left."""
    filler = Filler(disk)
    small, large, late = request("a"), request("b" * 5 * PAGE_BYTES), request("c")
    journal = opened(disk)
    journal.append(LOGS, [small])
    filler.fill(but_pages=2)
    for _ in range(3):
        with pytest.raises(JournalFullError, match="No space left"):
            journal.append(LOGS, [large])
    assert not journal.is_repeat(large.digest)
    assert journal.held(LOGS)[0] == Amount(1, 1, len(small.body))
    filler.free()
    journal.append(LOGS, [late])
    journal.append(LOGS, [large])

    assert bodies(opened(disk).left[LOGS]) == [small.body, late.body, large.body]


def test_a_segment_that_cannot_be_begun_is_begun_when_there_is_room(disk: Path) -> None:
    filler = Filler(disk)
    journal = opened(disk)
    filler.fill()
    for _ in range(3):
        with pytest.raises(JournalFullError):
            journal.append(LOGS, [request("a")])
    assert list((disk / "journal" / "logs").iterdir()) == []
    filler.free()
    entry = request("a")
    journal.append(LOGS, [entry])

    assert bodies(opened(disk).left[LOGS]) == [entry.body]


@pytest.mark.parametrize("pages", ROOM)
def test_a_journal_is_done_with_a_segment_wholly_or_not_at_all(disk: Path, pages: int) -> None:
    """Whether `seen` or `state.json` does not fit; a process that ends then counts it once as well."""
    filler = Filler(disk)
    journal = opened(disk)
    entries = [request(f"{number}") for number in range(400)]
    segment = sealed(journal, *entries)
    accepted = Amount(400, 400, sum(len(entry.body) for entry in entries))
    digests = [(entry.digest, entry.accepted_at_ns) for entry in entries]
    filler.fill(but_pages=pages)
    try:
        journal.remove(segment, digests, Amount())
        removed = True
    except OSError:
        removed = False
    as_another_process = opened(disk) if removed else None
    assert journal.done(LOGS).accepted == (accepted if removed else Amount())
    filler.free()
    if as_another_process is None:
        as_another_process = opened(disk)
        assert bodies(as_another_process.left[LOGS]) == [entry.body for entry in entries]
        journal.remove(segment, digests, Amount())
    assert journal.done(LOGS).accepted == accepted
    again = opened(disk)
    assert again.done(LOGS).accepted == accepted
    assert not again.left[LOGS]
    assert all(again.is_repeat(entry.digest) for entry in entries)


@pytest.mark.parametrize("pages", ROOM)
def test_a_dead_letter_that_does_not_fit_is_not_there_and_fits_later(disk: Path, pages: int) -> None:
    filler = Filler(disk)
    letters = DeadLetters(disk / "letters")
    first = DeadLetter(LOGS, b"first", 1, "a reason", 1, 2)
    letters.set_aside(first)
    large = DeadLetter(LOGS, b"large" * PAGE_BYTES, 1, "a reason", 1, 2)
    filler.fill(but_pages=pages)
    with pytest.raises(OSError, match="No space left"):
        letters.set_aside(large)
    assert [envelope.key for envelope in letters.list().letters] == [letters.find(first.id).key]
    filler.free()
    letters.set_aside(large)
    assert {letters.get(each.id).body for each in letters.list().letters} == {first.body, large.body}


@pytest.mark.parametrize("pages", ROOM)
def test_a_batch_with_a_poisoned_request_is_stored_once_whatever_room_there_is(
    disk: Path, pages: int
) -> None:
    """Feeding fails as often as there is no room, in the middle of bisection too; neighbours count once."""
    filler = Filler(disk)
    journal, store, letters = opened(disk), MemoryStore(), DeadLetters(disk / "letters")
    poisoned = request("x" * PAGE_BYTES, POISON)
    segment = sealed(journal, request("a"), request("b"), poisoned, request("c"), request("d"))
    feeder = Feeder(store, journal, letters)
    filler.fill(but_pages=pages)
    for _ in range(3):
        try:
            feeder.feed(segment)
        except OSError:
            continue
        break
    filler.free()
    if journal.done(LOGS).through != segment.preamble.number:
        assert feeder.feed(segment) == Amount(1, 2, len(poisoned.body))
    assert sorted(store.names) == ["a", "b", "c", "d"]
    assert [letters.get(each.id).body for each in letters.list().letters] == [poisoned.body]
    assert journal.done(LOGS).accepted.requests == 5
    assert journal.done(LOGS).set_aside == Amount(1, 2, len(poisoned.body))
    assert not opened(disk).left[LOGS]


def test_a_full_disk_refuses_keeps_what_was_acknowledged_and_goes_on_by_itself(tmp_path: Path) -> None:
    """The journal's disk is full for a while under load; the collector is not started again."""
    data_dir, port, seed = tmp_path / "data", free_port(), 31
    evidence = Evidence()
    with (
        small_disk(data_dir / "journal", 1024 * 1024) as disk,
        collector(data_dir, port) as running,
        sending(port, evidence, seed) as load,
    ):
        running.ready()
        filler = Filler(disk)
        for _ in range(3):
            _until_more(evidence, OK, 20)
            filler.fill()
            _until_more(evidence, UNAVAILABLE, 20)
            filler.free()
        _until_more(evidence, OK, 20)
        load.finish()
        until_stored(data_dir)
        assert evidence.retry_after <= {"1", "2"}
        assert evidence.sent == evidence.acknowledged
        assert_kept(running.rows, evidence)
        assert_accounted(running.rows, data_dir, evidence)
        assert running.terminate() == 0


def _until_more(evidence: Evidence, status: int, more: int) -> None:
    wanted = evidence.statuses[status] + more
    until(lambda: evidence.statuses[status] >= wanted, f"{more} requests were answered {status}")
