"""A collector that is killed again and again at random moments while telemetry comes."""

import random
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.collector.crash.oracle import assert_accounted, assert_kept, reasons, until_stored
from tests.collector.crash.processes import Collector, collector, free_port, until
from tests.collector.crash.sender import OK, Evidence, Load, sending


def survive(data_dir: Path, kills: int, seed: int, tell: Callable[[str], None] = lambda _: None) -> None:
    """Kill a collector so often under load, start it once more, and check what it kept."""
    sys.stdout.write(f"seed {seed}\n")
    evidence = Evidence()
    port = free_port()
    chance = random.Random(seed)
    with sending(port, evidence, seed) as load:
        for number in range(kills):
            with collector(data_dir, port) as running:
                _await_moment(running, evidence, load, chance)
                running.kill()
            tell(f"kill {number + 1} of {kills}: {dict(evidence.statuses)}")
        load.abandon()
    with collector(data_dir, port) as last:
        last.ready()
        until_stored(data_dir)
        assert not (aside := reasons(data_dir)), f"set aside: {aside}"
        assert list((data_dir / "journal").glob("*/*.damaged")) == [], "damaged"
        assert_kept(last.rows, evidence)
        assert_accounted(last.rows, data_dir, evidence)
    assert evidence.statuses[0], "some lost an answer"


def _await_moment(running: Collector, evidence: Evidence, load: Load, chance: random.Random) -> None:
    """Wait for a moment to kill at: while it starts, when it has just begun to serve, or somewhere later."""
    if chance.random() < 0.2:
        time.sleep(chance.uniform(0, 1.2))
        return
    running.ready()
    wanted = evidence.statuses[OK] + chance.choice((1, 5, 40))

    def has_come() -> bool:
        load.check()
        return evidence.statuses[OK] >= wanted

    until(has_come, "telemetry was acknowledged")
    time.sleep(chance.uniform(0, 0.4))
