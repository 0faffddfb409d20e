"""What a log record is made of: scalars under names from the vocabulary, and the rules they obey. Pure.

What is not known is absent, never zero or empty. Strings leave as valid UTF-8, because one that is not
would cost the whole batch it travels in.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from livemeter.vocabulary import Event

Scalar = str | int | float | bool
Attributes = dict[str, Scalar]
Values = Mapping[str, Scalar | None]
"""Attributes before what is not known is left out."""

_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


class Severity(IntEnum):
    """OpenTelemetry's severity numbers, those in use."""

    INFO = 9
    WARN = 13


@dataclass(frozen=True, slots=True)
class Content:
    """What people and tools said in a record: kept apart, because the settings say where it may go.

    ``body`` becomes the body of the record; a record that is all content has no other.
    """

    attributes: Attributes = field(default_factory=dict[str, Scalar])
    body: str = ""


NO_CONTENT = Content()


@dataclass(frozen=True, slots=True)
class Record:
    """One log record to be: everything but whose it is and who emits it."""

    event: Event
    at_ns: int
    attributes: Attributes
    body: str | None = None
    severity: Severity = Severity.INFO
    content: Content = NO_CONTENT


def known(values: Values) -> Attributes:
    """Leave out what is not known (None, an empty string) and make every string valid UTF-8."""
    return {
        clean(name): clean(value) if isinstance(value, str) else value
        for name, value in values.items()
        if value is not None and value != ""
    }


def clean(text: str) -> str:
    """Return the text with a question mark for what UTF-8 cannot hold: half a surrogate pair."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def pack(value: object) -> str:
    """Return a value as compact JSON."""
    return clean(_encode(value))


def pack_list(values: tuple[str, ...]) -> str:
    """Return strings as a JSON list; nothing for none."""
    return pack(values) if values else ""


def rounded_ms(milliseconds: float | None) -> float | None:
    """Return a duration to the microsecond."""
    return None if milliseconds is None else round(milliseconds, 3)


def unix_ms(nanoseconds: int | None) -> int | None:
    """Return a point in time in whole milliseconds."""
    return None if nanoseconds is None else nanoseconds // 1_000_000
