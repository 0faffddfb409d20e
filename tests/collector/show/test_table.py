import re

import pytest
from rich.text import Text

from livemeter_collector.show.output import as_text
from livemeter_collector.show.table import Column, Grid, facts

SESSION = "0199a7c2000070008000000000000001"
GRID = Grid(
    columns=(
        Column("session"),
        Column("model", leaves=2),
        Column("tokens", right=True, leaves=1),
        Column("what to do", prose=True),
    ),
    rows=[
        (
            SESSION,
            "gemini-3.8-live",
            "1,234",
            "Use the model name that this backend knows, and try again later.",
        ),
        ("short", "m", "5", "-"),
    ],
    total=("total", "", "1,239", ""),
)


def test_a_pipe_gets_every_column_and_a_line_a_row() -> None:
    assert as_text(GRID).splitlines() == [
        "session                           model            tokens  what to do",
        f"{SESSION}  gemini-3.8-live   1,234  "
        "Use the model name that this backend knows, and try again later.",
        "short                             m                     5  -",
        "total                                               1,239",
    ]


@pytest.mark.parametrize("width", range(20, 121, 4))
def test_ids_and_numbers_are_never_broken(width: int) -> None:
    shown = as_text(GRID, width=width)
    assert SESSION in shown
    assert "1,234" in shown or "tokens" in shown.splitlines()[-1]
    assert "…" not in shown


def test_on_a_narrow_screen_the_least_important_columns_leave_and_are_named() -> None:
    assert [len(GRID.fitting(width)) for width in (200, 91, 90, 74, 73, 10)] == [4, 4, 3, 3, 2, 2]
    assert as_text(GRID, width=80).splitlines()[-1] == "not shown for lack of width: model"
    assert as_text(GRID, width=70).splitlines()[-1] == "not shown for lack of width: model, tokens"


def test_no_line_is_wider_than_a_screen_that_can_hold_the_least() -> None:
    for width in range(66, 120):
        assert max(map(len, as_text(GRID, width=width).splitlines())) <= width


def test_sentences_wrap_between_words() -> None:
    words = " ".join(line[34:].strip() for line in as_text(GRID, width=66).splitlines()[1:4])
    assert words.startswith("Use the model name that this backend knows, and try again later.")


def test_plain_text_has_no_escape_sequences_and_a_terminal_has_them() -> None:
    styled = Grid([Column("status")], [[Text("failed", style="red")]])
    assert as_text(styled) == "status\nfailed\n"
    assert "\x1b[31mfailed" in as_text(styled, width=80, colour=True)


def test_foreign_text_moves_no_cursor_and_has_no_markup() -> None:
    hostile = Grid([Column("reason")], [["\x1b[2Jgone[bold]\n:smile:"]])
    assert as_text(hostile, width=80) == "reason\n\\x1b[2Jgone[bold]\\n:smile:\n"
    assert as_text(facts([("reason", "\x1b]0;title\x07")])) == "reason  \\x1b]0;title\\x07\n"


def test_wide_characters_count_as_two_cells() -> None:
    grid = Grid([Column("user"), Column("n", right=True)], [["日本", "1"], ["ana", "22"]])
    assert as_text(grid).splitlines() == ["user   n", "日本   1", "ana   22"]


@pytest.mark.parametrize("terminal", ["dumb", "xterm-256color"])
def test_a_table_has_the_same_text_on_every_terminal(monkeypatch: pytest.MonkeyPatch, terminal: str) -> None:
    monkeypatch.setenv("TERM", terminal)
    monkeypatch.setenv("COLUMNS", "40")
    coloured = re.sub(r"\x1b\[[0-9;]*m", "", as_text(GRID, width=120, colour=True))
    assert [line.rstrip() for line in coloured.splitlines()] == as_text(GRID, width=120).splitlines()
