"""``livemeter sessions``: sessions, the newest first."""

import argparse
from collections.abc import Sequence

from livemeter_collector.commands.options import add_form, add_limit, add_since, add_store
from livemeter_collector.commands.printing import note, show, show_nothing
from livemeter_collector.commands.reading import reading
from livemeter_collector.query import questions
from livemeter_collector.query.questions import Filters, Queryable, rows_of
from livemeter_collector.show.ids import unique_prefix
from livemeter_collector.show.report import sessions_table
from livemeter_collector.show.values import Row
from livemeter_collector.store.contract import Table

STATUSES = ("active", "ended", "failed", "lost")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's options."""
    parser.add_argument("--status", choices=STATUSES, default="", help="only sessions of this status")
    parser.add_argument("--model", metavar="NAME", default="", help="only sessions of exactly this model")
    parser.add_argument("--user", metavar="ID", default="", help="only sessions of this user, as recorded")
    add_since(parser, "sessions that started")
    add_limit(parser, "sessions")
    add_form(parser)
    add_store(parser)


def run(arguments: argparse.Namespace) -> int:
    """Show the sessions that the filters let through."""
    with reading(arguments) as reader:
        table, more = _newest(reader, arguments)
        rows = rows_of(table)
        if not rows:
            return show_nothing(arguments.form, reader, table, rows)
        display = sessions_table(rows, prefixes(reader, rows))
    show(arguments.form, [display.table], rows, table)
    if more:
        note(f"these are the newest {len(rows):,} sessions: --limit N or --limit all shows more")
    return 0


def prefixes(store: Queryable, rows: Sequence[Row]) -> dict[str, str]:
    """Map the rows' session ids to beginnings that are unique among all sessions of the store."""
    ids = sorted({str(row["session_id"]) for row in rows})
    return {one: unique_prefix(one, *next_to) for one, *next_to in questions.session_neighbours(store, ids)}


def _newest(store: Queryable, arguments: argparse.Namespace) -> tuple[Table, bool]:
    """Answer as many sessions as asked for, and whether there are more."""
    filters = Filters(
        since_ms=arguments.since_ms,
        status=arguments.status,
        model=arguments.model,
        user=arguments.user,
        limit=arguments.limit + 1,
    )
    table = questions.sessions(store, filters)
    return Table(table.columns, table.rows[: arguments.limit]), len(table.rows) > arguments.limit
