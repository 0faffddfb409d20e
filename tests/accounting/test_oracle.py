"""SQL's account of what happened is the oracle's, to the last decimal, for sessions at random.

What happens is told as the product tells it: Live frames, the session machine, the emitter, OTLP bytes, the
embedded engine. The oracle knows only what happened and the rules of accounting.
"""

import os
import random
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence

import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from livemeter.settings import FramesForm
from livemeter_collector.store.contract import Store
from livemeter_collector.store.settle import TABLES, settle
from tests.accounting import delivery
from tests.accounting.chance import Chance
from tests.accounting.rules import Account, Prices, account
from tests.accounting.truth import Period, PriceTable, Session
from tests.accounting.views import HOURLY, SETTLED, Found, expected, stored
from tests.accounting.wire import Delivered, Process, live

SESSIONS = 200
"""In a batch: what the views cost to read does not grow with it."""
BATCHES = 100 if os.environ.get("LIVEMETER_HYPOTHESIS") == "soak" else 5
PROCESSES = 6
FORMS = (FramesForm.PACKED, FramesForm.OFF)


@pytest.fixture(scope="module")
def priced(store: Store) -> Iterator[Store]:
    """The store; when the tests have ended, without the oracle's prices and with nothing settled."""
    yield store
    store.command(
        "ALTER TABLE livemeter.model_prices DELETE WHERE source = 'oracle' SETTINGS mutations_sync = 1"
    )
    store.command("SYSTEM RELOAD DICTIONARIES")
    for table in ("settlements", *TABLES):
        store.command(f"TRUNCATE TABLE livemeter.{table}")


def load(store: Store, table: PriceTable) -> None:
    values = ", ".join(_literal(period, modality) for period in table for modality in period.usd)
    store.command(f"INSERT INTO livemeter.model_prices VALUES {values}")
    store.command("SYSTEM RELOAD DICTIONARIES")


def _literal(period: Period, modality: str) -> str:
    names = (period.model, period.platform, period.tier, period.direction, modality)
    texts = ", ".join(f"'{name}'" for name in names)
    usd = f"toDecimal128('{period.usd[modality]:f}', 18)"
    return f"({texts}, {usd}, toDateTime({period.from_s}), toDateTime({period.to_s}), 'oracle')"


def told(dice: random.Random, sessions: Sequence[Session]) -> list[Delivered]:
    """Live through the sessions; return all that their processes sent."""
    processes = [Process(dice.choice(FORMS)) for _ in range(PROCESSES)]
    for session in sessions:
        live(session, processes)
    return [record for process in processes for record in process.delivered()]


def settled(store: Store) -> None:
    """Settle what came, and let it count at once."""
    settle(store, margin_s=0)
    store.command(
        "INSERT INTO livemeter.settlements SELECT max(upto), now64(3) - 10 FROM livemeter.settlements"
    )


def join(store: Store) -> None:
    store.command("SYSTEM RELOAD DICTIONARY livemeter.session_root")


def assert_agrees(found: Mapping[str, Found], wanted: Mapping[str, Found]) -> None:
    for view, rows in found.items():
        assert rows.keys() == wanted[view].keys(), view
        for key, those in rows.items():
            assert those == wanted[view][key], (view, key)


def of_one_process(accounts: Mapping[str, Account], sessions: Sequence[Session]) -> dict[str, Account]:
    alone = [one for one in sessions if len({connection.process for connection in one.connections}) == 1]
    return {one.id: accounts[one.id] for one in alone}


def only(found: Mapping[str, Found], accounts: Mapping[str, Account]) -> dict[str, Found]:
    """Leave out other sessions, and hours, which are all sessions' together."""
    own = {view: {key: rows[key] for key in rows.keys() & accounts.keys()} for view, rows in found.items()}
    return {view: rows for view, rows in own.items() if view != HOURLY}


@settings(
    max_examples=BATCHES,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow],
)
@given(seed=st.integers(0, 2**32 - 1))
def test_sql_agrees_with_the_oracle_to_the_last_decimal(priced: Store, seed: int) -> None:
    """From the facts alone, from what was settled of them, and of sessions of which more came after that."""
    dice = random.Random(seed)
    # Ids of their own, so that the same sessions can be told again in the same store.
    tag = secrets.token_hex(6)
    note(f"seed {seed}, tag {tag}")
    now_ms = time.time_ns() // 1_000_000
    chance = Chance(dice, tag, now_ms, PROCESSES)
    table = chance.price_table()
    sessions = [chance.session() for _ in range(SESSIONS)]
    accounts = {session.id: account(session, Prices(table), now_ms) for session in sessions}
    wanted = expected(accounts)

    load(priced, table)
    records = told(dice, sessions)
    dice.shuffle(records)
    middle = dice.randint(0, len(records))
    delivery.insert(priced, dice, records[:middle], f"{tag}-early")
    join(priced)
    settled(priced)
    delivery.insert(priced, dice, records[middle:], f"{tag}-late")
    join(priced)

    # What was settled as two sessions, before it was told that they are one, is one when it is settled again.
    alone = of_one_process(accounts, sessions)
    assert_agrees(only(stored(priced, tag, SETTLED), alone), expected(alone))
    assert_agrees(stored(priced, tag, facts_alone=True), wanted)
    settled(priced)
    assert_agrees(stored(priced, tag, SETTLED), wanted)
