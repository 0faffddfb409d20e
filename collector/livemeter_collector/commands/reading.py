"""What every reading verb does around its question: open the data, and tell what went wrong in a line."""

import argparse
from collections.abc import Generator
from contextlib import contextmanager

from livemeter.cli.errors import CommandError
from livemeter_collector.query.reader import Reader, open_reader
from livemeter_collector.show.values import printable
from livemeter_collector.store.contract import StoreError

_WHAT_TO_DO = {
    46: "livemeter sql \"SELECT name FROM system.functions WHERE name ILIKE '%...%'\" finds functions",
    47: 'livemeter sql "DESCRIBE live_sessions" names the columns of a table',
    60: 'livemeter sql "SHOW TABLES" names the tables',
    159: "ask for less: a shorter time, or fewer columns",
    241: "ask for less: a shorter time, or fewer columns",
}
"""By ClickHouse's error codes, which are the numbers of UNKNOWN_FUNCTION, UNKNOWN_IDENTIFIER and so on."""


@contextmanager
def reading(arguments: argparse.Namespace) -> Generator[Reader]:
    """Open the data that ``add_store``'s options name.

    Raises:
        CommandError: the data cannot be opened, or a question about it failed.
    """
    try:
        with open_reader(None if arguments.clickhouse else arguments.data, arguments.clickhouse) as reader:
            yield reader
    except StoreError as error:
        raise CommandError(_one_line(error)) from error


def _one_line(error: StoreError) -> str:
    said = printable(" ".join(str(error).split()))
    to_do = _WHAT_TO_DO.get(error.code or 0)
    return f"{said}; {to_do}" if to_do else said
