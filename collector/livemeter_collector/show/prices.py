"""Prices as tables: those in force, the terms of one session's sum, and what changed. Pure.

Each function takes rows as ``livemeter_collector.query.price_questions`` answers them.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import cast

from rich.console import RenderableType
from rich.text import Text

from livemeter.accounts.rates import ALWAYS_FROM, ALWAYS_TO, FIRST_QUERY, QUERY
from livemeter.vocabulary import Platform
from livemeter_collector.show.ids import shortened
from livemeter_collector.show.money import (
    FEWEST_DECIMALS,
    UNPRICED,
    Cost,
    add,
    aligned,
    amount,
    cost_cells,
    total,
)
from livemeter_collector.show.table import Cell, Column, Grid, facts
from livemeter_collector.show.values import UNKNOWN, Row, exact, moment, number, text

_DIRECTIONS = {"input": "in", "output": "out", "cached_input": "cached", "grounding": "grounding"}
_MODALITIES = ("TEXT", "AUDIO", "IMAGE", "VIDEO", QUERY)
_KINDS = ("prompt", "tool_use_prompt", "cached", "response", "thoughts", "transcription", "grounding")
_PER = {"token": "per M tokens", "query": "per 1,000 queries"}
"""What a price is told for."""

_SUMS = ("quantity", "carried")
_MONEY = ("usd", "usd_low", "usd_high")
_EACH = ("at", "connection_id", "turn", "pass")
"""What tells the terms of one price apart."""

_Key = tuple[str, str]
"""Direction and modality of a price."""
_Name = tuple[str, str, str]
"""Model, platform and tier."""


def prices_page(rows: Sequence[Row]) -> list[RenderableType]:
    """Return prices, and how they are told."""
    words = "USD per million tokens, and per 1,000 queries of grounding; - has no price and was not used"
    return [prices_table(rows), Text(), Text(words, style="dim")]


def prices_table(rows: Sequence[Row]) -> Grid:
    """Show prices, a line for each model, platform and tier."""
    lines = _lines_by_model(rows)
    shown = sorted({key for prices in lines.values() for key in prices}, key=_price_order)
    columns = (
        Column("model"),
        Column("platform", leaves=1),
        Column("tier"),
        *(Column(_price_heading(*key), right=True) for key in shown),
        Column("valid", leaves=2),
        Column("source", leaves=3),
    )
    cells = _both_platforms((name, _price_cells(prices, shown)) for name, prices in lines.items())
    return Grid(columns, [(model, on, tier, *priced) for (model, on, tier), priced in cells])


def _lines_by_model(rows: Iterable[Row]) -> Mapping[_Name, Mapping[_Key, Row]]:
    lines: dict[_Name, dict[_Key, Row]] = defaultdict(dict)
    for row in rows:
        name = (text(row["model"]), text(row["platform"]), text(row["tier"]))
        lines[name][str(row["direction"]), str(row["modality"])] = row
    return lines


def _both_platforms(
    lines: Iterable[tuple[_Name, Sequence[str]]],
) -> Iterator[tuple[_Name, Sequence[str]]]:
    """Yield lines that say the same of every platform as one."""
    platforms: dict[tuple[str, str, Sequence[str]], list[str]] = defaultdict(list)
    for (model, on, tier), cells in lines:
        platforms[model, tier, cells].append(on)
    for (model, tier, cells), names in platforms.items():
        yield (model, "both" if set(names) == set(Platform) else ", ".join(names), tier), cells


def _price_order(key: _Key) -> tuple[int, int, _Key]:
    direction, modality = key
    known = _MODALITIES.index(modality) if modality in _MODALITIES else len(_MODALITIES)
    return list(_DIRECTIONS).index(direction), known, key


def _price_heading(direction: str, modality: str) -> str:
    if direction == "grounding":
        return "first queries" if modality == FIRST_QUERY else "queries"
    return f"{_DIRECTIONS[direction]} {modality.lower()}"


def _price_cells(prices: Mapping[_Key, Row], shown: Sequence[_Key]) -> tuple[str, ...]:
    rows = [row for row in prices.values() if row["usd_per_mtok"] is not None]
    starts = [cast(datetime, row["valid_from"]) for row in rows]
    ends = [cast(datetime, row["valid_to"]) for row in rows]
    valid = _valid(max(starts), min(ends)) if rows else UNKNOWN
    sources = dict.fromkeys(text(row["source"]) for row in rows)
    return (*(_price_cell(prices.get(key)) for key in shown), valid, "; ".join(sources) or UNKNOWN)


def _price_cell(row: Row | None) -> str:
    if row is None:
        return UNKNOWN
    usd = amount(row["usd_per_mtok"])
    unit = "query" if row["direction"] == "grounding" else "token"
    return UNPRICED if usd is None else _per(usd, unit)


def by_price(terms: Iterable[Row]) -> list[Row]:
    """Return the terms summed by price: a row for what was priced alike; ``terms`` is how many they were."""
    groups: dict[tuple[object, ...], list[Row]] = defaultdict(list)
    for term in terms:
        key = tuple(value for name, value in term.items() if name not in {*_SUMS, *_MONEY, *_EACH})
        groups[key].append(term)
    return sorted(map(_summed, groups.values()), key=_term_order)


def _summed(terms: Sequence[Row]) -> Row:
    first = terms[0]
    kept = {name: value for name, value in first.items() if name not in _EACH}
    sums = {name: sum(cast(int, term[name]) for term in terms) for name in _SUMS}
    # Priced alike, all of them have a price or none has.
    is_priced = first["usd"] is not None
    money = {name: add(amount(term[name]) for term in terms) if is_priced else None for name in _MONEY}
    return {**kept, **sums, **money, "terms": len(terms)}


def _term_order(row: Row) -> tuple[int, str, str, str, str, str]:
    kind, modality, since = str(row["kind"]), str(row["modality"]), str(row["valid_from"])
    return _KINDS.index(kind), modality, str(row["model"]), str(row["platform"]), str(row["tier"]), since


def term_cost(term: Row) -> Cost:
    """Return what a term, or a sum of terms, came to."""
    usd = amount(term["usd"])
    return Cost(usd, amount(term["usd_low"]), amount(term["usd_high"]), unpriced=usd is None)


def explained(session: Row, terms: Sequence[Row]) -> Row:
    """Return a session's sum as its terms make it; without terms as ``live_sessions`` has it."""
    if not terms:
        return session
    whole = total(map(term_cost, terms))
    unpriced = sum(cast(int, term["quantity"]) for term in terms if term["usd"] is None)
    return {
        "session_id": session["session_id"],
        "cost_usd": whole.usd,
        "cost_low_usd": whole.low,
        "cost_high_usd": whole.high,
        "unpriced_quantity": unpriced,
    }


