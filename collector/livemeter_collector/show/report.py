"""The displays of the commands and of the demo: what sessions cost, and why they closed. Pure.

Each function takes rows as the queries of ``livemeter_collector.query.questions`` answer them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from rich.text import Text

from livemeter_collector.show.ids import shortened
from livemeter_collector.show.money import Cost, aligned, amount, cost_cell, cost_cells, decimals_for, total
from livemeter_collector.show.table import Cell, Column, Grid
from livemeter_collector.show.values import UNKNOWN, Row, duration, moment, number, percent, printable, text

_STATUS_STYLES = {"active": "cyan", "ended": "green", "failed": "red", "lost": "yellow"}
_TOTAL = "total"
_QUANTITIES = ("tokens", "input_tokens", "carried", "queries", "unpriced_quantity")


@dataclass(frozen=True, slots=True)
class Display:
    """One answer in two forms: a table for people, and the plain rows that it shows."""

    table: Grid
    rows: Sequence[Row]


def sessions_table(rows: Sequence[Row], prefixes: Mapping[str, str] | None = None) -> Display:
    """Show sessions, one a line.

    ``prefixes`` maps session ids to what is shown of them; by default what is unique among these rows.
    """
    prefixes = prefixes or shortened(str(row["session_id"]) for row in rows)
    costs = [session_cost(row) for row in rows]
    decimals = decimals_for(costs)
    cells = aligned([cost_cell(cost, decimals) for cost in costs])
    columns = (
        Column("session"),
        Column("started (UTC)", leaves=4),
        Column("duration", right=True, leaves=3),
        Column("status"),
        Column("model", leaves=10),
        Column("connections", right=True, leaves=5),
        Column("turns", right=True, leaves=7),
        Column("tokens in", right=True, leaves=9),
        Column("tokens out", right=True, leaves=8),
        Column("cost"),
        Column("coverage", right=True, leaves=6),
        Column("close", right=True, leaves=2),
        Column("diagnosis"),
    )
    lines = [
        (
            prefixes[str(row["session_id"])],
            moment(row["started_at"]),
            duration(row["duration_s"]),
            status(row["status"]),
            text(row["model"]),
            number(row["connections"]),
            number(row["turns"]),
            number(row["input_tokens"]),
            number(row["output_tokens"]),
            cell,
            percent(row["usage_coverage"]),
            close_code(row),
            session_finding(row),
        )
        for row, cell in zip(rows, cells, strict=True)
    ]
    return Display(Grid(columns, lines), rows)


def session_costs_table(rows: Sequence[Row], decimals: int | None = None) -> Display:
    """Show where one session's money went, by direction and modality, with its total.

    ``decimals``: of a page with more amounts of this session; by default what these rows need.
    """
    return costs_table(("direction", "modality"), rows, decimals)


def costs_table(dimensions: Sequence[str], rows: Sequence[Row], decimals: int | None = None) -> Display:
    """Show tokens, queries and money by these columns of the rows, with a total that the parts add up to.

    ``carried`` is the share of the input tokens that were in the context already and billed again.
    """
    costs = [quantity_cost(row) for row in rows]
    whole = total(costs)
    decimals = decimals_for([*costs, whole]) if decimals is None else decimals
    *cells, sum_cell = aligned([*cost_cells(costs, decimals), cost_cell(whole, decimals)])
    lines = [
        (*(_dimension(row, name) for name in dimensions), *_quantities(row), cell)
        for row, cell in zip(rows, cells, strict=True)
    ]
    labels = [_TOTAL, *[""] * (len(dimensions) - 1)]
    columns = (
        *(Column(name) for name in dimensions),
        Column("tokens", right=True),
        Column("carried", right=True, leaves=1),
        Column("queries", right=True, leaves=2),
        Column("cost"),
    )
    last = (*labels, *_quantities(costs_total(rows)), sum_cell)
    return Display(Grid(columns, lines, last), rows)


def costs_total(rows: Sequence[Row]) -> Row:
    """Return the exact sums of rows of costs, by the names of their columns."""
    quantities = {name: _sum(rows, name) for name in _QUANTITIES}
    whole = total(quantity_cost(row) for row in rows)
    return {**quantities, "usd": whole.usd, "usd_low": whole.low, "usd_high": whole.high}


def closes_table(rows: Sequence[Row]) -> Display:
    """Show closes grouped by code and diagnosis, the most frequent first, with the cause and what to do."""
    columns = (
        Column("closes", right=True),
        Column("code", right=True),
        Column("diagnosis"),
        Column("sessions", right=True, leaves=2),
        Column("last (UTC)", leaves=1),
        Column("cause, and what to do", prose=True),
    )
    lines = [
        (
            number(row["closes"]),
            close_code(row),
            text(row["diagnosis"]),
            number(row["sessions"]),
            moment(row["last_closed_at"]),
            cause_and_hint(row),
        )
        for row in rows
    ]
    return Display(Grid(columns, lines), rows)


def each_close_table(rows: Sequence[Row], prefixes: Mapping[str, str] | None = None) -> Display:
    """Show every close on a line of its own, the newest first, as ``sessions_table`` names sessions."""
    prefixes = prefixes or shortened(str(row["session_id"]) for row in rows)
    columns = (
        Column("closed (UTC)", leaves=1),
        Column("session"),
        Column("age", right=True, leaves=3),
        Column("code", right=True),
        Column("by", leaves=2),
        Column("diagnosis"),
        Column("cause, and what to do", prose=True),
    )
    lines = [
        (
            moment(row["closed_at"]),
            prefixes[str(row["session_id"])],
            duration(row["age_s"]),
            close_code(row),
            text(row["closed_by"]),
            text(row["diagnosis"]),
            cause_and_hint(row),
        )
        for row in rows
    ]
    return Display(Grid(columns, lines), rows)


def any_table(columns: Sequence[str], rows: Sequence[Row]) -> Grid:
    """Show rows of any columns, every value exactly as it is."""
    headings = [Column(name, right=_all_numbers(row[name] for row in rows)) for name in columns]
    return Grid(headings, [[text(row[name]) for name in columns] for row in rows])


def session_cost(row: Row) -> Cost:
    """Return the cost of a row of ``live_sessions``."""
    return Cost(
        amount(row["cost_usd"]),
        amount(row["cost_low_usd"]),
        amount(row["cost_high_usd"]),
        unpriced=bool(row["unpriced_quantity"]),
    )


def quantity_cost(row: Row) -> Cost:
    """Return the cost of a row of ``live_session_costs``, or of one like it."""
    return Cost(
        amount(row["usd"]),
        amount(row["usd_low"]),
        amount(row["usd_high"]),
        unpriced=bool(row["unpriced_quantity"]),
    )


def session_finding(row: Row) -> str:
    """Return what went wrong with a session: the diagnosis of its last close, and lost context."""
    findings = [str(row["diagnosis"])] if row["diagnosis"] else []
    findings += ["context lost"] if row["context_lost"] else []
    return ", ".join(findings) or UNKNOWN


def status(value: object) -> Text:
    """Return a session's status in its colour."""
    word = text(value)
    return Text(word, style=_STATUS_STYLES.get(word, ""))


