"""A data directory as a backup, taken while the collector runs, and a data directory made of one.

Theory of operation. Inserts are held back while the journal is copied and ClickHouse's own BACKUP runs, so
that all tables are of one moment. The journal is copied first: what is stored and removed from it meanwhile
is in the tables. What is in both is stored once all the same, because a table's deduplication log, which
BACKUP leaves out, comes along: the restored journal's inserts carry the tokens that it knows. Requests go on
being accepted into the journal all the while; those are not in the backup.

BACKUP writes to a directory beside the engine's and nowhere else, so the collector needs no right to write
to wherever the backup goes, and a statement that slips past every guard cannot write there either.
"""

import contextlib
import json
import os
import shutil
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol, runtime_checkable

from livemeter import __version__
from livemeter_collector.store.archive import (
    BackupError,
    DirectorySink,
    Entry,
    Manifest,
    Sum,
    copy_verified,
    entries_of,
    staged,
)
from livemeter_collector.store.contract import DATABASE, Store, StoreError
from livemeter_collector.store.migrate import read_schema
from livemeter_collector.store.open import ENGINE_DIRECTORY, open_embedded
from livemeter_collector.store.tokens import name_parts_anew

WORK_DIRECTORY = "backup.work"
"""Beside the engine's directory: the only place where its BACKUP writes and its RESTORE reads."""

RESERVE_BYTES = 1024**3
"""Free space that a backup leaves on the data's disk: with too little of it the journal refuses."""

_JOURNAL = "journal"
_DEAD_LETTERS = "dead-letters"
_DATABASE = "database"
_DEDUPLICATION = "deduplication"
_DEDUPLICATION_LOGS = "deduplication_logs"
_FUNCTIONS = "functions.json"
# Notes of attempts that are under way, and files that are not in place yet.
_NOT_KEPT = frozenset({".tries", ".new"})
_RESTORING = ".restoring"


@runtime_checkable
class BackedStore(Store, Protocol):
    """A store that can hold inserts back: the embedded engine."""

    def paused_inserts(self) -> AbstractContextManager[None]:
        """Hold inserts back: none is under way within, and those that come wait until its end."""
        ...


@dataclass(frozen=True, slots=True)
class Staged:
    """A backup that waits to be fetched."""

    bytes: int
    """Of all its files."""
    entries: Generator[Entry]


@contextlib.contextmanager
def staged_backup(store: Store, data_dir: Path, reserve_bytes: int = RESERVE_BYTES) -> Generator[Staged]:
    """Make a backup in the data directory and remove it in the end; one at a time.

    It holds everything that was accepted before the call.

    Args:
        store: the engine of the data directory.
        data_dir: the directory with engine, journal and dead letters.
        reserve_bytes: free space that must be left on its disk.

    Raises:
        BackupError: the store is a server, holds no data, or there is too little space.
        StoreError: the engine refuses.
    """
    if not isinstance(store, BackedStore):
        raise BackupError("the data is on a ClickHouse server: back it up there, with its own BACKUP")
    work = data_dir / WORK_DIRECTORY
    try:
        yield _stage(store, data_dir, work, reserve_bytes)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def abort_backup(store: Store) -> None:
    """End a BACKUP that is running; harmless if there is none."""
    with contextlib.suppress(StoreError):
        store.command("KILL QUERY WHERE startsWith(query, 'BACKUP ') ASYNC")


def stage_at_rest(data_dir: Path) -> AbstractContextManager[Staged]:
    """Make a backup of a data directory that nobody uses; see ``staged_backup``.

    Raises:
        DirectoryHeldError: somebody does.
        BackupError: there is no data.
    """
    if not (data_dir / ENGINE_DIRECTORY).is_dir():
        raise BackupError(f"no livemeter data in {data_dir}: name another --data directory")
    return _staged_at_rest(data_dir)


def restore(backup: Path, data_dir: Path, progress: Callable[[int], None] = lambda _: None) -> Manifest:
    """Make a data directory of a backup. It appears when it is complete.

    Args:
        backup: a directory, a .tar or a .zip that a backup was written to.
        data_dir: must be missing or empty.
        progress: is told the bytes of each piece that was read.

    Raises:
        DamagedBackupError: the backup is not as it was written; nothing was restored.
        BackupError: there is no backup, a newer version made it, or the directory is in use.
        StoreError: the engine cannot restore it.
    """
    _check_empty(data_dir)
    making = data_dir.with_name(data_dir.name + _RESTORING)
    try:
        data_dir.parent.mkdir(parents=True, exist_ok=True)
        making.mkdir(mode=0o700)
    except FileExistsError as error:
        raise BackupError(
            f"{making} is there: another restore is running, or was interrupted; then remove it"
        ) from error
    except OSError as error:
        raise BackupError(f"cannot make {making}: {error.strerror}") from error
    try:
        manifest = _restore(backup, making, progress)
        os.sync()
        making.rename(data_dir)
    except OSError as error:
        raise BackupError(f"cannot restore to {data_dir}: {error.strerror}") from error
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return manifest


@contextlib.contextmanager
def _staged_at_rest(data_dir: Path) -> Generator[Staged]:
    with contextlib.closing(open_embedded(data_dir)) as store, staged_backup(store, data_dir) as made:
        yield made


