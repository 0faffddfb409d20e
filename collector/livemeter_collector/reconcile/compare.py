"""A bill against what was recorded: quantities, money, and what the gap between them is made of. Pure.

The gap is what was billed, before credits, less what was recorded. It is taken apart into what can be told
and what is left; these parts add up to it. What makes a recorded figure uncertain without moving it is told
beside.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal, localcontext
from enum import StrEnum

from livemeter_collector.reconcile.billing import EXACT, Bill, Billed
from livemeter_collector.reconcile.recorded import Recorded, Unseen, Usage
from livemeter_collector.reconcile.skus import GROUNDING, Group, family_of_model, generation_of_model

AUDIO_TOKENS_PER_S = 25
"""What Live bills for a second of audio, heard or said."""

_CACHED = "cached input"
_PRICE_DIGITS = Decimal(1).scaleb(-18)
_MODALITIES = {"DOCUMENT": "IMAGE", "MODALITY_UNSPECIFIED": "TEXT", "UNATTRIBUTED": "TEXT"}


class Part(StrEnum):
    """What a gap can be made of."""

    NOT_RECORDED = "not recorded"
    """Billed for models of which no application told anything in these days."""
    NOT_BILLED = "not in the file"
    """Recorded of models of which the file has no SKU."""
    OUTSIDE = "outside the file's hours"
    """Recorded on the file's days before its first hour or after its last."""
    COVERAGE = "coverage gaps"
    """Turns with output and without usage, by measured audio: at least so much was billed."""
    CACHED = "cached discount"
    """Cached tokens are recorded at their own price, and the file has no SKU for them."""
    FREE = "free of charge"
    """Billed at nothing, or queries at less than their price: the first of a month may be free."""
    UNPRICED = "unpriced"
    """Recorded without a price: what was billed for as many tokens."""
    PRICE = "price"
    """As many tokens as were billed, at the billed price and at ours."""
    UNEXPLAINED = "unexplained"


class Doubt(StrEnum):
    """What makes a recorded figure uncertain."""

    UNATTRIBUTED = "unattributed remainder"
    """Tokens whose modality nobody told: recorded as text, at the cheapest or dearest modality otherwise."""
    TRANSCRIPTION = "transcription estimate"
    """Billed and never reported: estimated from the transcripts' length."""
    DERIVED = "split by measured audio"
    """Tokens whose details were missing."""
    REPEATS = "repeats not counted"
    """Usage frames that repeat another: billed or not, nobody knows."""
    GROUNDING = "free grounding"
    """The first queries of a month may be free."""


@dataclass(frozen=True, slots=True)
class Uncertain:
    """By how much what was recorded may be wrong; None is not known."""

    doubt: Doubt
    quantity: int
    recorded_usd: Decimal | None
    less_usd: Decimal | None
    more_usd: Decimal | None


