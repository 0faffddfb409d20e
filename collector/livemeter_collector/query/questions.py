"""The questions that the commands and the demo ask, each a file of SQL in ``queries``.

Answers are tables of plain values, ready for ``livemeter_collector.show``. Times come in UTC.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from importlib import resources
from typing import Protocol, cast

from livemeter_collector.store.contract import Parameters, Table

Row = dict[str, object]

DIMENSIONS = (
    *("model", "platform", "tier", "direction", "modality", "kind"),
    *("app", "user", "session", "phase", "hour", "day"),
)
"""What costs can be grouped by, beside a label of the application's: ``label:NAME``."""

LABEL = "label:"
"""What the name of a label follows."""

_TIMES = {"hour", "day"}
NO_LIMIT = 2**63 - 1


class Queryable(Protocol):
    """What answers a question: a reader, or a store itself."""

    def query(self, sql: str, parameters: Parameters | None = None) -> Table:
        """Answer a SELECT as Python values."""
        ...


@dataclass(frozen=True, slots=True)
class Filters:
    """Which sessions; an empty filter lets everything through. ``since_ms`` is a Unix time."""

    since_ms: int = 0
    status: str = ""
    model: str = ""
    user: str = ""
    limit: int = NO_LIMIT


@dataclass(frozen=True, slots=True)
class SessionAnswer:
    """Everything about one session; ``session`` has one row of the columns that ``sessions`` has."""

    session: Table
    costs: Table
    turns: Table
    tool_calls: Table
    connections: Table


def sessions(store: Queryable, filters: Filters) -> Table:
    """Answer sessions, the newest first."""
    return ask(store, "sessions", _session_parameters(filters))


def session_count(store: Queryable) -> int:
    """Answer how many sessions there are at all."""
    return int(str(ask(store, "session_count", {}).rows[0][0]))


def session(store: Queryable, session_id: str) -> SessionAnswer:
    """Answer everything about the session of exactly this id."""
    one: Parameters = {"session": session_id}
    return SessionAnswer(
        session=ask(store, "sessions", {**_session_parameters(Filters(limit=1)), **one}),
        costs=ask(store, "session_costs", one),
        turns=ask(store, "session_turns", one),
        tool_calls=ask(store, "session_tool_calls", one),
        connections=ask(store, "session_connections", one),
    )


def session_ids(store: Queryable, prefix: str, limit: int) -> list[str]:
    """Answer at most ``limit`` session ids that begin so, sorted."""
    answer = ask(store, "session_matches", {"prefix": prefix, "limit": limit})
    return [str(session_id) for (session_id,) in answer.rows]


def session_neighbours(store: Queryable, ids: Sequence[str]) -> list[tuple[str, str, str]]:
    """Answer each of these ids with the ids before and after it in sorted order ("" for none)."""
    answer = ask(store, "session_neighbours", {"sessions": list(ids)})
    return [(str(one), str(before), str(after)) for one, before, after in answer.rows]


def costs(store: Queryable, by: Sequence[str], since_ms: int = 0) -> Table:
    """Answer tokens, queries and money by some of ``DIMENSIONS`` or labels, each a column of its own.

    Rows are sorted by these columns; by a single one that is no time, the dearest come first.
    """
    answer = ask(store, "costs", {"by": list(by), "since_ms": since_ms})
    rows = tuple((*_words(keys), *figures) for keys, *figures in answer.rows)
    table = Table((*by, *answer.columns[1:]), rows)
    return _dearest_first(table) if len(by) == 1 and by[0] not in _TIMES else table


def closes(store: Queryable, since_ms: int = 0, limit: int = NO_LIMIT) -> Table:
    """Answer closes grouped by code and diagnosis, the most frequent first."""
    return ask(store, "closes", {"since_ms": since_ms, "limit": limit})


def each_close(store: Queryable, since_ms: int = 0, limit: int = NO_LIMIT) -> Table:
    """Answer every close, the newest first."""
    return ask(store, "each_close", {"since_ms": since_ms, "limit": limit})


def rows_of(table: Table) -> list[Row]:
    """Return a table's rows by column name."""
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


def ask(store: Queryable, name: str, parameters: Parameters) -> Table:
    """Answer the question in the file of that name."""
    sql = resources.files(__package__ or "").joinpath("queries", f"{name}.sql").read_text("utf-8")
    return store.query(sql, parameters)


def _session_parameters(filters: Filters) -> Parameters:
    return {
        "since_ms": filters.since_ms,
        "status": filters.status,
        "model": filters.model,
        "user": filters.user,
        "session": "",
        "limit": filters.limit,
    }


def _words(keys: object) -> list[str]:
    return [str(key) for key in cast(Sequence[object], keys)]


def _dearest_first(table: Table) -> Table:
    place = table.columns.index("usd")
    by_cost = sorted(table.rows, key=lambda row: _usd(row[place]), reverse=True)
    return Table(table.columns, tuple(by_cost))


def _usd(value: object) -> Decimal:
    # What is unpriced goes last.
    return value if isinstance(value, Decimal) else Decimal(-1)