def _restore(backup: Path, data_dir: Path, progress: Callable[[int], None]) -> Manifest:
    work = data_dir / WORK_DIRECTORY
    manifest = copy_verified(entries_of(backup), DirectorySink(work), progress)
    newest = read_schema().number
    if manifest.schema > newest:
        raise BackupError(
            f"a newer livemeter ({manifest.livemeter}) made this backup (schema {manifest.schema}, this one"
            f" knows {newest}): upgrade livemeter"
        )
    with contextlib.closing(open_embedded(data_dir)) as store:
        # Functions are no database's, and the views are written with them.
        for statement in json.loads((work / _FUNCTIONS).read_text("utf-8")):
            store.command(statement)
        store.command(f"RESTORE DATABASE {DATABASE} FROM File('{_DATABASE}')")
        directories = _directories(store)
    for table, directory in directories.items():
        # The engine reads them when it starts.
        _copy(work / _DEDUPLICATION / table, directory / _DEDUPLICATION_LOGS)
        name_parts_anew(directory)
    for name in (_JOURNAL, _DEAD_LETTERS):
        if (work / name).is_dir():
            (work / name).rename(data_dir / name)
    shutil.rmtree(work)
    return manifest


def _stage(store: BackedStore, data_dir: Path, work: Path, reserve_bytes: int) -> Staged:
    try:
        _begin(work)
        _check_space(store, data_dir, reserve_bytes)
        with store.paused_inserts():
            _copy_journal(data_dir / _JOURNAL, work / _JOURNAL)
            _copy(data_dir / _DEAD_LETTERS, work / _DEAD_LETTERS)
            _stage_tables(store, work)
            schema = _schema(store)
    except OSError as error:
        raise BackupError(f"cannot write {work}: {error.strerror}") from error
    return Staged(_size(work), staged(work, lambda files: _manifest(schema, files)))


def _stage_tables(store: Store, work: Path) -> None:
    store.command(f"BACKUP DATABASE {DATABASE} TO File('{_DATABASE}')")
    (work / _FUNCTIONS).write_text(json.dumps(_functions(store)), encoding="utf-8")
    for table, directory in _directories(store).items():
        _copy(directory / _DEDUPLICATION_LOGS, work / _DEDUPLICATION / table)


def _begin(work: Path) -> None:
    """Make the work directory; what an interrupted backup left in it is of no use to anybody."""
    if work.exists():
        shutil.rmtree(work)
    work.mkdir(mode=0o700)


def _check_space(store: Store, data_dir: Path, reserve_bytes: int) -> None:
    parts = "SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND database = {name:String}"
    needed = int(str(store.query(parts, {"name": DATABASE}).rows[0][0]))
    needed += sum(_size(data_dir / name) for name in (_JOURNAL, _DEAD_LETTERS))
    free = shutil.disk_usage(data_dir).free
    if free < needed + reserve_bytes:
        raise BackupError(
            f"too little space on the disk of {data_dir}: a backup takes {needed / 1e9:.1f} GB there until it"
            f" is written, {reserve_bytes / 1e9:.1f} GB must stay free, and {free / 1e9:.1f} GB are"
        )


def _copy_journal(source: Path, target: Path) -> None:
    """Copy segments, and then what is known of them: a segment that is gone is done with there."""
    for directory in sorted(source.iterdir()) if source.is_dir() else ():
        if directory.is_dir():
            _copy(directory, target / directory.name)
    for name in ("state.json", "seen"):
        _copy_file(source / name, target / name)


def _copy(source: Path, target: Path) -> None:
    for path in sorted(source.rglob("*")) if source.is_dir() else ():
        if path.is_file() and path.suffix not in _NOT_KEPT:
            _copy_file(path, target / path.relative_to(source))


def _copy_file(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # Stored and removed since it was seen: it is in the tables.
    with contextlib.suppress(FileNotFoundError):
        shutil.copyfile(source, target)


def _functions(store: Store) -> list[str]:
    functions = "SELECT create_query FROM system.functions WHERE origin = 'SQLUserDefined' ORDER BY name"
    return [str(row[0]) for row in store.query(functions).rows]


def _directories(store: Store) -> dict[str, Path]:
    """Return where the tables that keep data keep it, by name."""
    tables = (
        "SELECT name, data_paths[1] FROM system.tables WHERE database = {name:String}"
        " AND engine LIKE '%MergeTree' AND notEmpty(data_paths)"
    )
    return {str(name): Path(str(path)) for name, path in store.query(tables, {"name": DATABASE}).rows}


def _schema(store: Store) -> int:
    return int(str(store.query(f"SELECT max(number) FROM {DATABASE}.schema_migrations").rows[0][0]))  # noqa: S608 - our name


def _manifest(schema: int, files: Mapping[str, Sum]) -> Manifest:
    return Manifest(__version__, schema, datetime.now(UTC).isoformat(timespec="seconds"), dict(files))


def _size(directory: Path) -> int:
    """Return the bytes of all files below; those that vanish meanwhile count as none."""
    total = 0
    for path in directory.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            total += path.stat().st_size if path.is_file() else 0
    return total


def _check_empty(data_dir: Path) -> None:
    if not data_dir.exists():
        return
    if not data_dir.is_dir() or any(data_dir.iterdir()):
        raise BackupError(f"{data_dir} is not empty: name a directory that is, or that is not there yet")
