"""A disk that does not keep what it was given, or does not let go of it."""

import subprocess
import time
from pathlib import Path

import pytest

from livemeter_collector.ingest.feeder import Feeder
from livemeter_collector.journal.dead_letters import DeadLetters
from livemeter_collector.journal.journal import Journal, Limits
from livemeter_collector.journal.record import Entry, digest_of
from livemeter_collector.journal.segment import BrokenJournalError, Segment
from livemeter_collector.journal.state import Amount
from livemeter_collector.store.contract import Signal
from tests.collector.crash.disk import PAGE_BYTES, small_disk
from tests.collector.memory_store import MemoryStore
from tests.collector.otlp_messages import logs_request


def opened(directory: Path) -> Journal:
    return Journal(directory, 1, Limits(reserve_bytes=0))


def sealed(journal: Journal, *names: str) -> Segment:
    bodies = [logs_request([name]).SerializeToString() for name in names]
    entries = [Entry(body, 1, time.time_ns(), digest_of(body)) for body in bodies]
    journal.append(Signal.LOGS, entries)
    segment = journal.seal(Signal.LOGS)
    assert segment is not None
    return segment


def test_a_segment_that_changed_on_disk_is_not_taken_for_a_shorter_one(tmp_path: Path) -> None:
    """The process ends; the next one stores what can be read and keeps a copy of the rest."""
    directory, store, letters = tmp_path / "journal", MemoryStore(), DeadLetters(tmp_path / "letters")
    journal = opened(directory)
    segment = sealed(journal, "first", "second", "third")
    sealed(journal, "in another segment")
    data = bytearray(segment.path.read_bytes())
    data[data.index(b"second")] ^= 1
    segment.path.write_bytes(data)

    with pytest.raises(BrokenJournalError):
        Feeder(store, journal, letters).feed(segment)
    assert store.names == []
    assert journal.done(Signal.LOGS).accepted == Amount()

    journal = opened(directory)
    for left in journal.left[Signal.LOGS]:
        Feeder(store, journal, letters).feed(left)
    assert store.names == ["first", "in another segment"]
    (damaged,) = journal.damaged
    assert damaged.read_bytes() == bytes(data)


def test_a_segment_whose_file_cannot_be_removed_counts_once(tmp_path: Path) -> None:
    with small_disk(tmp_path / "journal" / "logs", 64 * PAGE_BYTES) as disk:
        journal = opened(tmp_path / "journal")
        segment = sealed(journal, "a", "b")
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True, timeout=20)  # noqa: S607
        journal.remove(segment, [], Amount())
        assert journal.done(Signal.LOGS).accepted.requests == 2
        assert journal.held(Signal.LOGS)[0] == Amount()
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True, timeout=20)  # noqa: S607
        again = opened(tmp_path / "journal")
        assert not again.left[Signal.LOGS]
        assert again.done(Signal.LOGS).accepted.requests == 2
        assert not segment.path.exists()
