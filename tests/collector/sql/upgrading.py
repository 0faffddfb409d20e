"""A store that is brought up to date one migration at a time, with sessions told at every step of the way.

Run in a process of its own: ``python -m tests.collector.sql.upgrading DIRECTORY [all]`` prints, as JSON, the
steps at which sessions were told and the figures that differ from the oracle's.
"""

import json
import random
import re
import sys
import time
from itertools import pairwise
from pathlib import Path

from livemeter_collector.store.contract import Signal, Store
from livemeter_collector.store.migrate import Migration, Schema, migrate, read_schema
from livemeter_collector.store.open import open_embedded
from tests.accounting import delivery
from tests.accounting.chance import Chance
from tests.accounting.rules import Account, Prices, account
from tests.accounting.truth import Connection, Named, Part, Period, Session
from tests.accounting.views import expected, stored
from tests.accounting.wire import Delivered, Process, live

FIRST_WITH_ALL_FACTS = 141
"""From here on frames, usage, turns, tool calls and connections are kept."""
FIRST_WITH_HANDLES = 191
"""Before, a session that went on in another process was two."""
FIRST_WITH_LATE_NAMES = 171
SESSIONS = 6
TAG = "0123abcd"
_FACTS = "usage|turns|tool_calls|connections|handles|emitters"
_TOUCHES_FACTS = re.compile(rf"\b(TO|TABLE) (IF NOT EXISTS )?({_FACTS})\b")
_COMMENT = re.compile(r"--[^\n]*")


class Plain(Chance):
    """Sessions whose figures were right in every version: without what was corrected since."""

    odd_modalities = ("SCENT",)

    def cached(self, prompt: Part, *, is_inside: bool) -> Part:
        return Part()


class Told:
    """Sessions that were told at one step, with what the oracle says of them."""

    def __init__(self, dice: random.Random, number: int, now_ms: int) -> None:
        self.number = number
        self.tag = f"{TAG}{number:04x}"
        processes = 3 if number >= FIRST_WITH_HANDLES else 1
        chance = Plain(dice, self.tag, now_ms, processes)
        self.table: list[Period] = chance.price_table()
        sessions = [chance.session() for _ in range(SESSIONS)]
        if number < FIRST_WITH_LATE_NAMES:
            sessions = [session for session in sessions if not any(map(_is_named_late, session.connections))]
        self.accounts: dict[str, Account] = {
            session.id: account(session, Prices(self.table), now_ms) for session in sessions
        }
        self.records = _records(sessions, processes)


def differences(store: Store, told: list[Told]) -> list[str]:
    """Say what the views have otherwise than the oracle."""
    found = stored(store, TAG)
    wanted = expected({name: one for each in told for name, one in each.accounts.items()})
    return [
        f"{view} of {key}: {found[view].get(key)} for {rows.get(key)}"
        for view, rows in wanted.items()
        for key in sorted(rows.keys() | found[view].keys())
        if found[view].get(key) != rows.get(key)
    ]


def _is_named_late(connection: Connection) -> bool:
    return any(isinstance(step, Named) for step in connection.steps)


def _records(sessions: list[Session], processes: int) -> list[Delivered]:
    own = [Process() for _ in range(processes)]
    for session in sessions:
        live(session, own)
    return [record for process in own for record in process.delivered()]


def steps(schema: Schema, *, is_every: bool) -> list[Migration]:
    """Return before which migrations sessions are told: all, or the first of each row that changes facts."""
    coming = [one for one in schema.migrations if one.number > FIRST_WITH_ALL_FACTS]
    return [
        one
        for before, one in pairwise(coming)
        if is_every or (_changes_facts(one) and not _changes_facts(before))
    ]


def _changes_facts(migration: Migration) -> bool:
    return _TOUCHES_FACTS.search(_COMMENT.sub("", migration.statement)) is not None


def upgrade(store: Store, dice: random.Random, *, is_every: bool) -> list[Told]:
    """Migrate step by step, telling sessions before each; return them all."""
    schema, now_ms = read_schema(), time.time_ns() // 1_000_000
    told: list[Told] = []
    for step in steps(schema, is_every=is_every):
        before = tuple(one for one in schema.migrations if one.number < step.number)
        migrate(store, Schema(before, ()))
        told.append(Told(dice, before[-1].number, now_ms))
        _insert(store, told[-1], dice)
    migrate(store)
    return told


def _insert(store: Store, told: Told, dice: random.Random) -> None:
    """Insert all that was told, in any order and as two batches that were never sent before."""
    dice.shuffle(told.records)
    middle = dice.randint(1, len(told.records))
    for records in (told.records[:middle], told.records[middle:]):
        if records:
            token = f"{told.tag}-{dice.getrandbits(64):x}"
            store.insert_otlp(Signal.LOGS, delivery.request_of(records), token)


def load(store: Store, table: list[Period]) -> None:
    values = [
        f"('{period.model}', '{period.platform}', '{period.tier}', '{period.direction}', '{modality}',"
        f" toDecimal128('{usd:f}', 18), toDateTime({period.from_s}), toDateTime({period.to_s}), 'test')"
        for period in table
        for modality, usd in period.usd.items()
    ]
    store.command(f"INSERT INTO livemeter.model_prices VALUES {', '.join(values)}")


def main(directory: Path, *, is_every: bool) -> None:
    seed = random.randrange(2**32)
    dice = random.Random(seed)
    store = open_embedded(directory)
    told = upgrade(store, dice, is_every=is_every)
    load(store, [period for each in told for period in each.table])
    for dictionary in ("model_price", "price_by_key", "session_root"):
        store.command(f"SYSTEM RELOAD DICTIONARY livemeter.{dictionary}")
    after = differences(store, told)
    # What a sender did not see acknowledged before the upgrade comes again after it.
    for each in told:
        _insert(store, each, dice)
    again = differences(store, told)
    store.close()
    steps_told = [each.number for each in told]
    sys.stdout.write(json.dumps({"seed": seed, "steps": steps_told, "after": after, "again": again}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), is_every=sys.argv[2:] == ["all"])
