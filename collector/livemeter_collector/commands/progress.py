"""What commands that take their time show while they run, and what backup and restore say in the end."""

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TypedDict

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TransferSpeedColumn,
)

from livemeter_collector.store.archive import Manifest


class Said(TypedDict):
    """What a backup holds, for people and programs."""

    files: int
    bytes: int
    made_at: str
    livemeter: str
    schema: int


@contextmanager
def progress_bar(what: str, total_bytes: int | None) -> Generator[Callable[[int], None]]:
    """Show a bar on stderr if that is a terminal; yields what is told how many bytes came."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total_bytes)
        yield lambda count: bar.advance(task, count)


@contextmanager
def step_bar(what: str) -> Generator[Callable[[int, int], None]]:
    """Show a bar on stderr if that is a terminal; yields what is told how many steps are done."""
    if not sys.stderr.isatty():
        yield lambda _done, _of: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, of: bar.update(task, total=of, completed=done)


def said_of(manifest: Manifest) -> Said:
    """Return what a manifest says, without its list of files."""
    return {
        "files": len(manifest.files),
        "bytes": sum(each.bytes for each in manifest.files.values()),
        "made_at": manifest.made_at,
        "livemeter": manifest.livemeter,
        "schema": manifest.schema,
    }
