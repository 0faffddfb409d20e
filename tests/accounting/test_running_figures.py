"""The figures inside the application are what SQL says of the same telemetry, to the last decimal.

Facts go two ways: to a ledger, and as the records that the emitter makes of them through the landing.
"""

import hashlib
import random
import time
from collections.abc import Iterator
from dataclasses import astuple
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count

import pytest

from livemeter.accounts import Figures, Ledger, Price, PriceList, Spend, price_list, read_overrides
from livemeter.accounts.prices import packaged_prices, with_overrides
from livemeter.emit.connections import Origin
from livemeter.emit.records import common_attributes, record_of
from livemeter.observer.facts import (
    ConnectionClosed,
    Endpoint,
    Identity,
    Setup,
    TurnEnded,
    Usage,
    UsageReported,
)
from livemeter.observer.payload import MAX_COUNT
from livemeter.vocabulary import ClosedBy, Phase, Platform
from livemeter_collector.prices.load import load_prices
from livemeter_collector.store.contract import Signal, Store
from tests.accounting.events import Exported
from tests.accounts.facts import NS_PER_S, ended, reported
from tests.observer import harness

SESSIONS = 300
UNPRICED = "gemini-9-live-unheard-of"
MODELS = ("gemini-3.8-live", "gemini-2.0-flash-exp", "gemini-3.5-transcribe-live", UNPRICED)
MODALITIES = ("TEXT", "AUDIO", "IMAGE", "VIDEO", "DOCUMENT", "MODALITY_UNSPECIFIED", "SCENT")
TRAFFIC = (
    "",
    "",
    "ON_DEMAND",
    "ON_DEMAND_PRIORITY",
    "ON_DEMAND_FLEX",
    "ON_DEMAND_OFFPEAK",
    "PROVISIONED_THROUGHPUT",
)
SERVICE = ("", "", "standard", "Priority", "FLEX")

HOUR_S = 3600
EDGE_S = time.time_ns() // NS_PER_S // HOUR_S * HOUR_S
"""The last whole hour."""
BEFORE_S = EDGE_S - 2 * HOUR_S


def when(unix_s: int) -> str:
    return f"{datetime.fromtimestamp(unix_s, UTC):%Y-%m-%dT%H:%M:%SZ}"


OVERRIDES = f"""
[[price]]
models = ["gemini-3.8-live"]
platform = "vertex_ai"
valid_from = {when(EDGE_S)}
input = {{ AUDIO = 2.80 }}
output = {{ TEXT = 4, AUDIO = 11 }}
grounding_per_1000_queries = 12.5

[[price]]
models = ["gemini-3.8-live"]
tier = "priority"
valid_to = {when(EDGE_S)}
input = {{ TEXT = 1.5, AUDIO = 6 }}
output = {{ AUDIO = 24 }}
cached_input = {{ TEXT = 0.15, IMAGE = 0.123456789012 }}

[[price]]
models = ["gemini-2.0-flash-exp"]
valid_from = {when(BEFORE_S)}
valid_to = {when(EDGE_S)}
input = {{ VIDEO = 9.000000000001 }}
cached_input = {{ AUDIO = 0 }}

[[price]]
models = ["gemini-3.8-live", "{UNPRICED}"]
tier = "provisioned"
input = {{ TEXT = 0 }}
"""


class Told(Exported):
    """One export in the making, and beside it the ledgers that were told the same."""

    def __init__(self, prices: PriceList) -> None:
        super().__init__()
        self.prices = prices
        self.ledgers: dict[str, Ledger] = {}
        self._seq = count(1)

    def fact(
        self,
        fact: UsageReported | TurnEnded | ConnectionClosed,
        session: str,
        connection_id: str = "",
        model: str = "gemini-3.8-live",
        platform: Platform = Platform.GEMINI_API,
    ) -> None:
        connection_id = connection_id or connection(session, 1)
        endpoint = Endpoint(platform, "example.invalid")
        record = record_of(fact, Origin(endpoint))
        common = common_attributes(connection_id, Identity(session), endpoint, model, hash_user_ids=True)
        attributes: dict[str, object] = {**common, **record.attributes}
        self.event(record.event, next(self._seq), session, model, attributes, record.body or "")
        self._records[-1].time_unix_nano = record.at_ns

        ledger = self.ledgers.setdefault(session, Ledger(self.prices))
        if isinstance(fact, UsageReported):
            ledger.usage(fact, model, platform, connection_id)
        elif isinstance(fact, TurnEnded):
            ledger.turn(fact, model, platform, connection_id)


