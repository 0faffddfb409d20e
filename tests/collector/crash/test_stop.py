"""SIGTERM under load: an orderly end loses nothing either."""

import signal
from pathlib import Path

from tests.collector.crash.oracle import assert_accounted, assert_kept, until_stored, waiting
from tests.collector.crash.processes import Collector, collector, free_port, until
from tests.collector.crash.sender import OK, Evidence, Load, sending


def test_a_collector_that_is_stopped_under_load_stores_what_it_acknowledged_before_it_ends(
    tmp_path: Path,
) -> None:
    data_dir, port, evidence = tmp_path / "data", free_port(), Evidence()
    with sending(port, evidence, seed=51) as load:
        for _ in range(2):
            with collector(data_dir, port) as running:
                _await_some(running, evidence, load)
                assert running.terminate() == 0
                assert waiting(data_dir) == []
        load.abandon()
    with collector(data_dir, port) as last:
        last.ready()
        assert_kept(last.rows, evidence)
        assert_accounted(last.rows, data_dir, evidence)


def test_a_collector_that_is_killed_while_it_stops_leaves_the_rest_to_the_next(tmp_path: Path) -> None:
    data_dir, port, evidence = tmp_path / "data", free_port(), Evidence()
    with sending(port, evidence, seed=52) as load:
        for _ in range(2):
            with collector(data_dir, port) as running:
                _await_some(running, evidence, load)
                running.process.send_signal(signal.SIGTERM)
                running.kill()
        load.abandon()
    with collector(data_dir, port) as last:
        last.ready()
        until_stored(data_dir)
        assert_kept(last.rows, evidence)
        assert_accounted(last.rows, data_dir, evidence)


def _await_some(running: Collector, evidence: Evidence, load: Load) -> None:
    running.ready()
    wanted = evidence.statuses[OK] + 60

    def has_come() -> bool:
        load.check()
        return evidence.statuses[OK] >= wanted

    until(has_come, "telemetry was acknowledged")
