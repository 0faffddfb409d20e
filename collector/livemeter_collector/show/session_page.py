"""One session on one page: what it was, where its money went, its turns, tool calls and connections. Pure.

Every amount on the page has the same number of decimals, and turns add up to the session's cost.
"""

from collections.abc import Sequence
from decimal import Decimal

from rich.console import RenderableType
from rich.text import Text

from livemeter_collector.show.money import (
    Cost,
    add,
    aligned,
    amount,
    cost_cell,
    cost_cells,
    decimals_for,
    dollars,
    total,
)
from livemeter_collector.show.report import (
    cause_and_hint,
    close_code,
    costs_table,
    quantity_cost,
    session_cost,
    status,
)
from livemeter_collector.show.table import Cell, Column, Grid, facts
from livemeter_collector.show.values import (
    UNKNOWN,
    Row,
    duration,
    milliseconds,
    moment,
    number,
    percent,
    text,
    yes_no,
)

_TOLD = {"app", "user", "labels"}
"""What the application may tell: left out when it did not. Whatever else is unknown is shown to be so."""


def session_page(
    session: Row,
    costs: Sequence[Row],
    turns: Sequence[Row],
    tool_calls: Sequence[Row],
    connections: Sequence[Row],
) -> list[RenderableType]:
    """Return the page, top to bottom; a part without rows is left out."""
    decimals = _decimals(session, costs, turns)
    parts: list[tuple[str, Sequence[Row], Grid]] = [
        ("Cost", costs, costs_table(("direction", "modality"), costs, decimals).table),
        ("Turns", turns, turns_table(session, turns, decimals)),
        ("Tool calls", tool_calls, tool_calls_table(tool_calls)),
        ("Connections", connections, connections_table(connections)),
    ]
    page: list[RenderableType] = [session_facts(session, decimals)]
    for title, rows, table in parts:
        if rows:
            page += [Text(), Text(title, style="bold underline"), table]
    return page


def session_facts(session: Row, decimals: int) -> RenderableType:
    """Return what is known of the session as a whole."""
    cost = session_cost(session)
    carried = amount(session["carried_cost_usd"])
    of_it_carried = f", of it {dollars(carried, decimals)} for context billed again" if carried else ""
    pairs: list[tuple[str, Cell]] = [
        ("session", text(session["session_id"])),
        ("app", text(session["app"])),
        ("user", text(session["user_id"])),
        ("labels", text(session["labels"])),
        ("model", f"{text(session['model'])} on {text(session['platform'])}"),
        ("started", f"{moment(session['started_at'])} UTC"),
        ("duration", duration(session["duration_s"])),
        ("status", status(session["status"])),
        ("connections", f"{number(session['connections'])}, {number(session['go_aways'])} with a goAway"),
        ("turns", f"{number(session['turns'])}, {number(session['interruptions'])} interrupted"),
        ("speech", f"user {duration(session['user_speech_s'])}, model {duration(session['model_speech_s'])}"),
        ("tool calls", number(session["tool_calls"])),
        ("tokens", f"{number(session['input_tokens'])} in, {number(session['output_tokens'])} out"),
        ("cost", cost_cell(cost, decimals) + of_it_carried),
        ("usage coverage", f"{percent(session['usage_coverage'])} of the turns with output"),
        ("context lost", yes_no(session["context_lost"])),
    ]
    return facts([(name, value) for name, value in pairs if name not in _TOLD or value != UNKNOWN])


def turns_table(session: Row, turns: Sequence[Row], decimals: int) -> Grid:
    """Show turns, and in a last line whatever of the session belongs to none of them."""
    columns = (
        Column("turn", right=True),
        Column("started (UTC)", leaves=3),
        Column("length", right=True, leaves=5),
        Column("first audio", right=True),
        Column("user speech", right=True, leaves=7),
        Column("model speech", right=True, leaves=6),
        Column("end"),
        Column("tokens in", right=True, leaves=1),
        Column("tokens out", right=True, leaves=1),
        Column("cost"),
    )
    whole = Cost(session_cost(session).usd, unpriced=session_cost(session).unpriced)
    costs = [_turn_cost(turn) for turn in turns]
    rest = Cost(_rest(whole, costs))
    *cells, rest_cell, sum_cell = aligned(
        [*cost_cells([*costs, rest], decimals), cost_cell(whole, decimals)],
    )
    rows = [(*_turn_cells(turn), cell) for turn, cell in zip(turns, cells, strict=True)]
    blank = [""] * 6
    if rest.usd or any(_rest_of(session, turns, name) for name in ("input_tokens", "output_tokens")):
        tokens = [number(_rest_of(session, turns, name)) for name in ("input_tokens", "output_tokens")]
        rows.append(("rest", *blank, *tokens, rest_cell))
    sums = [number(session["input_tokens"]), number(session["output_tokens"])]
    return Grid(columns, rows, ("total", *blank, *sums, sum_cell))


