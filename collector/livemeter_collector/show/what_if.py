"""What sessions would have cost with a context window compression. Pure.

Rows are as the query ``what_if`` answers them.
"""

from collections.abc import Mapping, Sequence

from rich.console import RenderableType
from rich.text import Text

from livemeter_collector.show.money import Cost, aligned, amount, cost_cell, cost_cells, decimals_for
from livemeter_collector.show.table import Cell, Column, Grid
from livemeter_collector.show.values import Row, moment, number, percent, text

ASSUMPTIONS = (
    "When a pass's prompt exceeds the trigger, what it carried over from earlier passes is cut to the target;"
    " what is new in the prompt stays. A first prompt is all new.",
    "The context goes on from there, over resumed connections too, growing as it did.",
    "All modalities are cut in proportion: a token cut costs what the pass's carried tokens cost on average.",
    "The model is taken to say and think the same, in as many passes; transcription and grounding stay.",
    "Sessions that were compressed already are left as they are.",
    "What the model would have forgotten is not judged.",
)
"""What the simulation takes for granted, a sentence or two each."""

_FIGURES = (
    Column("passes", right=True, leaves=4),
    Column("compressions", right=True),
    Column("prompt tokens", right=True, leaves=3),
    Column("simulated tokens", right=True, leaves=3),
    Column("cost"),
    Column("simulated cost"),
    Column("saved"),
    Column("saved %", right=True),
)


def what_if_page(
    fleet: Row, rows: Sequence[Row], prefixes: Mapping[str, str], trigger: int, target: int
) -> list[RenderableType]:
    """Show all sessions together, the dearest ones each, and what the figures take for granted.

    ``prefixes`` maps session ids to what is shown of them.
    """
    return [
        Text(
            f"if every prompt over {trigger:,} tokens had been compressed to {target:,} of its carried tokens"
        ),
        Text(""),
        Grid((Column("sessions", right=True), *_FIGURES), _lines([fleet], [(number(fleet["sessions"]),)])),
        Text(""),
        Grid(
            (
                Column("session"),
                Column("started (UTC)", leaves=5),
                Column("model", leaves=6),
                *_FIGURES,
                Column("", leaves=2),
            ),
            _lines(
                rows,
                [
                    (prefixes[str(row["session_id"])], moment(row["started_at"]), text(row["model"]))
                    for row in rows
                ],
                [(_remark(row),) for row in rows],
            ),
        ),
        Text(""),
        *(Text(f"- {words}") for words in (*ASSUMPTIONS, *remarks(fleet))),
    ]


def remarks(fleet: Row) -> list[str]:
    """Return what has to be known of these sessions beside the figures."""
    said: list[str] = []
    if fleet["compressed_sessions"]:
        said.append(f"Compressed already: {number(fleet['compressed_sessions'])} of these sessions.")
    if fleet["sessions_without_cost"]:
        said.append(
            f"Of unknown cost, and in no sum: {number(fleet['sessions_without_cost'])} of these sessions."
        )
    if fleet["unpriced_quantity"]:
        said.append(
            f"Without a price, and in no sum: {number(fleet['unpriced_quantity'])} tokens and queries."
        )
    return said


def _lines(
    rows: Sequence[Row], before: Sequence[Sequence[Cell]], after: Sequence[Sequence[Cell]] | None = None
) -> list[Sequence[Cell]]:
    """Return lines of figures between other cells; money of one line adds up as it is shown."""
    wholes = [_cost(row, "actual_usd") for row in rows]
    parts = [[_cost(row, name) for name in ("simulated_usd", "saved_usd")] for row in rows]
    decimals = decimals_for([*wholes, *(cost for pair in parts for cost in pair)])
    actual = aligned([cost_cell(whole, decimals) for whole in wholes])
    shown = [cost_cells(pair, decimals) for pair in parts]
    simulated, saved = (aligned([cells[place] for cells in shown]) for place in (0, 1))
    return [
        (
            *before[place],
            number(row["passes"]),
            number(row["compressions"]),
            number(row["prompt_tokens"]),
            number(row["simulated_prompt_tokens"]),
            actual[place],
            simulated[place],
            saved[place],
            percent(row["saved_share"]),
            *(after[place] if after else ()),
        )
        for place, row in enumerate(rows)
    ]


def _cost(row: Row, name: str) -> Cost:
    return Cost(amount(row[name]), unpriced=bool(row["unpriced_quantity"]))


def _remark(row: Row) -> str:
    return "compressed already" if row["compressed_sessions"] else ""
