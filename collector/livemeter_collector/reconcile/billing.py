"""A billing file's lines, read into what each SKU cost on each day. Pure.

Days are those of the US Pacific time zone, as Cloud Billing's own days are. Amounts are Decimal from the text
on.
"""

import csv
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Context, Decimal, InvalidOperation, localcontext
from itertools import chain, islice
from typing import Any, cast
from zoneinfo import ZoneInfo

from livemeter_collector.reconcile.columns import (
    SAVINGS,
    Columns,
    MissingColumnsError,
    find_headings,
)
from livemeter_collector.reconcile.skus import Group, NotCompared, group_of_sku

USD = "USD"
TIME_ZONE = "America/Los_Angeles"

EXACT = Context(prec=100)
"""Sums over a fleet pass the 28 digits of Python's own context."""

_AHEAD = 50
_MOMENT = timedelta(microseconds=1)
_NUMBER = re.compile(r"(?=.*\d)-?\$?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d*)?(?:[eE][+-]?\d+)?")
_SIGNS = {"$": USD, "US$": USD, "€": "EUR", "£": "GBP", "¥": "JPY", "₹": "INR", "A$": "AUD", "CA$": "CAD"}
_REGULAR = frozenset({"", "regular", "usage"})
_ONE_UNIT = frozenset(
    {"", "count", "counts", "request", "requests", "token", "tokens", "1", "query", "queries"}
)
_MANY_UNITS = re.compile(
    r"(?P<many>\d[\d,]*|million|thousand|1k|1m|k|m)[\s_]*(?:count|counts|tokens?|requests?|queries)?"
)
_NAMED = {"million": 10**6, "m": 10**6, "1m": 10**6, "thousand": 1000, "k": 1000, "1k": 1000}

OTHER_CURRENCY = "in another currency than USD"


class BillingFileError(Exception):
    """The file cannot be read; the text says why, in a line."""


@dataclass(frozen=True, slots=True)
class Period:
    """Days of the US Pacific time zone, the last one included."""

    first: date
    last: date

    @property
    def start(self) -> datetime:
        """The first day's first moment."""
        return datetime.combine(self.first, time(), tzinfo=_zone())

    @property
    def end(self) -> datetime:
        """The moment after the last day."""
        return datetime.combine(self.last + timedelta(days=1), time(), tzinfo=_zone())

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first} to {self.last}"


@dataclass(slots=True)
class Billed:
    """What one SKU group, or one SKU that is not compared, came to."""

    counted: Decimal = Decimal(0)
    """Tokens or queries, of the lines that say them in a unit that is known."""
    cost: Decimal = Decimal(0)
    """Before credits."""
    credits: Decimal = Decimal(0)
    """Discounts, free tiers and promotions: below zero."""
    lines: int = 0
    skus: set[str] = field(default_factory=set[str])
    unknown_units: set[str] = field(default_factory=set[str])

    @property
    def quantity(self) -> Decimal | None:
        """Tokens or queries; None if some line says another unit, or none."""
        return None if self.unknown_units else self.counted

    def add(self, other: "Billed") -> None:
        """Add what another came to."""
        self.counted += other.counted
        self.cost += other.cost
        self.credits += other.credits
        self.lines += other.lines
        self.skus |= other.skus
        self.unknown_units |= other.unknown_units


@dataclass(frozen=True, slots=True)
class Sku:
    """A SKU that is not compared."""

    reason: str
    service: str
    sku_id: str
    description: str
    currency: str


