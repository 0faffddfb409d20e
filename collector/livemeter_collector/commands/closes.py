"""``livemeter closes``: why connections closed, and what to do about it."""

import argparse

from livemeter_collector.commands.options import add_form, add_limit, add_since, add_store
from livemeter_collector.commands.printing import note, show, show_nothing
from livemeter_collector.commands.reading import reading
from livemeter_collector.commands.sessions import prefixes
from livemeter_collector.query import questions
from livemeter_collector.query.questions import rows_of
from livemeter_collector.show.report import closes_table, each_close_table
from livemeter_collector.store.contract import Table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's options."""
    parser.add_argument("--each", action="store_true", help="every close on its own, the newest first")
    add_since(parser, "closes")
    add_limit(parser, "lines")
    add_form(parser)
    add_store(parser)


def run(arguments: argparse.Namespace) -> int:
    """Show closes grouped by code and diagnosis, or each on its own."""
    ask = questions.each_close if arguments.each else questions.closes
    with reading(arguments) as reader:
        found = ask(reader, arguments.since_ms, arguments.limit + 1)
        table = Table(found.columns, found.rows[: arguments.limit])
        rows = rows_of(table)
        if not rows:
            return show_nothing(arguments.form, reader, table, rows)
        display = each_close_table(rows, prefixes(reader, rows)) if arguments.each else closes_table(rows)
    show(arguments.form, [display.table], rows, table)
    if len(found.rows) > len(rows):
        note(f"these are the first {len(rows):,}: --limit N or --limit all shows more")
    return 0
