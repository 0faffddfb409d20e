"""Which column of a CSV file says what: the standard export, and the files that the console writes. Pure.

The standard export's columns are named as in BigQuery, with dots or underscores (``sku.description``,
``sku_description``). The console's reports have headings (``SKU description``), some with the currency's sign
(``Unrounded subtotal ($)``), and its cost table begins with lines about the invoice.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_HEADING = re.compile(r"(?P<name>.*?)\s*\((?P<sign>[^()]{1,5})\)\s*")
_PREAMBLE_LINES = 50

# By the name that this module gives it: how it may be written, without case, signs and separators.
_SPELLINGS: Mapping[str, tuple[str, ...]] = {
    "service": ("servicedescription", "service"),
    "sku_id": ("skuid",),
    "sku": ("skudescription", "sku"),
    "start": ("usagestarttime", "usagestartdate", "date", "usagedate", "day"),
    "end": ("usageendtime", "usageenddate"),
    "project": ("projectid",),
    "cost": ("cost",),
    "unrounded_cost": ("unroundedcost",),
    "list_cost": ("listcost",),
    "unrounded_subtotal": ("unroundedsubtotal",),
    "subtotal": ("subtotal",),
    "currency": ("currency",),
    "cost_type": ("costtype",),
    "credit_type": ("credittype",),
    "credits": ("credits", "creditsamount"),
    "negotiated_savings": ("negotiatedsavings",),
    "programs": ("savingsprograms", "savingsprogrammes"),
    "other_savings": ("othersavings",),
    "usage": ("usageamount",),
    "unit": ("usageunit",),
    "pricing_usage": ("usageamountinpricingunits",),
    "pricing_unit": ("usagepricingunit",),
    "labels": ("labels",),
}
_BY_SPELLING = {spelling: name for name, all_ in _SPELLINGS.items() for spelling in all_}

SAVINGS = ("negotiated_savings", "programs", "other_savings")
"""Columns of a console's report that take from the list cost."""

_COSTS = ("unrounded_cost", "unrounded_subtotal", "cost", "subtotal")
# What has to be there, by the export's own names for it.
_NEEDED: Mapping[str, tuple[str, ...]] = {
    "sku.description": ("sku",),
    "cost": _COSTS,
    "usage.amount": ("usage", "pricing_usage"),
}


class MissingColumnsError(Exception):
    """The file has no line of headings that could be read; the text names what is missing."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Where what is, in the lines after the headings."""

    places: Mapping[str, int]
    """By this module's names."""
    sign: str
    """The currency's sign in the headings; empty if there is none."""

    @property
    def is_export(self) -> bool:
        """Whether these are the standard export's columns, and not a console's headings."""
        return "start" in self.places and not self.sign and "cost" in self.places

    def value(self, row: Sequence[str], name: str) -> str:
        """Return a field; empty if the file has no such column, or the line is short."""
        place = self.places.get(name)
        return row[place].strip() if place is not None and place < len(row) else ""

    def has(self, name: str) -> bool:
        """Whether the file has such a column."""
        return name in self.places

    @property
    def cost(self) -> str:
        """The name of the column that says the cost most exactly."""
        return next(name for name in _COSTS if name in self.places)


def columns_of(row: Sequence[str]) -> Columns:
    """Return what the columns of a line of headings say; those that are not known are left out."""
    places: dict[str, int] = {}
    sign = ""
    for place, heading in enumerate(row):
        found = _HEADING.fullmatch(heading.strip())
        name = _BY_SPELLING.get(_plain(found["name"] if found else heading))
        if name is None or name in places:
            continue
        places[name] = place
        if found and (name in _COSTS or name == "list_cost"):
            sign = found["sign"]
    return Columns(places, sign)


def missing_of(columns: Columns) -> list[str]:
    """Return which of the columns that have to be there are not, by the export's own names."""
    return [name for name, any_of in _NEEDED.items() if not any(each in columns.places for each in any_of)]


def find_headings(rows: Sequence[Sequence[str]]) -> tuple[int, Columns]:
    """Return the line of headings by its place among the first lines, and what its columns say.

    Raises:
        MissingColumnsError: no line has all that is needed.
    """
    candidates = [(place, columns_of(row)) for place, row in enumerate(rows[:_PREAMBLE_LINES])]
    for place, columns in candidates:
        if not missing_of(columns):
            return place, columns
    best = max((columns for _, columns in candidates), key=lambda columns: len(columns.places))
    raise MissingColumnsError(", ".join(missing_of(best)))


def _plain(heading: str) -> str:
    return re.sub(r"[^a-z]", "", heading.lower())