@dataclass(slots=True)
class Bill:
    """A whole file."""

    compared: dict[tuple[date, Group], Billed] = field(default_factory=lambda: defaultdict(Billed))
    not_compared: dict[Sku, Billed] = field(default_factory=lambda: defaultdict(Billed))
    labelled: dict[tuple[str, str], Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    """What SKUs of the Live API cost, by label; a line with several labels counts under each."""
    lines: int = 0
    skipped_lines: int = 0
    """Of other projects, or of other days, than were asked for."""
    first_day: date | None = None
    last_day: date | None = None
    by_day: bool = True
    """Whether the file tells days apart; if not, all of it stands under its first day."""
    first_moment: datetime | None = None
    """Of all windows of usage that is compared, where the file says hours."""
    last_moment: datetime | None = None
    is_sign_alone: bool = False
    """The currency is known by its sign in the headings alone."""

    @property
    def period(self) -> Period:
        """The days from the first to the last."""
        if self.first_day is None or self.last_day is None:
            raise BillingFileError("the file has no lines")
        return Period(self.first_day, self.last_day)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which lines of a file count; what is empty lets everything through."""

    project: str = ""
    first_day: date | None = None
    last_day: date | None = None


@dataclass(frozen=True, slots=True)
class _Line:
    """One line of a file."""

    number: int
    row: Sequence[str]
    columns: Columns

    def value(self, name: str) -> str:
        return self.columns.value(self.row, name)

    def number_of(self, name: str, otherwise: Decimal | None = None) -> Decimal | None:
        written = self.value(name)
        if not written:
            return otherwise
        if not _NUMBER.fullmatch(written):
            words = name.replace("_", " ")
            raise BillingFileError(f"line {self.number}: {words} {written!r} is no number")
        return Decimal(written.replace(",", "").replace("$", ""))


def read_bill(lines: Iterable[str], wanted: Wanted = Wanted()) -> Bill:
    """Read a file's lines.

    Raises:
        BillingFileError: it is empty, columns are missing, or a value cannot be read; the text says where.
    """
    with localcontext(EXACT):
        return _read(lines, wanted)


def _read(lines: Iterable[str], wanted: Wanted) -> Bill:
    rows = _numbered(lines)
    ahead = list(islice(rows, _AHEAD))
    if not ahead:
        raise BillingFileError("the file is empty")
    try:
        place, columns = find_headings([row for _, row in ahead])
    except MissingColumnsError as error:
        raise BillingFileError(f"no line of headings has {error}: are these columns exported?") from error
    currency = _currency(columns, [row for _, row in ahead[:place]])
    bill = Bill(is_sign_alone=bool(columns.sign) and not currency[1])
    for number, row in chain(ahead[place + 1 :], rows):
        _add(bill, _Line(number, row, columns), currency[0], wanted)
    _close(bill, columns, wanted)
    return bill


def _numbered(lines: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield lines that are not blank, each with the number at which it begins."""
    first, kept = _delimiter(lines)
    reader = csv.reader(kept, delimiter=first, strict=True)
    begins = 1
    try:
        for row in reader:
            if any(map(str.strip, row)):
                yield begins, row
            begins = reader.line_num + 1
    except csv.Error as error:
        raise BillingFileError(f"line {begins}: this is no CSV: {error}") from error


def _delimiter(lines: Iterable[str]) -> tuple[str, Iterator[str]]:
    rest = iter(lines)
    ahead = list(islice(rest, _AHEAD))
    counts = {each: sum(line.count(each) for line in ahead) for each in ",;\t"}
    return max(counts, key=lambda each: counts[each]), chain(ahead, rest)


def _currency(columns: Columns, preamble: Sequence[Sequence[str]]) -> tuple[str, bool]:
    """Return the currency of lines that do not say one, and whether the file itself says so in words."""
    for row in preamble:
        if len(row) > 1 and row[0].strip().lower() == "currency":
            return row[1].strip().upper(), True
    if columns.has("currency"):
        return "", True
    return _SIGNS.get(columns.sign, columns.sign), False


def _add(bill: Bill, line: _Line, currency: str, wanted: Wanted) -> None:
    sku, sku_id, service = line.value("sku"), line.value("sku_id"), line.value("service")
    if not line.columns.is_export and not sku and not sku_id:
        # The console's files end with sums of the lines above.
        return
    bill.lines += 1
    days = _days(line, wanted)
    if not _is_wanted(line, days, wanted):
        bill.skipped_lines += 1
        return
    bill.first_day = min(filter(None, (bill.first_day, days.first)))
    bill.last_day = max(filter(None, (bill.last_day, days.last)))
    of = _of(line, service, sku)
    currency = line.value("currency").upper() or currency
    if isinstance(of, Group) and currency == USD:
        _count(bill.compared[days.first, of], line)
        _count_labels(bill, line)
        _note_times(bill, days)
        return
    reason = of.reason if isinstance(of, NotCompared) else OTHER_CURRENCY
    _count(bill.not_compared[Sku(reason, service, sku_id, sku, currency or "?")], line)


@dataclass(frozen=True, slots=True)
class _Days:
    first: date
    last: date
    start: datetime | None
    end: datetime | None


def _of(line: _Line, service: str, sku: str) -> Group | NotCompared:
    cost_type = line.value("cost_type").lower()
    if cost_type not in _REGULAR and not line.value("credit_type"):
        return NotCompared(f"{cost_type}, not usage")
    return group_of_sku(service, sku)


def _count(billed: Billed, line: _Line) -> None:
    """Add a line; the console writes a credit as a line of its own."""
    cost, credits_ = _cost(line)
    billed.credits += credits_
    billed.cost += cost
    billed.lines += 1
    billed.skus.add(line.value("sku"))
    if line.value("credit_type"):
        return
    quantity = _quantity(line)
    if quantity is None:
        billed.unknown_units.add(line.value("unit") or line.value("pricing_unit"))
    else:
        billed.counted += quantity


def _cost(line: _Line) -> tuple[Decimal, Decimal]:
    """Return a line's cost before credits, and its credits."""
    written = line.number_of(line.columns.cost, Decimal(0)) or Decimal(0)
    if line.value("credit_type"):
        return Decimal(0), written
    savings = sum((line.number_of(name, Decimal(0)) or Decimal(0) for name in SAVINGS), Decimal(0))
    if line.columns.cost in {"unrounded_subtotal", "subtotal"}:
        # A report says what is left: the cost before is that without what was taken off.
        return written - savings, savings
    return written, savings + _credits(line)


def _credits(line: _Line) -> Decimal:
    """Return the sum of a line's credits: a number, or the export's list of them as JSON."""
    written = line.value("credits")
    if not written.startswith("["):
        return line.number_of("credits", Decimal(0)) or Decimal(0)
    try:
        amounts = [Decimal(str(each["amount"])) for each in _json(written)]
    except (ValueError, KeyError, TypeError, InvalidOperation):
        raise BillingFileError(f"line {line.number}: credits are no list with amounts") from None
    return sum(amounts, Decimal(0))


def _quantity(line: _Line) -> Decimal | None:
    for amount, unit in (("usage", "unit"), ("pricing_usage", "pricing_unit")):
        number, factor = line.number_of(amount), _factor(line.value(unit))
        if number is not None and factor is not None:
            return number * factor
    return None


def _factor(unit: str) -> int | None:
    """Return how many tokens or queries a unit is; None for any other unit."""
    plain = unit.strip().lower()
    if plain in _ONE_UNIT:
        return 1
    many = _MANY_UNITS.fullmatch(plain)
    if many is None:
        return None
    return _NAMED.get(many["many"]) or int(many["many"].replace(",", ""))


def _count_labels(bill: Bill, line: _Line) -> None:
    written = line.value("labels")
    if not written:
        return
    try:
        labels = _label_pairs(_json(written))
    except (ValueError, KeyError, TypeError):
        raise BillingFileError(f"line {line.number}: labels are no JSON of keys and values") from None
    for label in labels:
        bill.labelled[label] += _cost(line)[0]


def _label_pairs(said: Any) -> set[tuple[str, str]]:
    """Return labels of the export's list of keys and values, or of an object."""
    if isinstance(said, dict):
        return {(str(key), str(value)) for key, value in cast(dict[str, Any], said).items()}
    return {(str(each["key"]), str(each["value"])) for each in said}


def _json(written: str) -> Any:
    return json.loads(written, parse_float=Decimal)


def _days(line: _Line, wanted: Wanted) -> _Days:
    """Return the days that a line is of; the file says hours, a day, or from when to when."""
    start = line.value("start")
    if not start:
        if wanted.first_day is None or wanted.last_day is None:
            raise BillingFileError(
                f"line {line.number}: no date: group the report by date, or say the days with --from and --to"
            )
        return _Days(wanted.first_day, wanted.last_day, None, None)
    begins = _moment(line, "start")
    ends = _moment(line, "end") if line.value("end") else None
    if isinstance(begins, datetime):
        first = last = begins.astimezone(_zone()).date()
        if isinstance(ends, datetime):
            last = max(first, (ends - _MOMENT).astimezone(_zone()).date())
        return _Days(first, last, begins, ends if isinstance(ends, datetime) else None)
    return _Days(begins, ends if ends and not isinstance(ends, datetime) else begins, None, None)


def _moment(line: _Line, name: str) -> datetime | date:
    written = re.sub(r" ?UTC$", "+00:00", line.value(name))
    try:
        if len(written) == len("2026-11-20"):
            return date.fromisoformat(written)
        moment = datetime.fromisoformat(written)
    except ValueError:
        raise BillingFileError(f"line {line.number}: {name} {line.value(name)!r} is no time") from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _is_wanted(line: _Line, days: _Days, wanted: Wanted) -> bool:
    if wanted.project and line.value("project") != wanted.project:
        return False
    return not (
        (wanted.first_day and days.first < wanted.first_day)
        or (wanted.last_day and days.last > wanted.last_day)
    )


def _note_times(bill: Bill, days: _Days) -> None:
    """Note from when to when usage of the Live API is told, and whether days can be told apart."""
    bill.by_day &= days.first == days.last
    if days.start:
        bill.first_moment = min(filter(None, (bill.first_moment, days.start)))
    if days.end:
        bill.last_moment = max(filter(None, (bill.last_moment, days.end)))


def _close(bill: Bill, columns: Columns, wanted: Wanted) -> None:
    if not bill.lines:
        raise BillingFileError("the file has headings and no lines")
    if bill.first_day is None:
        asked = " and ".join(
            words
            for words, is_said in (
                (f"of project {wanted.project}", wanted.project),
                ("of these days", wanted.first_day or wanted.last_day),
            )
            if is_said
        )
        raise BillingFileError(f"none of its {bill.lines:,} lines is {asked}")
    if not columns.has("start"):
        bill.by_day = bill.first_day == bill.last_day
    if not bill.by_day:
        _fold(bill)


def _fold(bill: Bill) -> None:
    """Put everything under the first day: lines of several days cannot be told apart."""
    by_day = dict(bill.compared)
    bill.compared.clear()
    for (_, group), billed in by_day.items():
        bill.compared[bill.period.first, group].add(billed)


def _zone() -> ZoneInfo:
    return ZoneInfo(TIME_ZONE)
