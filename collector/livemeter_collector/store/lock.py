"""Who has a data directory: one process holds DATA/lock; a collector also says where it can be asked.

The kernel drops the lock with the process, however it ends, so a crash leaves nothing to clean up. The
announcement in DATA/collector.json counts only while somebody holds the lock.
"""

import contextlib
import fcntl
import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from livemeter_collector.store.contract import DirectoryHeldError, StoreError

_LOCK = "lock"
_ANNOUNCEMENT = "collector.json"
# Whoever only looks holds the lock for a moment; so may a reader, for as long as its answer takes.
_WAIT_S = 1.0
_POLL_S = 0.02


@dataclass(frozen=True, slots=True)
class Announcement:
    """Where a running collector can be reached."""

    sql_url: str
    """The SQL endpoint, as ``http://host:port``."""
    otlp_http: str = ""
    """The OTLP/HTTP endpoint, as ``http://host:port``; empty if it was not announced."""


class DirectoryLock:
    """The right to use a data directory, until it is released or the process ends."""

    def __init__(self, data_dir: Path, wait_s: float = _WAIT_S) -> None:
        """Take the lock; the directory is created if missing.

        Raises:
            DirectoryHeldError: another process kept it for ``wait_s`` seconds.
            StoreError: the directory cannot be made or written to.
        """
        try:
            data_dir.mkdir(parents=True, exist_ok=True)
            self._file: IO[bytes] = (data_dir / _LOCK).open("ab")
        except OSError as error:
            raise StoreError(
                f"cannot use {data_dir}: {error.strerror}: name another directory with --data"
            ) from error
        if not _take(self._file, wait_s):
            self._file.close()
            raise DirectoryHeldError(
                f"another livemeter process uses {data_dir}: stop it, or name another directory with --data"
            )
        # A forked child shares the lock and would keep it when this process is gone.
        os.register_at_fork(after_in_child=self._file.close)

    def release(self) -> None:
        """Let others use the directory. Releasing twice is harmless."""
        self._file.close()


def announce(data_dir: Path, sql_url: str, otlp_http: str = "") -> None:
    """Write down where this process, which holds the directory, answers; what a crash left is replaced."""
    text = json.dumps(asdict(Announcement(sql_url, otlp_http)))
    new = data_dir / f"{_ANNOUNCEMENT}.new"
    new.write_text(text, encoding="utf-8")
    new.replace(data_dir / _ANNOUNCEMENT)


def withdraw(data_dir: Path) -> None:
    """Take the announcement back; harmless if there is none."""
    (data_dir / _ANNOUNCEMENT).unlink(missing_ok=True)


def running_collector(data_dir: Path) -> Announcement | None:
    """Return where the collector that holds the directory answers, or None when there is none (yet)."""
    if not _is_held(data_dir):
        return None
    try:
        return Announcement(**json.loads((data_dir / _ANNOUNCEMENT).read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def _is_held(data_dir: Path) -> bool:
    try:
        with (data_dir / _LOCK).open("rb") as file:
            return not _try(file, fcntl.LOCK_SH)
    except OSError:
        return False


def _take(file: IO[bytes], wait_s: float) -> bool:
    deadline = time.monotonic() + wait_s
    while not _try(file, fcntl.LOCK_EX):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_S)
    return True


def _try(file: IO[bytes], kind: int) -> bool:
    with contextlib.suppress(BlockingIOError):
        fcntl.flock(file, kind | fcntl.LOCK_NB)
        return True
    return False
