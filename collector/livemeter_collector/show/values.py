"""Single values as people read them in a terminal and as programs read them in JSON and CSV. Pure.

Unknown (None, or a figure that is not a number) is ``-`` for people and null for programs, never 0.
"""

import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import cast

UNKNOWN = "-"

Row = Mapping[str, object]
"""One row of an answer by column name."""


def text(value: object) -> str:
    """Return any value for a table cell, with nothing in it that a terminal would act on."""
    if value is None or value == "":
        return UNKNOWN
    if isinstance(value, bool):
        return yes_no(value)
    return printable(_as_written(to_plain(value))) or UNKNOWN


def number(value: object) -> str:
    """Return a count with thousands separators."""
    return f"{value:,}" if isinstance(value, int) else text(value)


def duration(value: object) -> str:
    """Return seconds as ``12.3 s``, ``4 m 05 s`` or ``1 h 02 m 05 s``."""
    seconds = _figure(value)
    if seconds is None:
        return UNKNOWN
    if round(seconds, 1) < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} m {rest:02} s" if hours else f"{minutes} m {rest:02} s"


def milliseconds(value: object) -> str:
    """Return milliseconds as ``350 ms``, from one second on as a duration."""
    figure = _figure(value)
    if figure is None:
        return UNKNOWN
    return f"{round(figure)} ms" if round(figure) < 1000 else duration(figure / 1000)


def percent(value: object) -> str:
    """Return a share of 1 in percent; only an exact 0 or 1 reads ``0%`` or ``100%``."""
    share = _figure(value)
    if share is None:
        return UNKNOWN
    if 0 < share < 0.01:
        return "<1%"
    if 0.99 < share < 1:
        return ">99%"
    return f"{share * 100:.0f}%"


def moment(value: object) -> str:
    """Return a time in UTC to the second; the heading says that it is UTC."""
    return f"{_utc(value):%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime) else UNKNOWN


def yes_no(value: object) -> str:
    """Return ``yes`` or ``no``; None is unknown, which is neither."""
    return UNKNOWN if value is None else "yes" if value else "no"


def printable(words: str) -> str:
    r"""Return text in which whatever moves a cursor or turns the writing round is escaped (``\x1b``)."""
    if words.isprintable():
        return words
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in words
    )


def to_plain(value: object) -> object:
    """Return what JSON can hold: money exact and as text, times ISO 8601 in UTC, no NaN.

    ClickHouse's other types come as text, arrays and maps as they are.
    """
    if isinstance(value, Mapping):
        pairs = cast(Mapping[object, object], value).items()
        return {str(key): to_plain(held) for key, held in pairs}
    if isinstance(value, list | tuple | set | frozenset):
        return [to_plain(held) for held in cast(Iterable[object], value)]
    return _plain_scalar(value)


def exact(value: Decimal) -> str | None:
    """Return every digit of a decimal that counts, never in powers of ten."""
    if not value.is_finite():
        return None
    digits = f"{value:f}"
    return digits.rstrip("0").rstrip(".") if "." in digits else digits


def iso(value: datetime) -> str:
    """Return ``2026-11-21T04:46:09.206Z``; fractions only as far as they go."""
    whole = _utc(value).replace(tzinfo=None).isoformat(timespec="microseconds")
    return whole.rstrip("0").rstrip(".") + "Z"


def _figure(value: object) -> float | None:
    if not isinstance(value, int | float | Decimal) or not math.isfinite(value):
        return None
    return float(value)


def _utc(value: datetime) -> datetime:
    # The engine's times without a zone are UTC: every query of ours asks for that zone.
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _plain_scalar(value: object) -> bool | int | float | str | None:
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else None
        case Decimal():
            return exact(value)
        case datetime():
            return iso(value)
        case bytes():
            return value.hex()
        case _:
            return str(value)


def _as_written(plain: object) -> str:
    if isinstance(plain, dict):
        pairs = cast(dict[str, object], plain).items()
        return ", ".join(f"{key}={_as_written(held)}" for key, held in pairs)
    if isinstance(plain, list):
        return ", ".join(map(_as_written, cast(list[object], plain)))
    return UNKNOWN if plain is None else str(plain)
