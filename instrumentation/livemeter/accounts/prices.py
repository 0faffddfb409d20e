"""What tokens cost and when: the packaged prices with a user's overrides on top. Pure.

Money is counted in attodollars (10^-18 USD), the last decimal of SQL's ``Decimal(38, 18)``: whole numbers
add up exactly, whatever the application has made of its decimal context.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from decimal import Decimal
from functools import cache
from importlib.resources import files
from itertools import pairwise
from typing import NamedTuple

from livemeter.accounts.lines import UNATTRIBUTED, Kind, UsageLine
from livemeter.accounts.price_file import read_overrides
from livemeter.accounts.rates import QUERY, Price, Rate

ATTODOLLARS = 10**18
"""Attodollars in a dollar."""

_ATTODOLLARS_PER_MILLIONTH = ATTODOLLARS // 1_000_000
_FILE = "prices.toml"
_PRICED_AS = {"MODALITY_UNSPECIFIED": "TEXT", "DOCUMENT": "IMAGE"}
# What lies between the cheapest and the dearest price of its direction, and which of them it is priced by.
_BETWEEN = {
    Rate.INPUT: (UNATTRIBUTED, "TEXT"),
    Rate.OUTPUT: (UNATTRIBUTED, "TEXT"),
    Rate.GROUNDING: (QUERY, QUERY),
}

# Looking a member up in its class costs as much as finding a price.
_CACHED, _GROUNDING, _CACHED_INPUT = Kind.CACHED, Kind.GROUNDING, Rate.CACHED_INPUT
_RATES = {
    Kind.PROMPT: Rate.INPUT,
    Kind.TOOL_USE_PROMPT: Rate.INPUT,
    Kind.CACHED: Rate.INPUT,
    Kind.RESPONSE: Rate.OUTPUT,
    Kind.THOUGHTS: Rate.OUTPUT,
    Kind.TRANSCRIPTION: Rate.OUTPUT,
    Kind.GROUNDING: Rate.GROUNDING,
}


class UnitPrice(NamedTuple):
    """What one token or query costs, in attodollars: ``low`` to ``high`` where the modality is not known."""

    usd: int
    low: int
    high: int


class _Period(NamedTuple):
    first_s: int
    last_s: int
    price: UnitPrice


class PriceList:
    """The price of every line at any time. Never changes, so any thread may read it."""

    def __init__(self, prices: Iterable[Price]) -> None:
        # By model, platform, tier, rate and modality; a key's periods in the order of their start.
        self._periods: dict[tuple[str, str, str, str, str], list[_Period]] = defaultdict(list)
        together: dict[tuple[object, ...], list[Price]] = defaultdict(list)
        for row in sorted(prices, key=lambda row: row.valid_from):
            key = (row.model, row.platform, row.tier, row.direction, row.valid_from, row.valid_to)
            together[key].append(row)
        for rows in together.values():
            self._add_all(rows)

    def of(self, line: UsageLine, model: str, platform: str, tier: str, at_s: int) -> UnitPrice | None:
        """Return what a token or query of a line costs at a time (Unix, whole seconds); None if unpriced."""
        kind = line.kind
        modality = QUERY if kind is _GROUNDING else _PRICED_AS.get(line.modality, line.modality)
        if kind is _CACHED:
            cached = self._find((model, platform, tier, _CACHED_INPUT, modality), at_s)
            if cached is not None:
                return cached
        return self._find((model, platform, tier, _RATES[kind], modality), at_s)

    def _find(self, key: tuple[str, str, str, str, str], at_s: int) -> UnitPrice | None:
        # From the last period backwards: where two overlap, the one that starts later holds.
        for first_s, last_s, price in reversed(self._periods.get(key, ())):
            if first_s <= at_s <= last_s:
                return price
        return None

    def _add_all(self, rows: list[Price]) -> None:
        """Add the prices of one direction, and what lies between the cheapest and the dearest of them."""
        usd = {row.modality: _per_unit(row.usd_per_mtok) for row in rows}
        prices = {modality: UnitPrice(each, each, each) for modality, each in usd.items()}
        what, priced_as = _BETWEEN.get(Rate(rows[0].direction), ("", ""))
        if priced_as in usd:
            prices[what] = UnitPrice(usd[priced_as], min(usd.values()), max(usd.values()))
        for modality, price in prices.items():
            self._add(rows[0], modality, price)

    def _add(self, row: Price, modality: str, price: UnitPrice) -> None:
        period = _Period(int(row.valid_from.timestamp()), int(row.valid_to.timestamp()) - 1, price)
        self._periods[row.model, row.platform, row.tier, row.direction, modality].append(period)


def price_list(overrides: Iterable[Price] = ()) -> PriceList:
    """Return the packaged prices with the overrides on top."""
    return PriceList(with_overrides(packaged_prices(), overrides))


@cache
def packaged_prices() -> tuple[Price, ...]:
    """Return the published prices that are shipped with this package, read once."""
    return read_overrides(files("livemeter.accounts").joinpath(_FILE).read_text(encoding="utf-8"), _FILE)


def with_overrides(prices: Iterable[Price], overrides: Iterable[Price]) -> list[Price]:
    """Return the prices that hold once the overrides have won, sorted.

    An override wins for all of its period and for nothing but the model, platform, tier, direction and
    modality that it names; of two, the one that starts later. The modalities of a direction come out in
    the same periods, because what is UNATTRIBUTED is priced between the cheapest and the dearest of one.
    """
    groups: dict[tuple[str, str, str, str], list[tuple[bool, Price]]] = defaultdict(list)
    for wins, rows in ((False, prices), (True, overrides)):
        for row in rows:
            groups[row.model, row.platform, row.tier, row.direction].append((wins, row))
    return sorted(row for group in groups.values() for row in _in_common_periods(group))


def _in_common_periods(group: list[tuple[bool, Price]]) -> Iterator[Price]:
    rows = [row for _, row in sorted(group, key=lambda entry: (entry[0], entry[1].valid_from))]
    edges = sorted({edge for row in rows for edge in (row.valid_from, row.valid_to)})
    for start, end in pairwise(edges):
        holding = {row.modality: row for row in rows if row.valid_from <= start and end <= row.valid_to}
        yield from (replace(row, valid_from=start, valid_to=end) for row in holding.values())


def dollars(attodollars: int) -> Decimal:
    """Return an amount in USD, exact and without zeros at its end."""
    whole, rest = divmod(attodollars, ATTODOLLARS)
    return Decimal(f"{whole}.{rest:018d}".rstrip("0").rstrip("."))


def _per_unit(usd_per_mtok: Decimal) -> int:
    # What is beyond the last decimal is cut, as SQL's division does.
    numerator, denominator = usd_per_mtok.as_integer_ratio()
    return numerator * _ATTODOLLARS_PER_MILLIONTH // denominator