def tool_calls_table(tool_calls: Sequence[Row]) -> Grid:
    """Show tool calls and the answers that met none."""
    columns = (
        Column("turn", right=True),
        Column("tool"),
        Column("called (UTC)", leaves=4),
        Column("latency", right=True),
        Column("request bytes", right=True, leaves=5),
        Column("response bytes", right=True, leaves=2),
        Column("id match", leaves=1),
        Column("in flight", right=True, leaves=6),
        Column("status"),
        Column("closed after", right=True, leaves=3),
    )
    rows = [
        (
            number(call["turn"]),
            text(call["name"]),
            moment(call["called_at"]),
            milliseconds(call["latency_ms"]),
            number(call["request_bytes"]),
            number(call["response_bytes"]),
            text(call["id_match"]),
            number(call["in_flight"]),
            text(call["status"]),
            milliseconds(call["closed_after_ms"]),
        )
        for call in tool_calls
    ]
    return Grid(columns, rows)


def connections_table(connections: Sequence[Row]) -> Grid:
    """Show connections: how each was opened, how it ended, why, and what to do."""
    columns = (
        Column("opened (UTC)", leaves=1),
        Column("setup", right=True, leaves=4),
        Column("resumed", leaves=5),
        Column("lasted", right=True, leaves=2),
        Column("goAway left", right=True, leaves=6),
        Column("close", right=True),
        Column("by", leaves=3),
        Column("diagnosis"),
        Column("cause, and what to do", prose=True),
    )
    rows = [
        (
            moment(one["opened_at"]),
            milliseconds(one["setup_ms"]),
            yes_no(one["resumed"]),
            duration(one["age_s"]),
            milliseconds(one["go_away_time_left_ms"]),
            close_code(one),
            text(one["closed_by"]),
            text(one["diagnosis"]),
            cause_and_hint(one) if one["closed_at"] is not None else UNKNOWN,
        )
        for one in connections
    ]
    return Grid(columns, rows)


def _turn_cells(turn: Row) -> tuple[Cell, ...]:
    return (
        number(turn["turn"]),
        moment(turn["started_at"]),
        milliseconds(turn["turn_ms"]),
        milliseconds(turn["first_audio_ms"]),
        milliseconds(turn["user_speech_ms"]),
        milliseconds(turn["model_speech_ms"]),
        text(turn["end_reason"]),
        number(turn["input_tokens"]),
        number(turn["output_tokens"]),
    )


def _turn_cost(turn: Row) -> Cost:
    return Cost(amount(turn["cost_usd"]), unpriced=bool(turn["unpriced_quantity"]))


def _rest(whole: Cost, costs: Sequence[Cost]) -> Decimal | None:
    if whole.usd is None:
        return None
    turns = total(costs).usd
    return whole.usd if turns is None else add([whole.usd, turns.copy_negate()])


def _rest_of(session: Row, turns: Sequence[Row], name: str) -> int | None:
    """Return what the session has beyond its turns: passes whose turn never ended, or was not seen."""
    whole = session[name]
    if not isinstance(whole, int):
        return None
    return whole - sum(tokens for turn in turns if isinstance(tokens := turn[name], int))


def _decimals(session: Row, costs: Sequence[Row], turns: Sequence[Row]) -> int:
    whole = session_cost(session)
    parts = [quantity_cost(row) for row in costs]
    carried = Cost(amount(session["carried_cost_usd"]))
    rest = Cost(_rest(whole, [_turn_cost(turn) for turn in turns]))
    return decimals_for([whole, carried, rest, *parts, *map(_turn_cost, turns)])