def connection(session: str, number: int) -> str:
    """An id of 16 bytes that no other connection has."""
    return hashlib.sha256(f"{session} {number}".encode()).hexdigest()[:32]


def stored(store: Store, prefix: str) -> dict[str, Figures]:
    """What the views say of every session whose name begins so."""
    spends: dict[str, dict[tuple[str, str], Spend]] = {}
    for session, direction, modality, *figures in store.query(
        "SELECT session_id, direction, modality, unit, quantity, carried, usd, usd_low, usd_high,"
        " unpriced_quantity FROM livemeter.live_session_costs WHERE startsWith(session_id, {prefix:String})",
        {"prefix": prefix},
    ).rows:
        spend = Spend(*figures)  # type: ignore[arg-type]
        spends.setdefault(str(session), {})[str(direction), str(modality)] = spend
    rows = store.query(
        "SELECT session_id, turns, input_tokens, output_tokens, cost_usd, cost_low_usd, cost_high_usd,"
        " carried_cost_usd, unpriced_quantity, usage_coverage"
        " FROM livemeter.live_sessions WHERE startsWith(session_id, {prefix:String})",
        {"prefix": prefix},
    ).rows
    return {
        str(session): Figures(*figures, spends.get(str(session), {}))  # type: ignore[call-arg,arg-type]
        for session, *figures in rows
    }


def agreed(store: Store, told: Told, prefix: str) -> dict[str, Figures]:
    """Insert what was told and return the figures of all sessions, which the ledgers and SQL share."""
    store.insert_otlp(Signal.LOGS, told.to_bytes(), prefix)
    in_sql = stored(store, prefix)
    running = {session: ledger.snapshot() for session, ledger in told.ledgers.items()}
    assert in_sql.keys() == running.keys()
    for session, figures in running.items():
        assert figures == in_sql[session], session
    return running


@pytest.fixture
def overridden(store: Store) -> Iterator[PriceList]:
    """The store with the prices of ``OVERRIDES`` on top, and the list that ledgers have of them."""
    rows = with_overrides(packaged_prices(), read_overrides(OVERRIDES, "own.toml"))
    store.command("TRUNCATE TABLE livemeter.model_prices")
    store.command(f"INSERT INTO livemeter.model_prices VALUES {', '.join(map(literal, rows))}")
    store.command("SYSTEM RELOAD DICTIONARIES")
    yield PriceList(rows)
    load_prices(store)


def literal(row: Price) -> str:
    *names, usd, valid_from, valid_to, source = astuple(row)
    texts = ", ".join(f"'{name}'" for name in names)
    times = f"toDateTime({valid_from.timestamp():.0f}), toDateTime({valid_to.timestamp():.0f})"
    return f"({texts}, toDecimal128('{usd:f}', 18), {times}, '{source}')"


# Facts at random: everything that a server might say, whether it adds up or not.


def some_total(dice: random.Random) -> int | None:
    return dice.choice((None, 0, 1, 25, 999, 999, 131_072, 131_072, MAX_COUNT))


def some_details(dice: random.Random, total: int | None) -> dict[str, int]:
    """Details that add up to the total, fall short of it, exceed it, or are missing."""
    if dice.random() < 0.3:
        return {}
    left = dice.choice((0, 1, total or 0, total or 0, 2 * (total or 0)))
    details: dict[str, int] = {}
    for modality in dice.sample(MODALITIES, dice.randint(1, len(MODALITIES))):
        details[modality] = dice.choice((left, dice.randint(0, left)))
        left -= details[modality]
    return details


def some_usage(dice: random.Random) -> Usage:
    prompt, tool_use, response = (some_total(dice) for _ in range(3))
    cached = dice.choice((None, None, 0, 7, prompt))
    return Usage(
        prompt=prompt,
        tool_use=tool_use,
        cached=cached,
        response=response,
        thoughts=dice.choice((None, 0, 136)),
        total=some_total(dice),
        prompt_details=some_details(dice, prompt),
        tool_use_details=some_details(dice, tool_use),
        cached_details=some_details(dice, cached) if cached else {},
        response_details=some_details(dice, response),
        traffic_type=dice.choice(TRAFFIC),
        service_tier=dice.choice(SERVICE),
    )


def some_audio_ms(dice: random.Random) -> float:
    return dice.choice(
        (0.0, 20.0, 60.0, 100.0, 40_000.0, 1e7, dice.uniform(0, 1e5), dice.randint(0, 9999) / 2)
    )


