"""``kill -9`` at random moments under load."""

from pathlib import Path

import pytest

from tests.collector.crash.kills import survive

KILLS = 20


@pytest.mark.parametrize("seed", [20])
def test_a_collector_that_is_killed_again_and_again_keeps_what_it_acknowledged_once(
    tmp_path: Path, seed: int
) -> None:
    survive(tmp_path / "data", KILLS, seed)
