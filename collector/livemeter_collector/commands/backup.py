"""``livemeter backup``: the data directory as one file or directory, also while the collector runs."""

import argparse
from contextlib import AbstractContextManager
from pathlib import Path

from livemeter.cli.errors import CommandError
from livemeter_collector.commands.options import DATA_DIRECTORY
from livemeter_collector.commands.printing import write
from livemeter_collector.commands.progress import progress_bar, said_of
from livemeter_collector.control import ask_for_backup, connect
from livemeter_collector.show.output import as_json
from livemeter_collector.store.archive import copy_verified, new_backup
from livemeter_collector.store.backup import Staged, stage_at_rest
from livemeter_collector.store.contract import StoreError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``livemeter backup``."""
    parser.add_argument(
        "target",
        metavar="TARGET",
        type=Path,
        help="a new NAME.tar or NAME.zip; any other name is a directory",
    )
    parser.add_argument(
        "--data",
        metavar="DIR",
        type=Path,
        default=DATA_DIRECTORY,
        help="the collector's data directory (default: ./%(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="write what was done as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Write the backup.

    Raises:
        CommandError: there is no data, it cannot be read, or the target cannot be written.
    """
    target: Path = arguments.target.absolute()
    try:
        with (
            # First: for what cannot be written nothing need be made.
            new_backup(target) as sink,
            _source(arguments.data.resolve()) as made,
            progress_bar("backing up", made.bytes) as advance,
        ):
            manifest = copy_verified(made.entries, sink, advance)
    except StoreError as error:
        raise CommandError(" ".join(str(error).split())) from error
    said = said_of(manifest)
    if arguments.json:
        write(as_json({"backup": str(target), **said}))
    else:
        write(f"{said['files']} files, {said['bytes'] / 1e6:.1f} MB, in {target}\n")
    return 0


def _source(data_dir: Path) -> AbstractContextManager[Staged]:
    """Ask the collector that has the directory, or open it here."""
    collector = connect(data_dir)
    return stage_at_rest(data_dir) if collector is None else ask_for_backup(collector)
