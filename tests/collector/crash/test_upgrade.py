"""An older version is killed with telemetry in its journal; the next one stores it once, under its rules."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import pytest

from livemeter_collector.journal.record import read_contents
from livemeter_collector.store.migrate import read_schema
from livemeter_collector.store.open import ENGINE_DIRECTORY
from tests.collector.crash.oracle import assert_accounted, assert_kept, until_stored
from tests.collector.crash.processes import Collector, child, collector, free_port, until
from tests.collector.crash.sender import OK, Evidence, sending
from tests.collector.serving import ask

OLDER = """
import asyncio, json, sys, time
from pathlib import Path
from livemeter_collector.ingest.feeder import Feeder
from livemeter_collector.ingest.request import Request
from livemeter_collector.ingest.writer import Writer
from livemeter_collector.journal.dead_letters import DeadLetters
from livemeter_collector.journal.journal import Journal, Limits
from livemeter_collector.store.contract import Signal
from livemeter_collector.store.migrate import migrate, read_schema
from livemeter_collector.store.open import open_embedded
from tests.collector.crash.sender import Batches

data_dir, schema = Path(sys.argv[1]), read_schema(Path(sys.argv[2]))
store = open_embedded(data_dir)
migrate(store, schema)
letters = DeadLetters(data_dir / "dead-letters")
journal = Journal(data_dir / "journal", schema.number, Limits(reserve_bytes=0))
batches, made = Batches("older", 7), []

async def submit(count, away=""):
    writer = Writer(store, journal, letters)
    writer.start(away)
    for _ in range(count):
        made.append(batches.make())
        await writer.submit(made[-1].signal, Request(made[-1].body, len(made[-1].names)))
    assert await writer.stop(timeout_s=30)

# Some of it is stored, of some the insert has just returned, some is sealed, and some is open.
asyncio.run(submit(20))
asyncio.run(submit(20, away="nothing is stored from now on"))
segment = journal.seal(Signal.LOGS)
data, contents = segment.read()
Feeder(store, journal, letters)._store_part(segment, data, contents.places)
asyncio.run(submit(20, away="still"))
journal.seal(Signal.LOGS)
journal.seal(Signal.TRACES)
asyncio.run(submit(20, away="still"))
names = sorted(set().union(*(batch.names for batch in made)))
print(json.dumps({"names": names, "requests": len(made)}), flush=True)
time.sleep(600)
"""

THROUGH = 205
"""The older version's last migration: since then everything is counted that is compared here."""


@dataclass(frozen=True)
class Killed:
    """What an older version left."""

    evidence: Evidence
    """Of what it acknowledged."""
    segments: list[tuple[str, int]]
    """In its journal, by signal and number."""


def older_sql(folder: Path, through: int) -> Path:
    """Copy the migrations of a version that knew no later ones; its views are nobody's business here."""
    sql = Path(str(resources.files("livemeter_collector") / "sql"))
    (folder / "views").mkdir(parents=True)
    (folder / "migrations").mkdir()
    for file in (sql / "migrations").glob("*.sql"):
        if int(file.name[:4]) <= through:
            shutil.copy(file, folder / "migrations")
    return folder


@pytest.fixture
def killed(tmp_path: Path) -> Killed:
    """An older version was killed; its data is in ``tmp_path / "data"``."""
    sql = older_sql(tmp_path / "older", THROUGH)
    with child(["-c", OLDER, str(tmp_path / "data"), str(sql)]) as older:
        said = older.ready()
        older.kill()
    left = list((tmp_path / "data" / "journal").glob("*/*.pb"))
    assert len(left) >= 5
    rules = {read_contents(path.read_bytes()).preamble.rules for path in left}
    assert rules == {THROUGH}
    names = set(said["names"])
    evidence = Evidence(names, set(names), said["requests"], said["requests"])
    return Killed(evidence, [(path.parent.name, int(path.stem)) for path in left])


@contextmanager
def embedded(data_dir: Path, port: int) -> Iterator[Collector]:
    with collector(data_dir, port) as running:
        yield running


@contextmanager
def before_a_server(data_dir: Path, port: int) -> Iterator[Collector]:
    """The older version's tables are on a server, and what it had in its journal is here."""
    (data_dir / ENGINE_DIRECTORY).rename(data_dir.parent / "server")
    with child(["-m", "tests.collector.crash.clickhouse", str(data_dir.parent / "server")]) as server:
        url = f"http://127.0.0.1:{server.ready()['port']}"
        with collector(data_dir, port, clickhouse_url=url) as running:
            yield running


@pytest.mark.parametrize("way", [embedded, before_a_server])
def test_what_an_older_version_had_in_its_journal_is_stored_once_before_the_tables_change(
    tmp_path: Path, killed: Killed, way: Callable[[Path, int], AbstractContextManager[Collector]]
) -> None:
    data_dir, port, evidence = tmp_path / "data", free_port(), killed.evidence
    with way(data_dir, port) as running:
        running.ready()
        until(lambda: ask(port, path="/readyz").status == 200, "it has brought the tables up to date")
        with sending(port, evidence, seed=61) as load:
            until(lambda: evidence.statuses[OK] > 20, "new telemetry was acknowledged")
            load.finish()
        until_stored(data_dir)
        assert_kept(running.rows, evidence)
        assert_accounted(running.rows, data_dir, evidence)
        changed = "SELECT min(applied_at) FROM livemeter.schema_migrations WHERE number >"
        stored = "SELECT count(), max(at) FROM livemeter.ledger_inserts WHERE (toString(signal), segment) IN"
        [[count, last_stored]] = running.rows(f"{stored} {killed.segments}")
        assert int(count) == len(killed.segments)
        assert last_stored < running.rows(f"{changed} {THROUGH}")[0][0]
        applied = running.rows("SELECT max(number) FROM livemeter.schema_migrations")
        assert applied == [[read_schema().number]]
        assert running.terminate() == 0
