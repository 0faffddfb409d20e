"""``livemeter sql``: one statement of the user's own, read-only."""

import argparse
import re
import sys

from livemeter.cli.errors import CommandError
from livemeter_collector.commands.options import add_form, add_store
from livemeter_collector.commands.printing import show
from livemeter_collector.commands.reading import reading
from livemeter_collector.query.questions import rows_of
from livemeter_collector.show.report import any_table

# A server may let us write; this command does not. Comments and brackets may come before the first word.
_FIRST_WORD = re.compile(r"(?:\s|\(|--[^\n]*\n|/\*.*?\*/)*([A-Za-z]*)", re.DOTALL)
_READING = ("SELECT", "WITH", "SHOW", "DESCRIBE", "DESC", "EXISTS", "EXPLAIN")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's options."""
    parser.add_argument("statement", metavar="SELECT", help="what to ask; SHOW and DESCRIBE work as well")
    add_form(parser)(
        "--format",
        metavar="NAME",
        help="write one of ClickHouse's formats as it comes, without holding all of it: TSV, Parquet, ...",
    )
    add_store(parser)


def run(arguments: argparse.Namespace) -> int:
    """Answer the statement in the form asked for.

    Raises:
        CommandError: the statement is wrong, or does not read.
    """
    statement = arguments.statement.rstrip("; \t\r\n")
    _refuse_writing(statement)
    with reading(arguments) as reader:
        if arguments.format:
            for chunk in reader.stream(statement, arguments.format):
                sys.stdout.buffer.write(chunk)
            sys.stdout.flush()
            return 0
        table = reader.query(statement)
    rows = rows_of(table)
    show(arguments.form, [any_table(table.columns, rows)], rows, table)
    return 0


def _refuse_writing(statement: str) -> None:
    found = _FIRST_WORD.match(statement)
    word = found[1].upper() if found else ""
    if word not in _READING:
        raise CommandError(
            f"{word or statement!r} does not read: a statement begins with {', '.join(_READING)}"
        )
