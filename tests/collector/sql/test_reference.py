"""docs/tables.md has every public view, every column of it, in its order, and no other."""

import re
from pathlib import Path

import pytest

from livemeter_collector.store.contract import Store

REFERENCE = Path(__file__).parents[3] / "docs" / "tables.md"
OTHERS = {"model_prices"}
"""Tables that are public and no view."""


def documented() -> dict[str, list[str]]:
    """Column names by table, in the order of the page."""
    sections = re.split(r"^## ", REFERENCE.read_text("utf-8"), flags=re.MULTILINE)[1:]
    return {
        section.splitlines()[0]: re.findall(r"^\| `(\w+)` \| \S.*\|$", section, re.MULTILINE)
        for section in sections
    }


def test_every_public_view_is_documented_and_no_other(store: Store) -> None:
    views = store.query(
        "SELECT name FROM system.tables"
        " WHERE database = 'livemeter' AND engine = 'View' AND startsWith(name, 'live_')"
    ).rows
    assert set(documented()) == {str(name) for (name,) in views} | OTHERS


@pytest.mark.parametrize("table", documented())
def test_the_columns_are_those_documented(store: Store, table: str) -> None:
    columns = store.query(
        "SELECT name FROM system.columns WHERE database = 'livemeter' AND table = {table:String}"
        " ORDER BY position",
        {"table": table},
    )
    assert documented()[table] == [str(name) for (name,) in columns.rows]


def test_every_line_of_a_table_is_a_column() -> None:
    """A line that the pattern above does not match would go unchecked."""
    lines = [line for line in REFERENCE.read_text("utf-8").splitlines() if line.startswith("|")]
    heads = [line for line in lines if line in ("| column | what it says |", "|---|---|")]
    assert len(lines) == len(heads) + sum(map(len, documented().values()))