def close_code(row: Row) -> str:
    """Return the close code, or the HTTP status of a socket that never opened."""
    if row["close_code"] is None and row["http_status"] is not None:
        return f"HTTP {text(row['http_status'])}"
    return text(row["close_code"])


def cause_and_hint(row: Row) -> Text:
    """Return what is known of a close: its cause, what to do, and else what the server said."""
    if row["cause"]:
        words = Text(printable(str(row["cause"])))
    elif row["ended_well"]:
        words = Text("ended in order")
    else:
        words = Text(f"no known cause; reason given: {text(row['close_reason'])}")
    return words.append(f"\n→ {printable(str(row['hint']))}") if row["hint"] else words


def _dimension(row: Row, name: str) -> Cell:
    value = row[name]
    if value == "TRANSCRIPTION":
        return "TRANSCRIPTION (estimated)"
    return text(value)


def _quantities(row: Row) -> tuple[Cell, Cell, Cell]:
    tokens, carried, queries = row["tokens"], row["carried"], row["queries"]
    share = _share(carried, row["input_tokens"])
    return number(tokens) if tokens else UNKNOWN, share, number(queries) if queries else UNKNOWN


def _share(part: object, whole: object) -> str:
    if not isinstance(part, int) or not isinstance(whole, int) or not whole:
        return UNKNOWN
    return percent(part / whole)


def _all_numbers(values: Iterable[object]) -> bool:
    known = [value for value in values if value is not None]
    return bool(known) and all(isinstance(value, int | float | Decimal) for value in known)


def _sum(rows: Iterable[Row], name: str) -> int:
    return sum(value for row in rows if isinstance(value := row[name], int))
