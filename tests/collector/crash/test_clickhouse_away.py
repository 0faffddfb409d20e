"""A ClickHouse server that vanishes, or stores and does not say so."""

import contextlib
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from livemeter_collector.ingest.feeder import Feeder
from livemeter_collector.journal.dead_letters import DeadLetters
from livemeter_collector.journal.journal import Journal, Limits
from livemeter_collector.journal.record import Entry, digest_of
from livemeter_collector.store.contract import Signal, StoreUnavailableError
from livemeter_collector.store.migrate import read_schema
from livemeter_collector.store.open import ENGINE_DIRECTORY
from livemeter_collector.store.server import ServerStore
from tests.collector.crash.oracle import assert_accounted, assert_kept, until_stored, waiting
from tests.collector.crash.processes import child, collector, free_port, until
from tests.collector.crash.relay import Relay, relayed
from tests.collector.crash.sender import OK, Evidence, sending
from tests.collector.otlp_messages import logs_request
from tests.collector.serving import ask

PREPARE = """
import sys
from pathlib import Path
from livemeter_collector.prices.load import load_prices
from livemeter_collector.store.migrate import migrate
from livemeter_collector.store.open import open_embedded
store = open_embedded(Path(sys.argv[1]))
migrate(store)
load_prices(store)
store.close()
"""


@dataclass(frozen=True)
class Clickhouse:
    """A server and the network that leads to it."""

    relay: Relay

    @property
    def url(self) -> str:
        """Where a collector finds it."""
        return f"http://127.0.0.1:{self.relay.port}"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An engine's directory with every table: making them over HTTP takes longer than any test here."""
    data_dir = tmp_path_factory.mktemp("prepared")
    subprocess.run([sys.executable, "-c", PREPARE, str(data_dir)], check=True, timeout=60)
    return data_dir / ENGINE_DIRECTORY


@pytest.fixture
def clickhouse(tmp_path: Path, prepared: Path) -> Iterator[Clickhouse]:
    shutil.copytree(prepared, tmp_path / "server", symlinks=True)
    with child(["-m", "tests.collector.crash.clickhouse", str(tmp_path / "server")]) as server:
        port = int(server.ready()["port"])
        with relayed(port) as relay:
            yield Clickhouse(relay)


def test_requests_are_acknowledged_while_the_server_is_away_and_stored_once_when_it_is_back(
    tmp_path: Path, clickhouse: Clickhouse
) -> None:
    """It goes while inserts are under way, so that some of their answers are lost as well."""
    data_dir, port, evidence = tmp_path / "data", free_port(), Evidence()
    with (
        collector(data_dir, port, clickhouse_url=clickhouse.url) as running,
        sending(port, evidence, seed=41) as load,
    ):
        running.ready()
        for _ in range(2):
            _until_acknowledged(evidence, 100)
            clickhouse.relay.cut()
            _until_acknowledged(evidence, 200)
            assert waiting(data_dir)
            clickhouse.relay.open()
            until_stored_in_between(data_dir)
        load.finish()
        until_stored(data_dir)
        assert evidence.sent == evidence.acknowledged
        assert_kept(running.rows, evidence)
        assert_accounted(running.rows, data_dir, evidence)
        assert running.terminate() == 0


def test_an_insert_whose_answer_was_lost_counts_once(tmp_path: Path, clickhouse: Clickhouse) -> None:
    data_dir, port, evidence = tmp_path / "data", free_port(), Evidence()
    with (
        collector(data_dir, port, clickhouse_url=clickhouse.url) as running,
        sending(port, evidence, seed=42) as load,
    ):
        running.ready()
        _until_acknowledged(evidence, 50)
        clickhouse.relay.lose_answers(12)
        until(lambda: clickhouse.relay.lost == 12, "answers were lost")
        load.finish()
        until_stored(data_dir)
        assert_kept(running.rows, evidence)
        assert_accounted(running.rows, data_dir, evidence)
        assert running.terminate() == 0


def test_another_process_takes_over_what_could_not_be_stored(tmp_path: Path, clickhouse: Clickhouse) -> None:
    """The first one is told to stop while the server is away: it keeps what it cannot store, and ends."""
    data_dir, port, evidence = tmp_path / "data", free_port(), Evidence()
    with collector(data_dir, port, clickhouse_url=clickhouse.url) as first:
        with sending(port, evidence, seed=43) as load:
            first.ready()
            _until_acknowledged(evidence, 50)
            clickhouse.relay.cut()
            _until_acknowledged(evidence, 50)
            first.terminate()
            load.abandon()
    assert waiting(data_dir)
    clickhouse.relay.open()
    with collector(data_dir, port, clickhouse_url=clickhouse.url) as second:
        second.ready()
        until_stored(data_dir)
        assert_kept(second.rows, evidence)
        assert_accounted(second.rows, data_dir, evidence)
        assert second.terminate() == 0


