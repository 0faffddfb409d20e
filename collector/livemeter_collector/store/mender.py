"""What a full disk leaves behind in a running engine, and how it is put right.

Two faults of the engine would each lose an insert that it answered or answers. When the rename of a part
fails, the part's token stays, and hides the insert when it comes again. When the disk fills while a part is
written, the engine takes no notice (26.9): it answers that all is well, readers fail at the part, and the
next start sets it aside. Merges do the same to what was stored before.

A table reads its parts and its tokens anew when it is attached. So one that is at fault is detached, its
files are mended, and it is attached again: a fifth of a second in which readers do not find it. Of a merged
part that is not whole those it was made of come back; they stay on disk for eight minutes.
"""

import asyncio
import contextlib
import os
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn, Protocol, runtime_checkable

from livemeter_collector.store.contract import DATABASE, Store, StoreError, StoreUnavailableError
from livemeter_collector.store.tokens import forget_tokens_of, has_token_without_part

_TABLES = (
    "SELECT name, data_paths[1] FROM system.tables"
    " WHERE database = {database:String} AND engine LIKE '%MergeTree' AND notEmpty(data_paths)"
)
_DETACHED = (
    "SELECT table FROM system.detached_tables WHERE database = {database:String} AND NOT is_permanently"
)
_PARTS = (
    "SELECT table, path, bytes_on_disk FROM system.parts"
    " WHERE database = {database:String} AND active AND modification_time >= toDateTime({since:Int64})"
)
_BROKEN_ON_START = (
    "SELECT count() FROM system.detached_parts"
    " WHERE database = {database:String} AND reason = 'broken-on-start'"
)
_OF_THE_DATABASE = {"database": DATABASE}
INTERVAL_S = 2.0
"""A look at the disk's free space costs next to nothing, and more is done only when there is little."""

# What the engine's own count of a part's bytes leaves out. None of them is ever empty.
_UNCOUNTED = frozenset(
    {
        "checksums.txt",
        "columns.txt",
        "columns_substreams.txt",
        "default_compression_codec.txt",
        "metadata_version.txt",
        "invalidated_system_columns.txt",
        "uuid.txt",
        "txn_version.txt",
    }
)


@runtime_checkable
class OnOurDisk(Protocol):
    """A store whose files are on a disk of this machine: the embedded engine."""

    def look_after_disk(self) -> None:
        """See that a disk that is nearly full does no harm; raises StoreError."""
        ...


async def keep_whole(store: Store, interval_s: float = INTERVAL_S) -> NoReturn:
    """Look after the store's disk again and again, until cancelled; what does not work now is tried later."""
    while True:
        await asyncio.sleep(interval_s)
        if isinstance(store, OnOurDisk):
            with contextlib.suppress(StoreError):
                await asyncio.to_thread(store.look_after_disk)


class Mender:
    """Whether there is something to mend, and the mending; safe from any thread."""

    def __init__(self) -> None:
        self.is_needed = False
        """Something may be wrong, and nobody has looked since."""
        self._lock = threading.Lock()

    def begin(self, store: Store) -> None:
        """See what the engine's start set aside: tokens of such parts would hide inserts that come again."""
        if store.query(_BROKEN_ON_START, _OF_THE_DATABASE).rows != ((0,),):
            self.is_needed = True

    def look(self, store: Store, since_s: float) -> None:
        """Look whether parts are whole that were written since a time (Unix, seconds)."""
        if _broken(store, since_s):
            self.is_needed = True

    def mend(self, store: Store) -> None:
        """Mend every table; whoever calls keeps inserts away meanwhile.

        Raises:
            StoreUnavailableError: it does not work now, and no insert may be tried before it has.
        """
        with self._lock:
            if not self.is_needed:
                return
            try:
                _mend(store)
            except StoreError as error:
                raise StoreUnavailableError(f"the engine cannot be mended: {error}", error.code) from error
            except OSError as error:
                raise StoreUnavailableError(f"the engine cannot be mended: {error.strerror}") from error
            self.is_needed = False


def _mend(store: Store) -> None:
    # One that could not be attached again when the disk was full.
    for (table,) in store.query(_DETACHED, _OF_THE_DATABASE).rows:
        store.command(f"ATTACH TABLE {DATABASE}.{table}")
    broken = _broken(store, 0)
    for name, path in store.query(_TABLES, _OF_THE_DATABASE).rows:
        table, directory = str(name), Path(str(path))
        if table in broken or has_token_without_part(directory):
            _mend_table(store, table, directory, broken.get(table, ()))


def _mend_table(store: Store, table: str, directory: Path, broken: Iterable[Path]) -> None:
    # Not before the last reader has gone: a table that is still used is not attached again.
    store.command(f"DETACH TABLE {DATABASE}.{table} SYNC")
    try:
        for part in broken:
            _put_apart(part, directory / "detached")
        forget_tokens_of(directory)
    finally:
        store.command(f"ATTACH TABLE {DATABASE}.{table}")


def _put_apart(part: Path, where: Path) -> None:
    """Move a part where the engine keeps those that it does not use."""
    names = (where / f"broken_{part.name}{f'_try{number}' if number else ''}" for number in range(1000))
    part.rename(next(name for name in names if not name.exists()))


def _broken(store: Store, since_s: float) -> dict[str, list[Path]]:
    """Return the parts that are not whole, by table, among those written since then."""
    found: dict[str, list[Path]] = {}
    parts = store.query(_PARTS, {**_OF_THE_DATABASE, "since": int(since_s)}).rows
    for table, path, size in parts:
        if not is_whole(Path(str(path)), int(str(size))):
            found.setdefault(str(table), []).append(Path(str(path)))
    return found


def is_whole(part: Path, counted_bytes: int) -> bool:
    """Say whether a part's files have the bytes that the engine counted when it wrote them.

    A part that was merged away and removed meanwhile counts as whole.
    """
    try:
        sizes = {entry.name: entry.stat().st_size for entry in os.scandir(part)}
    except FileNotFoundError:
        return True
    counted = sum(size for name, size in sizes.items() if name not in _UNCOUNTED)
    return counted >= counted_bytes and all(sizes[name] for name in _UNCOUNTED & sizes.keys())
