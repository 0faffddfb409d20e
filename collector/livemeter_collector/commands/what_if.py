"""``livemeter what-if``: what sessions would have cost with a context window compression."""

import argparse
from collections.abc import Sequence
from textwrap import fill

from livemeter.cli.errors import CommandError
from livemeter_collector.commands.options import add_form, add_since, add_store, limit
from livemeter_collector.commands.printing import note, show, show_nothing
from livemeter_collector.commands.reading import reading
from livemeter_collector.commands.session import find_session
from livemeter_collector.commands.sessions import prefixes
from livemeter_collector.query import money_questions
from livemeter_collector.query.money_questions import Compression, Scope
from livemeter_collector.query.questions import Row, rows_of
from livemeter_collector.show.output import Form
from livemeter_collector.show.what_if import ASSUMPTIONS, remarks, what_if_page
from livemeter_collector.store.contract import Table

_LIMIT = 10
_MOST_TOKENS = 1_000_000_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's options, and to its description what the simulation takes for granted."""
    granted = (fill(words, initial_indent="- ", subsequent_indent="  ") for words in ASSUMPTIONS)
    parser.description = "\n".join([f"{parser.description}\n", "What it takes for granted:", *granted])
    parser.add_argument(
        "--trigger",
        metavar="N",
        type=tokens,
        required=True,
        help="compress when a prompt has more tokens (Google's own default is 80%% of the model's window)",
    )
    parser.add_argument(
        "--target",
        metavar="M",
        type=tokens,
        help="tokens of the context that are kept (default: half of the trigger, as Google has it)",
    )
    parser.add_argument(
        "--session", metavar="ID", default="", help="only this session: its id, or how that begins"
    )
    parser.add_argument("--model", metavar="NAME", default="", help="only sessions of exactly this model")
    parser.add_argument(
        "--limit",
        metavar="N",
        type=limit,
        default=_LIMIT,
        help="show so many of the dearest sessions, or all (default: %(default)s)",
    )
    add_since(parser, "sessions that started")
    add_form(parser)
    add_store(parser)


def run(arguments: argparse.Namespace) -> int:
    """Show what all sessions together, and the dearest of them, cost and would have cost.

    Raises:
        CommandError: the target is not below the trigger, or no session has that id.
    """
    compression = _compression(arguments)
    with reading(arguments) as reader:
        session = find_session(reader, arguments.session) if arguments.session else ""
        scope = Scope(since_ms=arguments.since_ms, session=session, model=arguments.model)
        table = money_questions.what_if(reader, compression, scope, arguments.limit)
        dearest = Table(table.columns, table.rows[1:])
        rows = rows_of(dearest)
        if not table.rows:
            return show_nothing(arguments.form, reader, dearest, _answer(compression, None, rows))
        fleet = rows_of(table)[0]
        page = what_if_page(fleet, rows, prefixes(reader, rows), compression.trigger, compression.target)
    show(arguments.form, page, _answer(compression, fleet, rows), dearest)
    if arguments.form is Form.CSV:
        for words in (*ASSUMPTIONS, *remarks(fleet)):
            note(words)
    return 0


def tokens(words: str) -> int:
    """Return the number of tokens that is meant.

    Raises:
        argparse.ArgumentTypeError: it is no number of tokens.
    """
    if not words.isdecimal() or int(words) > _MOST_TOKENS:
        raise argparse.ArgumentTypeError(f"{words!r} is no number of tokens: try 25000")
    return int(words)


def _compression(arguments: argparse.Namespace) -> Compression:
    trigger: int = arguments.trigger
    target: int = trigger // 2 if arguments.target is None else arguments.target
    if target >= trigger:
        raise CommandError(
            f"a target of {target:,} tokens is not below the trigger of {trigger:,}: nothing would be cut",
            exit_code=2,
        )
    return Compression(trigger, target)


def _answer(compression: Compression, fleet: Row | None, rows: Sequence[Row]) -> dict[str, object]:
    """Return everything, for JSON."""
    return {
        "trigger": compression.trigger,
        "target": compression.target,
        "all": fleet,
        "sessions": rows,
        "assumptions": ASSUMPTIONS,
    }