def test_a_collector_that_is_killed_while_the_server_is_away_keeps_what_it_acknowledged(
    tmp_path: Path, clickhouse: Clickhouse
) -> None:
    data_dir, port, evidence = tmp_path / "data", free_port(), Evidence()
    with sending(port, evidence, seed=44) as load:
        with collector(data_dir, port, clickhouse_url=clickhouse.url) as first:
            first.ready()
            _until_acknowledged(evidence, 50)
            clickhouse.relay.lose_answers(3)
            until(lambda: clickhouse.relay.lost > 0, "an answer was lost")
            clickhouse.relay.cut()
            _until_acknowledged(evidence, 50)
            first.kill()
        clickhouse.relay.open()
        with collector(data_dir, port, clickhouse_url=clickhouse.url) as second:
            second.ready()
            load.finish()
            until_stored(data_dir)
            assert_kept(second.rows, evidence)
            assert_accounted(second.rows, data_dir, evidence)


def test_a_collector_that_starts_without_its_server_takes_telemetry_and_stores_it_once_when_it_comes(
    tmp_path: Path, clickhouse: Clickhouse
) -> None:
    """It is killed and started again meanwhile, so that two processes wait for the server."""
    data_dir, port, evidence = tmp_path / "data", free_port(), Evidence()
    clickhouse.relay.cut()
    with sending(port, evidence, seed=45) as load:
        with collector(data_dir, port, clickhouse_url=clickhouse.url) as first:
            first.ready()
            _until_acknowledged(evidence, 50)
            first.kill()
        with collector(data_dir, port, clickhouse_url=clickhouse.url) as second:
            second.ready()
            _until_acknowledged(evidence, 50)
            assert ask(port, path="/readyz").status == 503
            clickhouse.relay.open()
            until(lambda: ask(port, path="/readyz").status == 200, "the store is there")
            load.finish()
            until_stored(data_dir)
            assert_kept(second.rows, evidence)
            assert_accounted(second.rows, data_dir, evidence)
            assert second.terminate() == 0


def test_a_server_that_goes_while_views_are_made_is_waited_for(
    tmp_path: Path, clickhouse: Clickhouse
) -> None:
    data_dir, port, evidence = tmp_path / "data", free_port(), Evidence()
    made = "SELECT count() FROM livemeter.schema_views"
    ask(clickhouse.relay.port, body=b"ALTER TABLE livemeter.schema_views DROP PARTITION tuple()")
    wanted = len(read_schema().views)
    assert ask(clickhouse.relay.port, made).body == b"0\n"
    with (
        relayed(clickhouse.relay.port) as relay,
        collector(data_dir, port, clickhouse_url=Clickhouse(relay).url) as running,
        sending(port, evidence, seed=46) as load,
    ):

        def has_begun() -> bool:
            assert running.process.poll() is None, running.process.communicate(timeout=20)[1]
            return int(ask(clickhouse.relay.port, made).body) > 0

        until(has_begun, "some views were made")
        relay.cut()
        assert int(ask(clickhouse.relay.port, made).body) < wanted
        relay.open()
        running.ready()
        _until_acknowledged(evidence, 50)
        until(lambda: ask(port, path="/readyz").status == 200, "the store is there")
        load.finish()
        until_stored(data_dir)
        assert int(ask(clickhouse.relay.port, made).body) == wanted
        assert_kept(running.rows, evidence)
        assert running.terminate() == 0


def test_an_insert_that_took_too_long_counts_once(tmp_path: Path, clickhouse: Clickhouse) -> None:
    """The server stores it and says nothing; the collector gives up waiting, and sends it again."""
    journal = Journal(tmp_path / "journal", 1, Limits(reserve_bytes=0))
    body = logs_request(["slow"]).SerializeToString()
    journal.append(Signal.LOGS, [Entry(body, 1, time.time_ns(), digest_of(body))])
    segment = journal.seal(Signal.LOGS)
    assert segment is not None
    with contextlib.closing(ServerStore(clickhouse.url, answer_timeout_s=1)) as store:
        feeder = Feeder(store, journal, DeadLetters(tmp_path / "letters"))
        clickhouse.relay.hold_answers(1)
        with pytest.raises(StoreUnavailableError):
            feeder.feed(segment)
        assert clickhouse.relay.held == 1
        assert journal.held(Signal.LOGS)[0].requests == 1
        feeder.feed(segment)
        assert store.query("SELECT Body, count() FROM livemeter.logs GROUP BY Body").rows == (("slow", 1),)
    assert journal.held(Signal.LOGS)[0].requests == 0


def until_stored_in_between(data_dir: Path) -> None:
    """Wait until what was in the journal before is stored; meanwhile more comes."""
    before = set(waiting(data_dir))
    until(lambda: not before & set(waiting(data_dir)), "the server takes telemetry again")


def _until_acknowledged(evidence: Evidence, more: int) -> None:
    wanted = evidence.statuses[OK] + more
    until(lambda: evidence.statuses[OK] >= wanted, f"{more} more requests were acknowledged")
