"""How property tests draw, and the one embedded engine that every test of this process shares.

Nothing of the collector is imported before a test asks for it: part of the tests also runs in an environment
that has only google-genai and OpenTelemetry.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from livemeter_collector.store.contract import Store

try:
    from hypothesis import HealthCheck, settings
except ModuleNotFoundError:
    pass
else:
    # The same examples in every run of the gate; LIVEMETER_HYPOTHESIS=soak looks for new ones. A machine that
    # is busy with something else is no finding.
    settings.register_profile(
        "gate",
        derandomize=True,
        deadline=None,
        database=None,
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow],
    )
    settings.register_profile("soak", max_examples=2000, deadline=None, database=None, print_blob=True)
    settings.load_profile(os.environ.get("LIVEMETER_HYPOTHESIS", "gate"))


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data directory of the fixture ``store``."""
    return tmp_path_factory.mktemp("livemeter") / "data"


@pytest.fixture(scope="session")
def store(data_dir: Path) -> Iterator["Store"]:
    """The embedded engine with every table, view and price; open for the whole run.

    chDB has one data directory per process, so whoever needs another one runs it in a process of its own,
    and every test tells its rows apart by a key of its own.
    """
    from livemeter_collector.prices.load import load_prices
    from livemeter_collector.store.migrate import migrate
    from livemeter_collector.store.open import open_embedded

    opened = open_embedded(data_dir)
    try:
        migrate(opened)
        load_prices(opened)
        yield opened
    finally:
        opened.close()