def some_time(dice: random.Random) -> int:
    """Now, or around the hours at which overrides begin and end."""
    edge_ns = dice.choice((EDGE_S, BEFORE_S)) * NS_PER_S
    around = (-1_000_000_001, -1, 0, 1, 999_999_999, 1_000_000_000)
    return dice.choice((time.time_ns(), edge_ns + dice.choice(around)))


def closed() -> ConnectionClosed:
    now = time.time_ns()
    return ConnectionClosed(
        at_ns=now,
        opened_at_ns=now,
        duration_ms=0.0,
        setup=Setup(),
        code=1000,
        reason="",
        closed_by=ClosedBy.CLIENT,
        clean=True,
        phase=Phase.ACTIVE,
        http_status=None,
        error_type="",
        attempt=1,
        resumed_from="",
        since_tool_response_ms=None,
        since_go_away_ms=None,
        go_away_overrun_ms=None,
        context_tokens=None,
        last_sent_at_ns=None,
        last_received_at_ns=None,
    )


def some_report(dice: random.Random, turn: int, pass_number: int) -> UsageReported:
    return reported(
        some_usage(dice),
        turn=turn,
        pass_number=pass_number,
        at_ns=some_time(dice),
        repeat=dice.random() < 0.2,
        first_after_resume=dice.random() < 0.2,
        previous_prompt=some_total(dice),
        previous_context=some_details(dice, some_total(dice)) | {"UNATTRIBUTED": dice.choice((0, 5, 10**6))},
        context_audio_ms=some_audio_ms(dice),
        response_audio_ms=some_audio_ms(dice),
    )


def some_connection(dice: random.Random) -> list[UsageReported | TurnEnded]:
    """The facts of one connection: turns in order, their usage before, after or between, or none."""
    facts: list[UsageReported | TurnEnded] = []
    for turn in range(dice.randint(1, 2), dice.randint(2, 6)):
        facts += [some_report(dice, turn, pass_number) for pass_number in range(1, dice.choice((1, 1, 2, 4)))]
        facts.append(
            ended(
                turn,
                has_output=dice.random() < 0.7,
                bytes_in=dice.choice((0, 0, 1, 4, 285)),
                bytes_out=dice.choice((0, 0, 3, 2064)),
                grounding_queries=dice.choice((0, 0, 0, 2)),
                at_ns=some_time(dice),
            )
        )
        facts += [some_report(dice, turn, 9)] if dice.random() < 0.2 else []
    return facts


def some_session(dice: random.Random, told: Told, session: str) -> None:
    """One to three connections at a time, each with its own model, platform and numbering."""
    connections = {
        number: (some_connection(dice), dice.choice(MODELS), dice.choice(list(Platform)))
        for number in range(dice.choice((1, 1, 2, 3)))
    }
    while connections:
        number = dice.choice(list(connections))
        facts, model, platform = connections[number]
        if facts:
            told.fact(facts.pop(0), session, connection(session, number), model, platform)
        else:
            told.fact(closed(), session, connection(session, number), model, platform)
            del connections[number]


def told_at_random(prices: PriceList, prefix: str, dice: random.Random) -> Told:
    told = Told(prices)
    for number in range(SESSIONS):
        some_session(dice, told, f"{prefix}{number}")
    return told


def test_running_figures_are_those_of_sql_to_the_last_decimal(store: Store) -> None:
    seed = random.randrange(2**32)
    prefix = f"running-{seed}-"

    figures = agreed(store, told_at_random(price_list(), prefix, random.Random(seed)), prefix).values()

    # The dice have shown what matters: no figure is compared as None alone.
    assert any(each.usage_coverage not in (None, 0, 1) for each in figures)
    assert any(each.input_tokens is None for each in figures)
    assert any(each.cost_usd and each.unpriced_quantity for each in figures)
    assert any(each.cost_high_usd != each.cost_low_usd for each in figures)
    assert any(each.carried_cost_usd for each in figures)


def test_overrides_price_alike_in_sql_and_in_the_application(store: Store, overridden: PriceList) -> None:
    seed = random.randrange(2**32)
    prefix = f"overridden-{seed}-"

    figures = agreed(store, told_at_random(overridden, prefix, random.Random(seed)), prefix).values()

    assert any(each.cost_usd for each in figures)


def test_where_two_periods_meet_the_later_price_holds(store: Store, overridden: PriceList) -> None:
    told = Told(overridden)
    usage = Usage(prompt=1_000_000, prompt_details={"AUDIO": 1_000_000})
    for name, at_ns in {
        "last-moment": EDGE_S * NS_PER_S - 1,
        "edge": EDGE_S * NS_PER_S,
    }.items():
        told.fact(reported(usage, at_ns=at_ns), f"periods-{name}", platform=Platform.VERTEX_AI)

    figures = agreed(store, told, "periods-")

    assert figures["periods-last-moment"].cost_usd == Decimal(3)
    assert figures["periods-edge"].cost_usd == Decimal("2.8")


