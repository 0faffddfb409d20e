"""Answers as text: tables for people, JSON and CSV for programs. Pure: values in, text out."""

import csv
import io
import json
from collections.abc import Sequence
from enum import StrEnum

from rich.console import Console, Group, RenderableType

from livemeter_collector.show.table import Grid
from livemeter_collector.show.values import Row, to_plain

UNLIMITED = 100_000
"""The width of what no screen limits: a pipe gets every column, each row on one line."""

# Without a height rich ignores the width on a terminal that calls itself dumb.
_ANY_HEIGHT = 25


class Form(StrEnum):
    """How an answer is written."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


def as_text(*renderables: RenderableType, width: int = UNLIMITED, colour: bool = False) -> str:
    """Return tables as lines for a screen of that many cells; without colour they are plain text."""
    if not colour and all(isinstance(one, Grid) for one in renderables):
        # The same lines without a console between, which would take most of the time.
        lines = (line for one in renderables if isinstance(one, Grid) for line in one.lines(width))
        return "".join("".join(piece.text for piece in line).rstrip() + "\n" for line in lines)
    written = io.StringIO()
    console = Console(
        file=written,
        width=width,
        height=_ANY_HEIGHT,
        force_terminal=colour,
        force_jupyter=False,
        color_system="standard" if colour else None,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
    )
    console.print(Group(*renderables), crop=False)
    return "".join(line.rstrip() + "\n" for line in written.getvalue().splitlines())


def as_json(answer: object) -> str:
    """Return JSON in ASCII, indented: money as strings, times in UTC, null for unknown."""
    return json.dumps(to_plain(answer), indent=2, allow_nan=False) + "\n"


def as_csv(columns: Sequence[str], rows: Sequence[Row]) -> str:
    """Return CSV as RFC 4180 has it, with a header. Unknown is empty; arrays and maps are JSON."""
    written = io.StringIO(newline="")
    writer = csv.writer(written, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([_field(row[column]) for column in columns] for row in rows)
    return written.getvalue()


def _field(value: object) -> str:
    plain = to_plain(value)
    if plain is None:
        return ""
    return plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)
