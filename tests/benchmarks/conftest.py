"""A small fleet in the store that all tests share: its host is `fleet`, its connections are its own."""

from typing import TYPE_CHECKING

import pytest

from benchmarks.fleet_events import Plan

if TYPE_CHECKING:
    from livemeter_collector.store.contract import Store


@pytest.fixture(scope="session")
def plan(store: "Store") -> Plan:
    """The plan of a fleet that is there: ninety sessions of a thousand frames in half a day."""
    from benchmarks.fleet import current_hour_ms, generate

    planned = Plan(sessions=90, frames=90_000, days=0.5, end_ms=current_hour_ms())
    generate(store, planned)
    store.command("SYSTEM RELOAD DICTIONARY livemeter.session_root")
    return planned