def test_a_period_that_no_other_follows_ends_before_its_end(store: Store, overridden: PriceList) -> None:
    told = Told(overridden)
    usage = Usage(prompt=1_000_000, prompt_details={"AUDIO": 1_000_000}, service_tier="priority")
    for name, at_ns in {
        "before": EDGE_S * NS_PER_S - 1,
        "at": EDGE_S * NS_PER_S,
    }.items():
        told.fact(reported(usage, at_ns=at_ns), f"ends-{name}")

    figures = agreed(store, told, "ends-")

    assert figures["ends-before"].cost_usd == Decimal(6)
    assert figures["ends-at"].cost_usd is None


def test_what_a_session_without_usage_costs_depends_on_whether_there_was_output(store: Store) -> None:
    told = Told(price_list())
    told.fact(closed(), "bare-unused")
    told.fact(ended(has_output=False), "bare-no-output")
    told.fact(ended(has_output=True), "bare-unseen")
    told.fact(ended(has_output=True, bytes_out=4), "bare-transcribed")
    told.fact(reported(Usage(prompt=0)), "bare-zero")
    told.fact(ended(has_output=True), "bare-zero")

    figures = agreed(store, told, "bare-")

    assert {name: (each.input_tokens, each.cost_usd) for name, each in figures.items()} == {
        "bare-unused": (0, 0),
        "bare-no-output": (0, 0),
        "bare-unseen": (None, None),
        # One token of text output; what else was used nobody knows.
        "bare-transcribed": (None, Decimal("0.0000045")),
        "bare-zero": (None, None),
    }


# Facts as the observer tells them of frames: what a ledger counts on is what it is given.


class Conversation:
    """A session at random over several connections, resumed, overlapping or begun anew."""

    def __init__(self, dice: random.Random, told: Told, session: str) -> None:
        self.dice = dice
        self.told = told
        self.session = session
        self.process = harness.Process()
        self.lines: dict[str, harness.Line] = {}
        self.handles = 0

    def run(self, steps: int) -> None:
        for _ in range(steps):
            if not self.lines or (len(self.lines) < 3 and self.dice.random() < 0.05):
                self._connect()
            connection_id = self.dice.choice(list(self.lines))
            if self.dice.random() < 0.03:
                self._close(connection_id)
            else:
                self._step(self.lines[connection_id])
        for connection_id in list(self.lines):
            self._close(connection_id)

    def _connect(self) -> None:
        self.handles += 1
        connection_id = connection(self.session, self.handles)
        handle = f"{self.session}-{self.handles - 1}" if self.dice.random() < 0.7 else ""
        line = self.process.connect(connection_id, identity=Identity(self.session), handle=handle)
        line.server(harness.new_handle(f"{self.session}-{self.handles}"))
        self.lines[connection_id] = line

    def _close(self, connection_id: str) -> None:
        line = self.lines.pop(connection_id)
        line.close(after_ms=1)
        for fact in line.facts:
            if isinstance(fact, UsageReported | TurnEnded | ConnectionClosed):
                self.told.fact(fact, self.session, connection_id, harness.MODEL)

    def _step(self, line: harness.Line) -> None:
        prompt, response = self.dice.randint(0, 2000), self.dice.randint(0, 300)
        details = harness.details(TEXT=prompt // 3, AUDIO=prompt // 2)
        usage = harness.usage(prompt, response, promptTokensDetails=details)
        received = [
            *(harness.audio(), harness.words("Hi"), harness.heard("Grüß"), harness.said("Gott")),
            *(usage, harness.usage(7, 3), harness.INTERRUPTED, harness.TURN_COMPLETE),
            harness.bundle(harness.TURN_COMPLETE, usage),
            harness.bundle(harness.STILL_WORKING, usage),
        ]
        if self.dice.random() < 0.2:
            line.client(self.dice.choice([harness.microphone(), harness.ask()]))
        else:
            line.server(self.dice.choice(received))


def test_sessions_as_the_observer_tells_them_have_the_figures_of_sql(store: Store) -> None:
    seed = random.randrange(2**32)
    prefix = f"observed-{seed}-"
    dice, told = random.Random(seed), Told(price_list())
    for number in range(60):
        Conversation(dice, told, f"{prefix}{number}").run(dice.randint(1, 80))

    figures = agreed(store, told, prefix).values()

    assert any(each.usage_coverage not in (None, 0, 1) for each in figures)
