"""The machine's clock is set while telemetry waits in the journal."""

import time
from pathlib import Path

import pytest

from livemeter_collector.ingest.lane import Limits
from livemeter_collector.ingest.request import Request
from livemeter_collector.ingest.writer import Writer
from livemeter_collector.journal.dead_letters import DeadLetters
from livemeter_collector.journal.journal import Journal
from livemeter_collector.journal.journal import Limits as JournalLimits
from livemeter_collector.store.contract import Signal
from tests.collector.memory_store import MemoryStore, until
from tests.collector.otlp_messages import logs_request


@pytest.mark.parametrize("step_s", [-3600, 3600])
async def test_what_waits_to_be_stored_does_not_wait_for_a_clock_that_was_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step_s: int
) -> None:
    store, journal = MemoryStore(), Journal(tmp_path / "journal", 1, JournalLimits(reserve_bytes=0))
    writer = Writer(store, journal, DeadLetters(tmp_path / "letters"), Limits(window_s=0.2))
    writer.start()
    right = time.time_ns
    try:
        await writer.submit(Signal.LOGS, Request(logs_request(["a"]).SerializeToString(), 1))
        monkeypatch.setattr(time, "time_ns", lambda: right() + step_s * 10**9)
        await writer.submit(Signal.LOGS, Request(logs_request(["b"]).SerializeToString(), 1))
        await until(lambda: sorted(store.names) == ["a", "b"])
    finally:
        monkeypatch.undo()
        await writer.stop(timeout_s=5)
        journal.close()