def explain_page(session: Row, terms: Sequence[Row], rows: Sequence[Row]) -> list[RenderableType]:
    """Return how a session's sum comes about, top to bottom.

    Args:
        session: as ``explained`` gives it.
        terms: every term.
        rows: what to show of them: the same, or ``by_price`` of them.
    """
    head = facts([("session", text(session["session_id"])), ("cost", _sum_in_words(session))])
    if not terms:
        return [head]
    lines = [Text(f"  {line}") for line in notes(terms)]
    return [head, Text(), _terms_table(rows), *([Text()] if lines else []), *lines]


def notes(terms: Sequence[Row]) -> list[str]:
    """Return what has to be said of the terms that are no plain product of a reported figure and a price."""
    return list(dict.fromkeys(note for term in by_price(terms) for note in _notes_of(term)))


def _notes_of(term: Row) -> Iterator[str]:
    quantity, kind, direction = number(term["quantity"]), term["kind"], term["direction"]
    if term["usd"] is None:
        yield (
            f"unpriced: {quantity} {_plural(term)} of {_what(term)} have no price at that time, and are no"
            f" part of the sum: {text(term['model'])} on {text(term['platform'])}, tier {text(term['tier'])}"
        )
        return
    if term["modality"] == "UNATTRIBUTED":
        yield (
            f"UNATTRIBUTED: {quantity} tokens of {direction} ({kind}) came without a modality: priced as"
            f" TEXT, at least as {term['low_as']}, at most as {term['high_as']}"
        )
    if term["known"] == "derived":
        yield "derived: without details by modality, the audio is its measured time at 25 tokens a second"
    if kind == "transcription":
        yield (
            "estimated: transcription is billed as text output and never reported; four bytes of the"
            " transcript count as a token"
        )
    if kind == "grounding" and term["usd_low"] != term["usd"]:
        yield (
            "grounding: a month's first queries cost less or nothing, and nobody tells which those are: the"
            " range begins as if all of these were among them"
        )


def changes_table(rows: Sequence[Row]) -> Grid:
    """Show what a refresh changed; ``what`` says that it was ``added``, ``changed`` or ``removed``."""
    columns = (
        Column("what"),
        Column("model"),
        Column("platform"),
        Column("tier", leaves=3),
        Column("price"),
        Column("before", right=True),
        Column("now", right=True),
        Column("valid", leaves=1),
        Column("source", leaves=2),
    )
    return Grid(columns, [_change_line(row) for row in rows])


def _change_line(row: Row) -> Sequence[Cell]:
    before = {"changed": row.get("before"), "removed": row}.get(str(row["what"]))
    return (
        text(row["what"]),
        text(row["model"]),
        text(row["platform"]),
        text(row["tier"]),
        _price_heading(str(row["direction"]), str(row["modality"])),
        UNKNOWN if before is None else _usd(cast(Row, before)),
        UNKNOWN if row["what"] == "removed" else _usd(row),
        _valid(*(datetime.fromisoformat(str(row[edge])) for edge in ("valid_from", "valid_to"))),
        text(row["source"]),
    )


