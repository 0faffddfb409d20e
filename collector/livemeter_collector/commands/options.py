"""The options that several verbs share, and how their words are read."""

import argparse
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from livemeter_collector.query.questions import NO_LIMIT
from livemeter_collector.show.output import Form

DATA_DIRECTORY = Path("livemeter-data")
"""Where ``livemeter up`` keeps its data unless told otherwise: in the working directory."""

LIMIT = 50

AddArgument = Callable[..., argparse.Action]
"""``ArgumentParser.add_argument``, or that of a group."""

_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_SPAN = re.compile(r"(\d{1,6})([smhdw])")


def add_store(parser: argparse.ArgumentParser, *, again: bool = False) -> None:
    """Add where the data is: ``data`` and ``clickhouse``.

    ``again``: for an action of a verb that has them itself, so that what was given before the action stays.
    """
    store = parser.add_mutually_exclusive_group()
    store.add_argument(
        "--data",
        metavar="DIR",
        type=Path,
        default=argparse.SUPPRESS if again else DATA_DIRECTORY,
        help=f"the collector's data directory (default: ./{DATA_DIRECTORY})",
    )
    store.add_argument(
        "--clickhouse",
        metavar="URL",
        default=argparse.SUPPRESS if again else None,
        help="read from this ClickHouse server instead",
    )


# What argparse returns has no public name.
def add_form(parser: argparse.ArgumentParser, *, again: bool = False) -> AddArgument:
    """Add how to write the answer, ``form``; return what adds another way that excludes these.

    ``again``: as for ``add_store``.
    """
    form = parser.add_mutually_exclusive_group()
    form.add_argument(
        "--json",
        dest="form",
        action="store_const",
        const=Form.JSON,
        default=argparse.SUPPRESS if again else Form.TABLE,
        help="write JSON: money as strings, times in UTC, null for unknown",
    )
    form.add_argument(
        "--csv",
        dest="form",
        action="store_const",
        const=Form.CSV,
        default=argparse.SUPPRESS if again else Form.TABLE,
        help="write CSV",
    )
    return form.add_argument


def add_since(parser: argparse.ArgumentParser, what: str) -> None:
    """Add since when, a Unix time in milliseconds: ``since_ms``, 0 for ever."""
    parser.add_argument(
        "--since",
        dest="since_ms",
        metavar="TIME",
        type=since,
        default=0,
        help=f"only {what} since then: 90m, 24h, 7d, or in UTC 2026-11-01 or 2026-11-01T14:30",
    )


def add_limit(parser: argparse.ArgumentParser, what: str) -> None:
    """Add how many at most: ``limit``."""
    parser.add_argument(
        "--limit",
        metavar="N",
        type=limit,
        default=LIMIT,
        help=f"at most so many {what}, or all (default: %(default)s)",
    )


def since(words: str) -> int:
    """Return the time that is meant, in milliseconds since 1970.

    Raises:
        argparse.ArgumentTypeError: it is neither a span nor a date.
    """
    try:
        start = _start(words)
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(f"{words!r} is no time: try 24h, 7d or 2026-11-01") from None
    return max(0, int(start.timestamp() * 1000))


def limit(words: str) -> int:
    """Return the number of rows that is meant.

    Raises:
        argparse.ArgumentTypeError: it is neither a positive number nor ``all``.
    """
    if words == "all":
        return NO_LIMIT
    if not words.isdecimal() or not 0 < int(words) < NO_LIMIT:
        raise argparse.ArgumentTypeError(f"{words!r} is no limit: try 100, or all")
    return int(words)


def _start(words: str) -> datetime:
    span = _SPAN.fullmatch(words)
    if span:
        return datetime.now(UTC) - timedelta(seconds=int(span[1]) * _UNITS_S[span[2]])
    start = datetime.fromisoformat(words)
    return start.replace(tzinfo=UTC) if start.tzinfo is None else start
