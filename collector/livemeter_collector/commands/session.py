"""``livemeter session ID``: everything about one session."""

import argparse

from livemeter.cli.errors import CommandError
from livemeter_collector.commands.options import add_form, add_store
from livemeter_collector.commands.printing import NO_SESSIONS, show
from livemeter_collector.commands.reading import reading
from livemeter_collector.query import questions
from livemeter_collector.query.questions import Queryable, rows_of
from livemeter_collector.show.session_page import session_page

_NAMED = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's options."""
    parser.add_argument(
        "session",
        metavar="ID",
        help="a session's id, or a beginning that only it has; --csv writes its costs, --json all of it",
    )
    add_form(parser)
    add_store(parser)


def run(arguments: argparse.Namespace) -> int:
    """Show the session that the id or its beginning means."""
    with reading(arguments) as reader:
        answer = questions.session(reader, find_session(reader, arguments.session))
    (session,) = rows_of(answer.session)
    costs, turns = rows_of(answer.costs), rows_of(answer.turns)
    tool_calls, connections = rows_of(answer.tool_calls), rows_of(answer.connections)
    everything = {
        "session": session,
        "costs": costs,
        "turns": turns,
        "tool_calls": tool_calls,
        "connections": connections,
    }
    page = session_page(session, costs, turns, tool_calls, connections)
    show(arguments.form, page, everything, answer.costs)
    return 0


def find_session(store: Queryable, prefix: str) -> str:
    """Return the id of the session that ``prefix`` names, by all of its id or by its beginning.

    Raises:
        CommandError: no session's id begins so, or several sessions' ids do.
    """
    ids = questions.session_ids(store, prefix, _NAMED + 1)
    if prefix in ids:
        return prefix
    if len(ids) == 1:
        return ids[0]
    if ids:
        named = ", ".join(ids[:_NAMED]) + (", ..." if len(ids) > _NAMED else "")
        raise CommandError(f"{prefix!r} begins several sessions' ids: {named}; give more of it")
    if not questions.session_count(store):
        raise CommandError(NO_SESSIONS)
    raise CommandError(f"no session's id begins with {prefix!r}: livemeter sessions lists them")
