"""``livemeter check``: compare the roll-ups with the facts that they were made of."""

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import asdict

from rich.console import RenderableType

from livemeter_collector.commands.options import add_since, add_store
from livemeter_collector.commands.printing import note, show, write
from livemeter_collector.commands.progress import step_bar
from livemeter_collector.commands.reading import reading
from livemeter_collector.show.output import Form, as_json
from livemeter_collector.show.table import Column, Grid, facts
from livemeter_collector.show.values import moment, number, printable, text
from livemeter_collector.store.check import Checked, Compared, Difference, State, check, state
from livemeter_collector.store.contract import Table

_OF = {"sessions": "session", "turns": "turns of connection", "usage": "usage of connection"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's options."""
    add_since(parser, "sessions of which something was said")
    parser.add_argument("--json", action="store_true", help="write JSON: times in UTC, null for unknown")
    add_store(parser)


def run(arguments: argparse.Namespace) -> int:
    """Compare, and say what differs. Returns 0 when nothing does, else 1."""
    with reading(arguments) as reader:
        with step_bar("comparing") as report:
            checked = check(reader, arguments.since_ms, report)
        now = state(reader)
    if arguments.json:
        write(as_json({"agrees": checked.agrees, **asdict(checked), "state": asdict(now)}))
    else:
        show(Form.TABLE, _page(checked, now), (), Table((), ()))
    if checked.agrees:
        note("what is remembered agrees with the facts")
        return 0
    if not arguments.json:
        write("\n" + "".join(f"{line}\n" for line in _examples(checked)))
    note("what is remembered differs from the facts: livemeter rebuild makes it anew")
    return 1


def _kinds(checked: Checked) -> Mapping[str, Compared]:
    return {"sessions": checked.sessions, "turns": checked.turns, "usage": checked.usage}


def _page(checked: Checked, now: State) -> list[RenderableType]:
    columns = (Column("roll-up"), Column("rows compared", right=True), Column("differ", right=True))
    rows = [(name, number(kind.rows), _differ(name, kind)) for name, kind in _kinds(checked).items()]
    pairs = [
        ("remembered up to (UTC)", moment(now.settled_upto)),
        ("sessions remembered", number(now.remembered_sessions)),
        ("turns remembered", number(now.remembered_turns)),
        ("sessions unsettled", number(now.unsettled_sessions)),
    ]
    for each in now.dictionaries:
        pairs.append((f"{each.name} loaded (UTC)", moment(each.at)))
        pairs.append((f"{each.name} elements", number(each.elements)))
    return [Grid(columns, rows), "", facts(pairs)]


def _differ(name: str, kind: Compared) -> str:
    what = "" if name == "sessions" or not kind.differ else " connections"
    return f"{number(kind.differ)}{what}"


def _examples(checked: Checked) -> Iterator[str]:
    for name, kind in _kinds(checked).items():
        for example in kind.examples:
            yield f"{_OF[name]} {printable(example.id)}: {'; '.join(_said(example))}"
        if kind.differ > len(kind.examples):
            yield f"... and {kind.differ - len(kind.examples):,} more"


def _said(example: Difference) -> Iterator[str]:
    if example.recorded != example.remembered:
        yield f"{example.recorded:,} recorded, {example.remembered:,} remembered"
    elif not example.details:
        yield "recorded otherwise than remembered"
    for detail in example.details:
        where = " ".join(text(value) for name, value in detail.items() if name not in _SIDES)
        recorded, remembered = (text(detail[side]) for side in _SIDES)
        yield f"{where} {recorded}, remembered as {remembered}"


_SIDES = ("recorded", "remembered")