@dataclass(slots=True)
class Row:
    """One SKU group, on one day or on all."""

    day: date | None
    group: Group
    billed_usd: Decimal | None = None
    """None where the file has no SKU of this group."""
    billed_counted: Decimal = Decimal(0)
    """Tokens or queries, of the file's lines that say them."""
    is_counted: bool = True
    """Whether all of its lines do."""
    credits_usd: Decimal = Decimal(0)
    recorded_quantity: int = 0
    recorded_usd: Decimal | None = None
    """None where nothing is recorded, or nothing of it has a price."""
    recorded_low_usd: Decimal | None = None
    recorded_high_usd: Decimal | None = None
    unpriced_quantity: int = 0
    parts: dict[Part, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    skus: frozenset[str] = frozenset()

    @property
    def billed_quantity(self) -> Decimal | None:
        """Tokens or queries; None if the file has no such SKU, or says another unit of it."""
        return self.billed_counted if self.billed_usd is not None and self.is_counted else None

    @property
    def gap_usd(self) -> Decimal:
        """What was billed less what was recorded, as far as either is known."""
        return (self.billed_usd or Decimal(0)) - (self.recorded_usd or Decimal(0))

    @property
    def gap_quantity(self) -> Decimal | None:
        """The same in tokens or queries; None if the file does not say them."""
        if self.billed_usd is not None and self.billed_quantity is None:
            return None
        return (self.billed_quantity or Decimal(0)) - self.recorded_quantity


@dataclass(frozen=True, slots=True)
class Comparison:
    """A whole file against the record."""

    rows: Sequence[Row]
    """By day and group."""
    uncertain: Sequence[Uncertain]


@dataclass(slots=True)
class _Side:
    """What was recorded of a group on a day."""

    usage: list[Usage] = field(default_factory=list[Usage])
    unseen: list[Unseen] = field(default_factory=list[Unseen])


def compare(bill: Bill, told: Recorded) -> Comparison:
    """Compare by day and group."""
    with localcontext(EXACT):
        sides = _sides(bill, told)
        billed_families = {(group.platform, group.family) for _, group in bill.compared}
        recorded_families = {(group.platform, group.family) for _, group in sides}
        rows: list[Row] = []
        for day, group in sorted({*bill.compared, *sides}):
            key = (group.platform, group.family)
            row = _row(day, group, bill.compared.get((day, group)), sides.get((day, group), _Side()))
            if key not in recorded_families:
                row.parts[Part.NOT_RECORDED] = row.gap_usd
            elif key not in billed_families:
                row.parts[Part.NOT_BILLED] = row.gap_usd
            else:
                _explain(row, sides.get((day, group), _Side()))
            _leave(row)
            rows.append(row)
        return Comparison(rows, list(_doubts(told)))


def sum_up(rows: Iterable[Row], key: Callable[[Row], Row]) -> list[Row]:
    """Return rows added up by what ``key`` makes of each: an empty row with the day and group of its sum."""
    sums: dict[tuple[date | None, Group], Row] = {}
    with localcontext(EXACT):
        for row in rows:
            target = key(row)
            _add(sums.setdefault((target.day, target.group), target), row)
    return list(sums.values())


def total(rows: Sequence[Row]) -> Row:
    """Return the sum of rows."""
    whole = Row(None, Group("", "", "", ""))
    with localcontext(EXACT):
        for row in rows:
            _add(whole, row)
    return whole


def without_day(row: Row) -> Row:
    """Return an empty row for all days of a row's group."""
    return Row(None, row.group)


def _add(into: Row, row: Row) -> None:
    # Tokens and queries do not add up: where both would come together, tokens alone are told.
    if into.group.direction or row.group.direction != GROUNDING:
        into.recorded_quantity += row.recorded_quantity
        into.billed_counted += row.billed_counted
        into.is_counted &= row.is_counted
    into.unpriced_quantity += row.unpriced_quantity
    if row.billed_usd is not None:
        into.billed_usd = (into.billed_usd or Decimal(0)) + row.billed_usd
    into.credits_usd += row.credits_usd
    into.recorded_usd = _plus(into.recorded_usd, row.recorded_usd)
    into.recorded_low_usd = _plus(into.recorded_low_usd, row.recorded_low_usd)
    into.recorded_high_usd = _plus(into.recorded_high_usd, row.recorded_high_usd)
    into.skus |= row.skus
    for part, usd in row.parts.items():
        into.parts[part] += usd


def _sides(bill: Bill, told: Recorded) -> dict[tuple[date, Group], _Side]:
    sides: dict[tuple[date, Group], _Side] = defaultdict(_Side)
    # Cached tokens stand apart where the file has SKUs of their own for them; otherwise they are input.
    apart = {(group.platform, group.family) for _, group in bill.compared if group.direction == _CACHED}
    for usage in told.usage:
        group = _group_of(usage)
        if group.direction == _CACHED and (group.platform, group.family) not in apart:
            group = replace(group, direction="input")
        sides[_day(bill, usage.day), group].usage.append(usage)
    for unseen in told.unseen:
        for direction in ("input", "output"):
            group = Group(unseen.platform, family_of_model(unseen.model), direction, "AUDIO")
            sides[_day(bill, unseen.day), group].unseen.append(unseen)
    return sides


def _day(bill: Bill, day: date) -> date:
    return day if bill.by_day else bill.period.first


def _group_of(usage: Usage) -> Group:
    if usage.kind == "grounding":
        return Group(usage.platform, generation_of_model(usage.model), GROUNDING, "QUERY")
    direction = {"prompt": "input", "tool_use_prompt": "input", "cached": _CACHED}.get(usage.kind, "output")
    modality = _MODALITIES.get(usage.modality, usage.modality)
    return Group(usage.platform, family_of_model(usage.model), direction, modality)


def _row(day: date, group: Group, billed: Billed | None, side: _Side) -> Row:
    row = Row(day, group)
    if billed is not None:
        row.billed_usd, row.billed_counted = billed.cost, billed.counted
        row.is_counted = billed.quantity is not None
        row.credits_usd, row.skus = billed.credits, frozenset(billed.skus)
    for usage in side.usage:
        row.recorded_quantity += usage.quantity
        row.unpriced_quantity += usage.unpriced_quantity
        row.recorded_usd = _plus(row.recorded_usd, usage.usd)
        row.recorded_low_usd = _plus(row.recorded_low_usd, usage.usd_low)
        row.recorded_high_usd = _plus(row.recorded_high_usd, usage.usd_high)
    return row


def _explain(row: Row, side: _Side) -> None:
    outside = _sum(usage.outside_usd for usage in side.usage)
    if outside:
        row.parts[Part.OUTSIDE] = -outside
    unseen = sum((_unseen_usd(row.group, each) for each in side.unseen), Decimal(0))
    if unseen:
        row.parts[Part.COVERAGE] = unseen
    discount = Decimal(0)
    if row.group.direction == "input":
        discount = _sum(usage.discount_usd for usage in side.usage)
    if discount:
        row.parts[Part.CACHED] = discount
    _explain_prices(row, discount)


def _explain_prices(row: Row, discount: Decimal) -> None:
    """Explain what stands apart by price and not by quantity."""
    billed_usd, quantity = row.billed_usd or Decimal(0), row.billed_quantity or Decimal(0)
    if not quantity or not row.recorded_quantity:
        return
    if row.unpriced_quantity:
        row.parts[Part.UNPRICED] = _rounded(
            billed_usd / quantity * min(quantity, Decimal(row.unpriced_quantity))
        )
        return
    ours = ((row.recorded_usd or Decimal(0)) + discount) / row.recorded_quantity
    apart = _rounded(billed_usd - quantity * ours)
    if apart:
        is_free = apart < 0 and (row.group.direction == GROUNDING or not billed_usd)
        row.parts[Part.FREE if is_free else Part.PRICE] = apart


def _unseen_usd(group: Group, unseen: Unseen) -> Decimal:
    spoken, price = (
        (unseen.heard_ms, unseen.input_usd)
        if group.direction == "input"
        else (unseen.said_ms, unseen.output_usd)
    )
    if not spoken or price is None:
        return Decimal(0)
    return round(spoken * AUDIO_TOKENS_PER_S / 1000) * price


def _leave(row: Row) -> None:
    left = row.gap_usd - sum(row.parts.values(), Decimal(0))
    if left:
        row.parts[Part.UNEXPLAINED] = left


def _doubts(told: Recorded) -> Iterator[Uncertain]:
    yield from _doubt(Doubt.UNATTRIBUTED, [each for each in told.usage if each.modality == "UNATTRIBUTED"])
    transcription = [each for each in told.usage if each.kind == "transcription"]
    if transcription:
        usd = _sum(each.usd for each in transcription)
        yield Uncertain(Doubt.TRANSCRIPTION, _quantity(transcription), usd, usd, None)
    derived = [each for each in told.usage if each.derived_quantity and each.kind != "transcription"]
    if derived:
        quantity = sum(each.derived_quantity for each in derived)
        yield Uncertain(Doubt.DERIVED, quantity, _sum(each.derived_usd for each in derived), None, None)
    yield from _doubt(Doubt.GROUNDING, [each for each in told.usage if each.kind == "grounding"])
    if told.repeats_quantity:
        yield Uncertain(Doubt.REPEATS, told.repeats_quantity, Decimal(0), Decimal(0), told.repeats_usd)


def _doubt(doubt: Doubt, usage: Sequence[Usage]) -> Iterator[Uncertain]:
    """Yield what a range of prices makes uncertain."""
    usd, low, high = (_sum(getattr(each, name) for each in usage) for name in ("usd", "usd_low", "usd_high"))
    if usage and low != high:
        yield Uncertain(doubt, _quantity(usage), usd, usd - low, high - usd)


def _quantity(usage: Iterable[Usage]) -> int:
    return sum(each.quantity for each in usage)


def _sum(amounts: Iterable[Decimal | None]) -> Decimal:
    return sum((each for each in amounts if each is not None), Decimal(0))


def _plus(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    if one is None or other is None:
        return other if one is None else one
    return one + other


def _rounded(usd: Decimal) -> Decimal:
    return usd.quantize(_PRICE_DIGITS)
