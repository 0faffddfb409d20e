"""A price that changes restates history: every token is priced by what held in the hour it was used."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livemeter.accounts import PriceList, read_overrides
from livemeter.accounts.lines import Kind, Source, UsageLine
from livemeter.accounts.prices import dollars
from livemeter_collector.prices.load import load_prices
from livemeter_collector.prices.rows import known_models, price_rows
from livemeter_collector.store.contract import Signal, Store
from tests.accounting.events import Exported
from tests.accounting.oracle import Frame

MODEL = "gemini-3.8-live"
HOUR_S = 3600
HOURS = 12
END_S = time.time_ns() // 10**9 // HOUR_S * HOUR_S
START_S = END_S - HOURS * HOUR_S
PUBLISHED = Decimal("0.75")

# Milliseconds after the start, and tokens: about every whole hour, just before, at it and just after.
USED = {
    hour * HOUR_S * 1000 + beside: 1000 * hour + 100 + place
    for hour in range(HOURS + 1)
    for place, beside in enumerate((-1000, -1, 0, 1, 1_800_000))
}


class Timed(Exported):
    """One request for one session, whose events are of times of their own."""

    def use(self, session: str, frames: dict[int, int], model: str = MODEL) -> None:
        self.usage(session, model, [Frame(tokens, {"TEXT": tokens}) for tokens in frames.values()])
        for record, at_ms in zip(self._records, frames, strict=True):
            record.time_unix_nano = (START_S * 1000 + at_ms) * 10**6


@pytest.fixture(scope="module")
def used(store: Store) -> Iterator[Store]:
    """The store with one session that used tokens about every hour; its prices are put back in the end."""
    request = Timed()
    request.use("restated by the hour", USED)
    store.insert_otlp(Signal.LOGS, request.to_bytes(), "restated by the hour")
    yield store
    load_prices(store)


usd = st.decimals(0, 100, places=6)
changes = st.dictionaries(st.integers(0, HOURS), st.none() | usd, min_size=1, max_size=5)
"""Hours after the start, and the price from then on; None: the published one again."""


def toml(prices: dict[int, Decimal | None]) -> str:
    edges = [*sorted(prices), HOURS + 1000]
    return "\n".join(
        f'[[price]]\nmodels = ["{MODEL}"]\nvalid_from = {when(start)}\nvalid_to = {when(end)}\n'
        f"input = {{ TEXT = {prices[start]} }}"
        for start, end in pairwise(edges)
        if prices[start] is not None
    )


def when(hour: int) -> str:
    return f"{datetime.fromtimestamp(START_S + hour * HOUR_S, UTC):%Y-%m-%dT%H:%M:%SZ}"


def price_then(prices: dict[int, Decimal | None], at_ms: int) -> Decimal:
    """What held at a time, worked out without the product."""
    begun = [hour for hour in prices if hour * HOUR_S * 1000 <= at_ms]
    held = prices[max(begun)] if begun else None
    return PUBLISHED if held is None else held


@settings(max_examples=25)
@given(changes)
def test_rows_before_and_after_the_whole_hour_are_each_priced_by_their_own(
    used: Store, prices: dict[int, Decimal | None]
) -> None:
    overrides = read_overrides(toml(prices), "own.toml")
    load_prices(used, overrides)

    stored = used.query(
        "SELECT toUnixTimestamp64Milli(ts) - {start:Int64}, usd, price_usd_per_mtok FROM livemeter.live_costs"
        " WHERE session_id = 'restated by the hour'",
        {"start": START_S * 1000},
    ).rows
    expected = {at_ms: price_then(prices, at_ms) for at_ms in USED}
    assert {at_ms: price for at_ms, _, price in stored} == expected
    assert {at_ms: cost for at_ms, cost, _ in stored} == {
        at_ms: tokens * expected[at_ms] / 1_000_000 for at_ms, tokens in USED.items()
    }

    # The sum by session, which may be made of hourly sums, and the application's own price list say the same.
    total = sum(tokens * expected[at_ms] for at_ms, tokens in USED.items()) / 1_000_000
    sums = used.query(
        "SELECT sum(usd) FROM livemeter.live_session_costs WHERE session_id = 'restated by the hour'"
    ).rows
    assert sums == ((total,),)
    assert in_the_application(PriceList(price_rows(known_models(), overrides))) == expected


def in_the_application(prices: PriceList) -> dict[int, Decimal]:
    line = UsageLine(Kind.PROMPT, "TEXT", 1, Source.REPORTED)
    found = {}
    for at_ms in USED:
        price = prices.of(line, MODEL, "gemini_api", "standard", (START_S * 1000 + at_ms) // 1000)
        assert price is not None
        found[at_ms] = dollars(price.usd * 10**6)
    return found


def test_a_price_that_ends_with_none_after_it_ends_before_the_hour(used: Store) -> None:
    """What is used at its very end has no price, whether it is priced by the second or by the hour."""
    request = Timed()
    end_ms = HOUR_S * 1000
    request.use("ended", {end_ms - 1: 1_000_000, end_ms: 10, end_ms + 1: 10}, "our-own-live")
    used.insert_otlp(Signal.LOGS, request.to_bytes(), "ended")
    text = f'[[price]]\nmodels = ["our-own-live"]\nvalid_to = {when(1)}\ninput = {{ TEXT = 2 }}'
    overrides = read_overrides(text, "own.toml")
    load_prices(used, overrides)

    each = "SELECT usd FROM livemeter.live_costs WHERE session_id = 'ended' ORDER BY ts"
    assert used.query(each).rows == ((Decimal(2),), (None,), (None,))
    by_session = "SELECT usd, unpriced_quantity FROM livemeter.live_session_costs WHERE session_id = 'ended'"
    assert used.query(by_session).rows == ((Decimal(2), 20),)
    prices, line = PriceList(overrides), UsageLine(Kind.PROMPT, "TEXT", 1, Source.REPORTED)
    edge_s = START_S + HOUR_S
    held, ended = (
        prices.of(line, "our-own-live", "gemini_api", "standard", at) for at in (edge_s - 1, edge_s)
    )
    assert held is not None
    assert ended is None
