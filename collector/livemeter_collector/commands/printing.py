"""Writing an answer to stdout in the form asked for, and a word beside it to stderr."""

import os
import shutil
import sys
from collections.abc import Sequence

from rich.console import RenderableType

from livemeter_collector.query.questions import Queryable, rows_of, session_count
from livemeter_collector.show.output import UNLIMITED, Form, as_csv, as_json, as_text
from livemeter_collector.store.contract import Table

NO_SESSIONS = (
    "no sessions yet: start the collector with livemeter up, and instrument an application with"
    " import livemeter.auto (livemeter demo shows both at work)"
)


def show(form: Form, renderables: Sequence[RenderableType], answer: object, table: Table) -> None:
    """Write ``renderables`` for people, ``answer`` as JSON, or ``table`` as CSV."""
    match form:
        case Form.TABLE:
            terminal = sys.stdout.isatty()
            width = shutil.get_terminal_size().columns if terminal else UNLIMITED
            colour = terminal and "NO_COLOR" not in os.environ
            write(as_text(*renderables, width=width, colour=colour))
        case Form.JSON:
            write(as_json(answer))
        case Form.CSV:
            write(as_csv(table.columns, rows_of(table)))


def show_nothing(form: Form, store: Queryable, table: Table, answer: object) -> int:
    """Say on stderr why there is no row to show; programs still get an empty answer. Returns exit code 0."""
    note(
        NO_SESSIONS if not session_count(store) else "nothing matches: try a longer --since, or fewer filters"
    )
    if form is not Form.TABLE:
        show(form, [], answer, table)
    return 0


def note(words: str) -> None:
    """Write a line to stderr."""
    sys.stderr.write(f"livemeter: {words}\n")


def write(words: str) -> None:
    """Write text to stdout at once; what its encoding lacks becomes a question mark."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(words.encode(encoding, "replace").decode(encoding))
    # Here and not at the interpreter's end, where nobody catches a closed pipe.
    sys.stdout.flush()
