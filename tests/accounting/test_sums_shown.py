"""What the commands show of sessions at random adds up: parts to the whole, after rounding as before."""

import random
import re
import secrets
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

import pytest

from livemeter_collector.query import questions
from livemeter_collector.query.questions import DIMENSIONS, Filters, rows_of
from livemeter_collector.show.money import add, total
from livemeter_collector.show.report import costs_table, costs_total, quantity_cost, session_cost
from livemeter_collector.show.session_page import session_page
from livemeter_collector.show.table import Grid
from livemeter_collector.store.contract import Store
from tests.accounting import delivery
from tests.accounting.chance import Chance
from tests.accounting.rules import Account, Prices, account
from tests.accounting.test_oracle import PROCESSES, join, load, told

SESSIONS = 15
_AMOUNT = re.compile(r"\$([\d,.]+)(?: \(([\d,.]+)\N{EN DASH}([\d,.]+)\))?")


@dataclass(frozen=True, slots=True)
class Lived:
    """Sessions in the store, and what the oracle says they cost."""

    store: Store
    seed: int
    accounts: Mapping[str, Account]


@pytest.fixture(scope="module")
def lived(store: Store) -> Iterator[Lived]:
    seed = random.randrange(2**32)
    dice, tag = random.Random(seed), secrets.token_hex(6)
    now_ms = time.time_ns() // 1_000_000
    chance = Chance(dice, tag, now_ms, PROCESSES)
    table = chance.price_table()
    sessions = [chance.session() for _ in range(SESSIONS)]
    load(store, table)
    delivery.insert(store, dice, told(dice, sessions), tag)
    join(store)
    yield Lived(store, seed, {one.id: account(one, Prices(table), now_ms) for one in sessions})
    store.command(
        "ALTER TABLE livemeter.model_prices DELETE WHERE source = 'oracle' SETTINGS mutations_sync = 1"
    )
    store.command("SYSTEM RELOAD DICTIONARIES")


def amounts(cell: object) -> tuple[Decimal, Decimal, Decimal] | None:
    """What a cell says: the cost and its bounds; None if it tells no amount."""
    found = _AMOUNT.search(str(cell))
    if found is None:
        return None
    usd, low, high = (None if one is None else Decimal(one.replace(",", "")) for one in found.groups())
    assert usd is not None
    return usd, usd if low is None else low, usd if high is None else high


def assert_adds_up(grid: Grid) -> tuple[Decimal, Decimal, Decimal] | None:
    """The last column's cells come to the total beneath them; return that."""
    assert grid.total is not None
    parts = [each for each in (amounts(row[-1]) for row in grid.rows) if each is not None]
    whole = amounts(grid.total[-1])
    if parts:
        assert tuple(add(column) for column in zip(*parts, strict=True)) == whole
    return whole


def test_every_part_of_a_session_s_page_adds_up_to_its_cost(lived: Lived) -> None:
    shown = 0
    for session_id, wanted in lived.accounts.items():
        answer = questions.session(lived.store, session_id)
        (session,) = rows_of(answer.session)
        costs, turns = rows_of(answer.costs), rows_of(answer.turns)
        page = session_page(session, costs, turns, rows_of(answer.tool_calls), rows_of(answer.connections))

        whole = session_cost(session)
        assert (whole.usd or 0) == (wanted.totals.cost_usd or 0), (lived.seed, session_id)
        assert (total(map(quantity_cost, costs)).usd or 0) == (whole.usd or 0), (lived.seed, session_id)
        tables = {str(title): table for title, table in pairwise(page) if isinstance(table, Grid)}
        said = [assert_adds_up(tables[title]) for title in ("Cost", "Turns") if title in tables]
        known = {each[0] for each in said if each is not None}
        assert len(known) <= 1, (lived.seed, session_id)
        shown += bool(known)
    assert shown > 2


def test_however_costs_are_grouped_they_are_those_of_the_sessions(lived: Lived) -> None:
    """All sessions of the store, those of other tests included; rounded, each table adds up as well."""
    sessions = rows_of(questions.sessions(lived.store, Filters()))
    whole = total(map(session_cost, sessions))
    for by in [*((one,) for one in DIMENSIONS), *pairwise(DIMENSIONS)]:
        rows = rows_of(questions.costs(lived.store, by, 0))
        summed = costs_total(rows)
        assert (summed["usd"], summed["usd_low"], summed["usd_high"]) == (whole.usd, whole.low, whole.high), (
            by
        )
        assert assert_adds_up(costs_table(by, rows).table) is not None
