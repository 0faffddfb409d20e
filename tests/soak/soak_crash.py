"""A collector that is killed two hundred times under load, on one data directory. Minutes, not seconds.

Not collected by itself: ``make soak`` names the file. The seed is new in every run and printed.
"""

import os
import random
from pathlib import Path

import pytest

from tests.collector.crash.kills import survive

pytestmark = pytest.mark.timeout(3600)

KILLS = int(os.environ.get("LIVEMETER_KILLS", "200"))


def test_a_collector_that_is_killed_two_hundred_times_keeps_what_it_acknowledged_once(tmp_path: Path) -> None:
    seed = int(os.environ.get("LIVEMETER_SEED", "0")) or random.SystemRandom().randrange(1, 2**31)
    survive(tmp_path / "data", KILLS, seed, tell=print)
