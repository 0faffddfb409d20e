"""A journal that is closed while a slow disk still writes."""

import os
import threading
import time
from pathlib import Path

import pytest

from livemeter_collector.journal.journal import Journal, JournalFullError, Limits
from livemeter_collector.journal.record import Entry, digest_of
from livemeter_collector.store.contract import Signal
from tests.collector.otlp_messages import logs_request

NO_RESERVE = Limits(reserve_bytes=0)


def entry(name: str) -> Entry:
    body = logs_request([name]).SerializeToString()
    return Entry(body, 1, time.time_ns(), digest_of(body))


def test_a_file_that_is_being_written_is_not_closed_under_its_writer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its number could be another file's by then, and the rest of the request would go there."""
    syncing, goes_on = threading.Event(), threading.Event()
    sync = os.fdatasync

    def slow_sync(descriptor: int) -> None:
        syncing.set()
        assert goes_on.wait(20)
        sync(descriptor)

    journal = Journal(tmp_path / "journal", 1, NO_RESERVE)
    journal.append(Signal.TRACES, [entry("another signal's")])
    monkeypatch.setattr(os, "fdatasync", slow_sync)
    failures: list[Exception] = []

    def append() -> None:
        try:
            journal.append(Signal.LOGS, [entry("slow")])
        except Exception as error:  # noqa: BLE001 - whatever it is, the test must see it
            failures.append(error)

    writer = threading.Thread(target=append)
    writer.start()
    assert syncing.wait(20)
    journal.close(wait_s=0.01)
    goes_on.set()
    writer.join(20)
    assert failures == []
    monkeypatch.undo()
    again = Journal(tmp_path / "journal", 1, NO_RESERVE)
    assert [segment.requests for segment in again.left[Signal.LOGS]] == [1]
    again.close()


def test_a_closed_journal_begins_nothing(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal", 1, NO_RESERVE)
    journal.close()
    with pytest.raises(JournalFullError, match="closed"):
        journal.append(Signal.LOGS, [entry("late")])
    assert list((tmp_path / "journal" / "logs").iterdir()) == []
