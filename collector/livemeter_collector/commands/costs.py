"""``livemeter costs``: tokens, queries and money, by whatever columns are asked for."""

import argparse

from livemeter_collector.commands.options import add_form, add_since, add_store
from livemeter_collector.commands.printing import show, show_nothing
from livemeter_collector.commands.reading import reading
from livemeter_collector.query import questions
from livemeter_collector.query.questions import DIMENSIONS, LABEL, rows_of
from livemeter_collector.show.report import costs_table, costs_total

_BY = ("model", "direction", "modality")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's options."""
    parser.add_argument(
        "--by",
        action="append",
        metavar="COLUMN",
        type=dimension,
        help=f"group by this, and by the next --by within it: {', '.join(DIMENSIONS)}, or {LABEL}NAME, what"
        f" the application labelled so (default: {', '.join(_BY)})",
    )
    add_since(parser, "what was spent")
    add_form(parser)
    add_store(parser)


def run(arguments: argparse.Namespace) -> int:
    """Show costs with a total that is the sum of the rows."""
    # A column asked for twice is one column.
    by = tuple(dict.fromkeys(arguments.by or _BY))
    with reading(arguments) as reader:
        table = questions.costs(reader, by, arguments.since_ms)
        rows = rows_of(table)
        answer = {"by": by, "rows": rows, "total": costs_total(rows)}
        if not rows:
            return show_nothing(arguments.form, reader, table, answer)
    show(arguments.form, [costs_table(by, rows).table], answer, table)
    return 0


def dimension(words: str) -> str:
    """Return what costs are to be grouped by.

    Raises:
        argparse.ArgumentTypeError: nothing has that name.
    """
    if words not in DIMENSIONS and not (words.startswith(LABEL) and words != LABEL):
        raise argparse.ArgumentTypeError(
            f"{words!r} is no column: try {', '.join(DIMENSIONS)}, or {LABEL}NAME"
        )
    return words
