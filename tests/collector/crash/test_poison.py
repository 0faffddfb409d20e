"""A request that the store cannot read, among good ones, and a process that dies while it looks for it."""

import contextlib
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from livemeter_collector.ingest.feeder import Feeder
from livemeter_collector.journal.dead_letters import DeadLetters
from livemeter_collector.journal.journal import Journal, Limits
from livemeter_collector.journal.record import Entry, digest_of
from livemeter_collector.store.contract import Signal
from tests.collector.crash.processes import child
from tests.collector.memory_store import POISON, MemoryStore
from tests.collector.otlp_messages import logs_request

LOGS = Signal.LOGS


class _Death(BaseException):
    """The process ends: nothing is caught, and nothing of it is left but what is on disk."""


class _Mortal(MemoryStore):
    """A store that lives on while the process that calls it dies, before or after what it asked was done."""

    def __init__(self, deaths: dict[int, bool]) -> None:
        super().__init__()
        self._deaths = deaths

    def insert_otlp(self, signal: Signal, body: bytes, token: str, origin: str = "") -> None:
        after = self._deaths.get(self.calls)
        if after is False:
            self.calls += 1
            raise _Death
        super().insert_otlp(signal, body, token, origin)
        if after:
            raise _Death


def entry(*names: str) -> Entry:
    body = logs_request(names).SerializeToString()
    return Entry(body, len(names), time.time_ns(), digest_of(body))


@given(
    poisoned=st.lists(st.booleans(), min_size=1, max_size=9),
    deaths=st.dictionaries(st.integers(0, 24), st.booleans(), max_size=8),
)
def test_whenever_the_process_dies_good_requests_count_once_and_each_bad_one_is_one_letter(
    poisoned: Sequence[bool], deaths: dict[int, bool]
) -> None:
    names = [f"{number}" for number in range(len(poisoned))]
    entries = [entry(name, POISON) if bad else entry(name) for name, bad in zip(names, poisoned, strict=True)]
    store = _Mortal(deaths)
    with tempfile.TemporaryDirectory() as folder:
        directory, letters = Path(folder) / "journal", DeadLetters(Path(folder) / "letters")
        journal = Journal(directory, 1, Limits(reserve_bytes=0))
        journal.append(LOGS, entries)
        for _ in range(len(deaths) + 1):
            journal = Journal(directory, 1, Limits(reserve_bytes=0))
            _feed(store, journal, letters)
        assert Counter(store.names) == Counter(n for n, bad in zip(names, poisoned, strict=True) if not bad)
        bad = [each.body for each, is_bad in zip(entries, poisoned, strict=True) if is_bad]
        assert sorted(letters.get(each.id).body for each in letters.list().letters) == sorted(bad)
        done = Journal(directory, 1).done(LOGS)
        assert (done.accepted.requests, done.set_aside.requests) == (len(entries), len(bad))


def _feed(store: MemoryStore, journal: Journal, letters: DeadLetters) -> None:
    with contextlib.suppress(_Death):
        for segment in journal.left[LOGS]:
            Feeder(store, journal, letters).feed(segment)


FEED = """
import json, os, signal, sys
from pathlib import Path
from livemeter_collector.ingest.feeder import Feeder
from livemeter_collector.journal.dead_letters import DeadLetters
from livemeter_collector.journal.journal import Journal, Limits
from livemeter_collector.store.migrate import migrate
from livemeter_collector.store.open import open_embedded

data_dir, dies_at = Path(sys.argv[1]), int(sys.argv[2])
store = open_embedded(data_dir)
migrate(store)

class Mortal:
    calls = 0
    def insert_otlp(self, *arguments):
        self.calls += 1
        if self.calls == dies_at:
            os.kill(os.getpid(), signal.SIGKILL)
        store.insert_otlp(*arguments)
        if self.calls == -dies_at:
            os.kill(os.getpid(), signal.SIGKILL)

journal = Journal(data_dir / "journal", 1, Limits(reserve_bytes=0))
letters = DeadLetters(data_dir / "letters")
for segments in journal.left.values():
    for segment in segments:
        Feeder(Mortal(), journal, letters).feed(segment)
stored = [body for (body,) in store.query("SELECT Body FROM livemeter.logs ORDER BY Body").rows]
print(json.dumps({"stored": stored, "letters": letters.totals().count}), flush=True)
store.close()
"""


def test_a_process_killed_while_it_looks_for_bytes_the_engine_cannot_read_stores_the_rest_once(
    tmp_path: Path,
) -> None:
    """Inserts: all; the first half, the second; of that its halves. Killed before one, after another."""
    bodies = [entry(name).body for name in ("a", "b", "c", "d")]
    bodies[2:2] = [b"\xff" * 12]
    journal = Journal(tmp_path / "journal", 1, Limits(reserve_bytes=0))
    journal.append(LOGS, [Entry(body, 1, time.time_ns(), digest_of(body)) for body in bodies])
    journal.close()
    for dies_at in (-2, 4, -5):
        with child(["-c", FEED, str(tmp_path), str(dies_at)]) as process:
            assert process.process.wait(60) == -signal.SIGKILL
    with child(["-c", FEED, str(tmp_path), "0"]) as process:
        said = process.ready()
        assert process.process.wait(60) == 0
    assert said == {"stored": ["a", "b", "c", "d"], "letters": 1}
