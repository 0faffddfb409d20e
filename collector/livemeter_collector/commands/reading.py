"""What every reading verb does around its question: open the data, and tell what went wrong in a line."""

import argparse
from collections.abc import Generator
from contextlib import contextmanager

from livemeter.cli.errors import CommandError
from livemeter_collector.query.reader import Reader, open_reader
from livemeter_collector.show.values import printable
from livemeter_collector.store.contract import (
    DirectoryHeldError,
    NewerSchemaError,
    StoreError,
    StoreUnavailableError,
)

_WHAT_TO_DO = {
    46: "livemeter sql \"SELECT name FROM system.functions WHERE name ILIKE '%...%'\" finds functions",
    47: 'livemeter sql "DESCRIBE live_sessions" names the columns of a table',
    60: 'livemeter sql "SHOW TABLES" names the tables',
    159: "ask for less: a shorter time, or fewer columns",
    164: "only reading is allowed here",
    241: "ask for less: a shorter time, or fewer columns",
}
"""By ClickHouse's error codes, which are the numbers of UNKNOWN_FUNCTION, UNKNOWN_IDENTIFIER and so on."""


@contextmanager
def reading(arguments: argparse.Namespace) -> Generator[Reader]:
    """Open the data that ``add_store``'s options name.

    Raises:
        CommandError: the data cannot be opened, or a question about it failed.
    """
    place = arguments.clickhouse or str(arguments.data)
    data = None if arguments.clickhouse else arguments.data
    try:
        with open_reader(data, arguments.clickhouse) as reader:
            yield reader
    except StoreError as error:
        raise CommandError(_one_line(error, place)) from error


def _one_line(error: StoreError, place: str) -> str:
    said = printable(" ".join(str(error).split()))
    match error:
        case DirectoryHeldError():
            return f"{place} is held by another process: {said}; stop it, or give another --data"
        case NewerSchemaError():
            return f"{place} was written by a newer livemeter: {said}; pip install --upgrade livemeter"
        case StoreUnavailableError():
            return f"{place} cannot be read now: {said}; try again"
        case _:
            to_do = _WHAT_TO_DO.get(error.code or 0)
            return f"{said}; {to_do}" if to_do else said
