"""``livemeter reconcile``: a Cloud Billing export against what was recorded, by day and SKU."""

import argparse
import sys
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfoNotFoundError

from livemeter.cli.errors import CommandError
from livemeter_collector.commands.options import add_form, add_store
from livemeter_collector.commands.printing import note, show, write
from livemeter_collector.commands.reading import reading
from livemeter_collector.reconcile.billing import TIME_ZONE, Bill, BillingFileError, Wanted, read_bill
from livemeter_collector.reconcile.compare import compare
from livemeter_collector.reconcile.recorded import recorded
from livemeter_collector.reconcile.report import BY, Report, report
from livemeter_collector.show.output import Form
from livemeter_collector.store.contract import Table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's options."""
    parser.add_argument(
        "file", metavar="FILE", type=Path, help="a CSV file of Cloud Billing's, or - for stdin"
    )
    parser.add_argument(
        "--by",
        action="append",
        choices=BY,
        help="show by this alone, for each of several: by day, by SKU group (default: both)",
    )
    parser.add_argument("--project", metavar="ID", default="", help="only lines of this project")
    parser.add_argument(
        "--from", dest="first_day", metavar="DAY", type=_day, help="only from this day on, in US Pacific time"
    )
    parser.add_argument("--to", dest="last_day", metavar="DAY", type=_day, help="only up to this day")
    add_form(parser)
    add_store(parser)


def run(arguments: argparse.Namespace) -> int:
    """Show what was billed, what was recorded, and what the gap is made of.

    Raises:
        CommandError: the file or the data cannot be read; one line says why.
    """
    wanted = Wanted(arguments.project, arguments.first_day, arguments.last_day)
    by = [each for each in BY if each in (arguments.by or BY)]
    try:
        bill = _read(arguments.file, wanted)
        period = bill.period
        with reading(arguments) as reader:
            keys = sorted({key for key, _ in bill.labelled})
            told = recorded(reader, period, keys, bill.first_moment, bill.last_moment)
    except ZoneInfoNotFoundError as error:
        raise CommandError(f"this system does not know the time zone {TIME_ZONE}: install tzdata") from error
    _show(arguments.form, report(bill, told, compare(bill, told), by))
    return 0


def _read(path: Path, wanted: Wanted) -> Bill:
    try:
        if str(path) == "-":
            return read_bill(sys.stdin, wanted)
        with path.open(encoding="utf-8-sig", newline="") as file:
            return read_bill(file, wanted)
    except BillingFileError as error:
        raise CommandError(f"{path}: {error}") from error
    except UnicodeDecodeError as error:
        raise CommandError(f"{path}: this is no CSV in UTF-8") from error
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from error


def _show(form: Form, made: Report) -> None:
    table = Table(tuple(made.columns), tuple(tuple(row.values()) for row in made.rows))
    if form is not Form.TABLE:
        show(form, [], made.answer, table)
    else:
        for title, grid in zip(made.titles, made.tables, strict=True):
            write(f"\n{title}\n" if title else "")
            show(form, [grid], (), table)
    for words in made.notes:
        note(words)


def _day(written: str) -> date:
    try:
        return date.fromisoformat(written)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{written!r} is no day: try 2026-11-01") from None
