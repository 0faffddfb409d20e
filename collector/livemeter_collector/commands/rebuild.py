"""``livemeter rebuild``: make the roll-ups anew from the facts."""

import argparse
from contextlib import closing

from livemeter.cli.errors import CommandError
from livemeter_collector.commands.options import add_store
from livemeter_collector.commands.printing import write
from livemeter_collector.commands.progress import step_bar
from livemeter_collector.control import connect
from livemeter_collector.control_rebuild import Rebuilt, Report, ask_to_rebuild, rebuilt
from livemeter_collector.show.output import as_json
from livemeter_collector.show.values import printable
from livemeter_collector.store.contract import Store, StoreError
from livemeter_collector.store.migrate import check_schema
from livemeter_collector.store.open import ENGINE_DIRECTORY, open_embedded, open_server


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's options."""
    parser.add_argument("--json", action="store_true", help="write what is remembered now as JSON")
    add_store(parser)


def run(arguments: argparse.Namespace) -> int:
    """Have it done by whoever can: a server, the collector that has the directory, or this process.

    Raises:
        CommandError: the data cannot be had, or not everything could be settled.
    """
    try:
        with step_bar("settling") as report:
            made = _made(arguments, report)
    except StoreError as error:
        raise CommandError(printable(" ".join(str(error).split()))) from error
    if arguments.json:
        write(as_json({"sessions": made.sessions, "turns": made.turns}))
    else:
        write(f"{made.sessions:,} sessions and {made.turns:,} turns are remembered\n")
    return 0


def _made(arguments: argparse.Namespace, report: Report) -> Rebuilt:
    if arguments.clickhouse:
        return _made_in(open_server(arguments.clickhouse), report)
    data_dir = arguments.data.resolve()
    collector = connect(data_dir)
    if collector is not None:
        return ask_to_rebuild(collector, report)
    if not (data_dir / ENGINE_DIRECTORY).is_dir():
        raise CommandError(f"no livemeter data in {arguments.data}: name another directory with --data")
    return _made_in(open_embedded(data_dir), report)


def _made_in(store: Store, report: Report) -> Rebuilt:
    with closing(store):
        check_schema(store)
        return rebuilt(store, report)