def _usd(row: Row) -> str:
    unit = "query" if row["direction"] == "grounding" else "token"
    return _per(Decimal(str(row["usd_per_mtok"])), unit)


def _terms_table(rows: Sequence[Row]) -> Grid:
    costs = [term_cost(row) for row in rows]
    whole = total(costs)
    # As many as show every digit: a sum that is explained is not rounded.
    decimals = max(
        FEWEST_DECIMALS, *(_decimals(each) for cost in costs for each in (cost.usd, cost.low, cost.high))
    )
    *cells, last = aligned([*cost_cells(costs, decimals), *cost_cells([whole], decimals)])
    is_each = bool(rows) and "at" in rows[0]
    ids = shortened(str(row["connection_id"]) for row in rows) if is_each else {}
    columns = (
        *((Column("time (UTC)", leaves=3), Column("connection", leaves=8)) if is_each else ()),
        *((Column("turn", right=True), Column("pass", right=True)) if is_each else ()),
        Column("kind"),
        Column("modality"),
        Column("quantity", right=True),
        Column("price", right=True),
        Column("cost"),
        Column("known", leaves=4),
        Column("valid", leaves=5),
        Column("source", leaves=6),
        Column("model", leaves=7),
        Column("tier", leaves=2),
    )
    lines = [
        (*(_each_cells(row, ids) if is_each else ()), *_term_cells(row, cell))
        for row, cell in zip(rows, cells, strict=True)
    ]
    labels = ["total", *[""] * (3 + len(_EACH) * is_each)]
    return Grid(columns, lines, (*labels, last, *[""] * 5))


def _decimals(usd: Decimal | None) -> int:
    return 0 if usd is None else len((exact(usd) or "").partition(".")[2])


def _each_cells(row: Row, ids: Mapping[str, str]) -> Sequence[Cell]:
    turn, number_of_pass = number(row["turn"]), number(row["pass"]) if row["pass"] else UNKNOWN
    return moment(row["at"]), ids[str(row["connection_id"])], turn, number_of_pass


def _term_cells(row: Row, cost: str) -> Sequence[Cell]:
    is_priced = row["usd"] is not None
    return (
        text(row["kind"]),
        text(row["modality"]),
        number(row["quantity"]),
        _unit_price(row),
        cost,
        text(row["known"]),
        _valid(cast(datetime, row["valid_from"]), cast(datetime, row["valid_to"])) if is_priced else UNKNOWN,
        text(row["price_source"]),
        f"{text(row['model'])} on {text(row['platform'])}",
        text(row["tier"]),
    )


def _unit_price(row: Row) -> str:
    usd, unit = amount(row["price_usd_per_mtok"]), str(row["unit"])
    if usd is None:
        return UNPRICED
    low, high = (amount(row[f"price_{edge}_usd_per_mtok"]) or Decimal(0) for edge in ("low", "high"))
    span = "" if low == usd == high else f" ({_per(low, unit)}\N{EN DASH}{_per(high, unit)})"
    return f"${_per(usd, unit)}{span} {_PER[unit]}"


def _per(usd_per_million: Decimal, unit: str) -> str:
    """Return the price as it is told: for a million tokens, or for a thousand queries."""
    usd = usd_per_million if unit == "token" else usd_per_million.scaleb(-3)
    return exact(usd) or UNKNOWN


def _valid(start: datetime, end: datetime) -> str:
    since, until = (f"{edge:%Y-%m-%d %H:%M}" for edge in (start, end))
    if start <= ALWAYS_FROM:
        return "always" if end >= ALWAYS_TO else f"until {until}"
    return f"since {since}" if end >= ALWAYS_TO else f"{since} to {until}"


def _sum_in_words(session: Row) -> str:
    usd, low, high = (amount(session[name]) for name in ("cost_usd", "cost_low_usd", "cost_high_usd"))
    unpriced = f"{number(session['unpriced_quantity'])} tokens and queries"
    if usd is None:
        is_used = bool(session["unpriced_quantity"])
        return f"unpriced: {unpriced}" if is_used else "not known: no usage was reported"
    words = f"{exact(usd)} USD"
    if low is not None and high is not None and (low, high) != (usd, usd):
        words += f", between {exact(low)} and {exact(high)}"
    return f"{words}, and unpriced: {unpriced}" if session["unpriced_quantity"] else words


def _plural(term: Row) -> str:
    return "queries" if term["unit"] == "query" else "tokens"


def _what(term: Row) -> str:
    return "grounding" if term["kind"] == "grounding" else f"{text(term['modality'])} {term['direction']}"
