"""``livemeter forget``: delete everything that is kept of one user."""

import argparse
import contextlib
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as Bar

from livemeter.cli.errors import CommandError
from livemeter_collector.commands.options import DATA_DIRECTORY
from livemeter_collector.commands.printing import note, show, write
from livemeter_collector.control import connect
from livemeter_collector.control_forget import ask_to_forget
from livemeter_collector.forgetting import Kept, Progress, Step, forgetting, settled_here
from livemeter_collector.show.output import Form, as_json
from livemeter_collector.show.table import Column, Grid
from livemeter_collector.show.values import number, printable
from livemeter_collector.store.contract import Store, StoreError, Table
from livemeter_collector.store.migrate import check_schema
from livemeter_collector.store.open import open_embedded, open_server

Forget = Callable[[bool], Generator[Step]]
"""Forgets, or with True only says what there is; may be called twice."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's options."""
    parser.add_argument(
        "--user",
        metavar="ID",
        required=True,
        help="the user's id as the application says it, or as it was recorded (a hash)",
    )
    parser.add_argument("--dry-run", action="store_true", help="only say what would be deleted")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--json", action="store_true", help="write what was done as JSON")
    store = parser.add_mutually_exclusive_group()
    store.add_argument(
        "--data",
        metavar="DIR",
        type=Path,
        default=DATA_DIRECTORY,
        help="the collector's data directory (default: ./%(default)s)",
    )
    store.add_argument("--clickhouse", metavar="URL", help="delete from this ClickHouse server instead")


def run(arguments: argparse.Namespace) -> int:
    """Show what is kept, ask, and delete it.

    Raises:
        CommandError: the data cannot be had, or something could not be deleted.
    """
    try:
        with _opened(arguments) as forget:
            kept = _kept(forget(True))
            if not arguments.json:
                _show(kept, arguments)
            if not arguments.dry_run and not kept.is_nothing and not _agreed(arguments, kept):
                note("nothing was deleted")
                return 1
            # Also where there is nothing yet: the journal may hold something.
            done = not arguments.dry_run and not (kept.is_nothing and not kept.journal_segments)
            kept = _with_progress(forget(False)) if done else kept
    except StoreError as error:
        raise CommandError(" ".join(str(error).split())) from error
    _say(arguments, kept, done=done)
    return 1 if done and kept.journal_segments else 0


@contextmanager
def _opened(arguments: argparse.Namespace) -> Generator[Forget]:
    """Find whoever can delete: a server, the collector that has the directory, or this process."""
    user: str = arguments.user
    if arguments.clickhouse:
        with contextlib.closing(open_server(arguments.clickhouse)) as store:
            check_schema(store)
            yield lambda dry_run: forgetting(store, None, user, lambda: 0, dry_run=dry_run)
        note(
            "journals and dead letters lie in the directories of the collectors that write to this server,"
            " and were not looked at"
        )
        return
    data_dir: Path = arguments.data.resolve()
    collector = connect(data_dir)
    if collector is not None:
        collector.close()
        yield lambda dry_run: _ask(data_dir, user, dry_run=dry_run)
        return
    if not data_dir.is_dir():
        raise CommandError(f"no livemeter data in {arguments.data}: name another directory with --data")
    with contextlib.closing(open_embedded(data_dir)) as store:
        yield _at_rest(store, data_dir, user)


def _ask(data_dir: Path, user: str, *, dry_run: bool) -> Generator[Step]:
    collector = connect(data_dir)
    if collector is None:
        raise CommandError(f"the collector of {data_dir} has ended: forget again")
    return ask_to_forget(collector, user, dry_run=dry_run)


def _at_rest(store: Store, data_dir: Path, user: str) -> Forget:
    check_schema(store)
    return lambda dry_run: forgetting(
        store, data_dir, user, lambda: settled_here(store, data_dir), dry_run=dry_run
    )


def _kept(steps: Generator[Step]) -> Kept:
    """Return what the first step says, and come to the end."""
    with contextlib.closing(steps):
        found = [step for step in steps if isinstance(step, Kept)]
    return found[0]


def _with_progress(steps: Generator[Step]) -> Kept:
    """Come to the end, with a bar on a terminal; return what was deleted."""
    with contextlib.closing(steps):
        if not sys.stderr.isatty():
            return _kept(steps)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("deleting", total=None)
            return _advanced(steps, lambda step: bar.update(task, total=step.total, completed=step.done))


def _advanced(steps: Iterator[Step], advance: Callable[[Progress], None]) -> Kept:
    kept: Kept | None = None
    for step in steps:
        if isinstance(step, Kept):
            kept = step
        else:
            advance(step)
    if kept is None:
        raise StoreError("nobody said what was deleted")
    return kept


def _agreed(arguments: argparse.Namespace, kept: Kept) -> bool:
    if arguments.yes:
        return True
    if not sys.stdin.isatty():
        raise CommandError("what is deleted cannot be had back: say --yes where nobody can be asked")
    sys.stderr.write(f"delete {_amount(kept)} of {printable(arguments.user)!r} for good? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def _show(kept: Kept, arguments: argparse.Namespace) -> None:
    if kept.is_nothing:
        note(f"nothing is kept of {printable(arguments.user)!r}, as it is or hashed")
        return
    rows: Sequence[tuple[str, str]] = [(name, number(count)) for name, count in kept.rows.items()]
    total = ("total", number(sum(kept.rows.values())))
    grid = Grid((Column("table"), Column("rows", right=True)), rows, total)
    show(Form.TABLE, [grid], (), Table((), ()))
    if kept.dead_letters:
        note(
            f"{kept.dead_letters:,} dead letters name this user, with {kept.dead_letter_records:,} records of"
            " whomever in them: they are removed whole"
        )


def _say(arguments: argparse.Namespace, kept: Kept, *, done: bool) -> None:
    if arguments.json:
        write(as_json({"user": arguments.user, "forgotten": done, **kept.as_message()}))
    elif done:
        write(f"{_amount(kept)} deleted\n")
    if kept.journal_segments:
        note(
            f"{kept.journal_segments:,} segments of the journal are not in the store yet: "
            + ("forget again when they are" if done else "they are stored first, and not counted here")
        )
    elif kept.is_nothing and done:
        note("the journal held nothing of this user either")


def _amount(kept: Kept) -> str:
    rows = f"{sum(kept.rows.values()):,} rows of {kept.connections:,} connections"
    return f"{rows} and {kept.dead_letters:,} dead letters" if kept.dead_letters else rows
