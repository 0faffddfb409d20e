"""One embedded store with every table, view and price."""

from collections.abc import Iterator

import pytest

from livemeter_collector.prices.load import load_prices
from livemeter_collector.store.contract import Store
from livemeter_collector.store.migrate import migrate
from livemeter_collector.store.open import open_embedded


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    store = open_embedded(tmp_path_factory.mktemp("accounting"))
    migrate(store)
    load_prices(store)
    yield store
    store.close()
