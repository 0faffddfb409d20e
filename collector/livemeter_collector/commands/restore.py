"""``livemeter restore``: a data directory of a backup."""

import argparse
from pathlib import Path

from livemeter.cli.errors import CommandError
from livemeter_collector.commands.options import DATA_DIRECTORY
from livemeter_collector.commands.printing import write
from livemeter_collector.commands.progress import progress_bar, said_of
from livemeter_collector.show.output import as_json
from livemeter_collector.store.backup import restore
from livemeter_collector.store.contract import StoreError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``livemeter restore``."""
    parser.add_argument("backup", metavar="BACKUP", type=Path, help="what livemeter backup wrote")
    parser.add_argument(
        "--data",
        metavar="DIR",
        type=Path,
        default=DATA_DIRECTORY,
        help="the data directory to make; missing or empty (default: ./%(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="write what was done as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Restore the backup.

    Raises:
        CommandError: the backup is damaged or none, or the directory cannot be made.
    """
    data_dir: Path = arguments.data.resolve()
    try:
        with progress_bar("restoring", _size(arguments.backup)) as advance:
            manifest = restore(arguments.backup, data_dir, advance)
    except StoreError as error:
        raise CommandError(" ".join(str(error).split())) from error
    said = said_of(manifest)
    if arguments.json:
        write(as_json({"data": str(data_dir), **said}))
    else:
        write(f"restored what was backed up at {said['made_at']} to {data_dir}\n")
    return 0


def _size(backup: Path) -> int | None:
    """Return the bytes to read; None where the bar cannot know."""
    return backup.stat().st_size if backup.is_file() else None
