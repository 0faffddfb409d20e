"""Who has a data directory, and what is left of it when a process ends in whatever way."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from livemeter_collector.store.contract import DirectoryHeldError, StoreError
from livemeter_collector.store.lock import Announcement, DirectoryLock, announce, running_collector, withdraw

HOLD = """
import os, sys
from pathlib import Path
from livemeter_collector.store.lock import DirectoryLock, announce
data = Path(sys.argv[1])
lock = DirectoryLock(data)
announce(data, "http://127.0.0.1:1", "http://127.0.0.1:2")
if len(sys.argv) > 2 and os.fork() == 0:
    os.read(0, 1)
    os._exit(0)
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def holder(data: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the directory until its stdin closes or it is killed."""
    command = [sys.executable, "-c", HOLD, str(data), *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process


def test_a_held_directory_is_refused_and_its_collector_found(tmp_path: Path) -> None:
    with holder(tmp_path):
        with pytest.raises(DirectoryHeldError) as caught:
            DirectoryLock(tmp_path, wait_s=0.1)
        assert str(caught.value) == (
            f"another livemeter process uses {tmp_path}: stop it, or name another directory with --data"
        )
        assert running_collector(tmp_path) == Announcement("http://127.0.0.1:1", "http://127.0.0.1:2")


def test_a_killed_process_holds_nothing_and_its_announcement_counts_no_more(tmp_path: Path) -> None:
    with holder(tmp_path) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert (tmp_path / "collector.json").exists()
        assert running_collector(tmp_path) is None
        DirectoryLock(tmp_path, wait_s=0).release()


def test_a_forked_child_does_not_keep_the_lock(tmp_path: Path) -> None:
    with holder(tmp_path, "and fork") as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        DirectoryLock(tmp_path, wait_s=0.5).release()


def test_a_lock_is_waited_for(tmp_path: Path) -> None:
    with holder(tmp_path) as process:
        assert process.stdin is not None
        process.stdin.close()
        DirectoryLock(tmp_path, wait_s=10).release()


def test_releasing_twice_is_harmless_and_looking_takes_nothing(tmp_path: Path) -> None:
    lock = DirectoryLock(tmp_path, wait_s=0)
    announce(tmp_path, "http://127.0.0.1:1")
    assert running_collector(tmp_path) == Announcement("http://127.0.0.1:1", "")
    lock.release()
    lock.release()
    assert running_collector(tmp_path) is None
    DirectoryLock(tmp_path, wait_s=0).release()


@pytest.mark.parametrize("content", [None, "", "{", "[]", "{}", '{"unknown": 1}', '"text"'])
def test_an_announcement_that_is_missing_or_damaged_is_none(tmp_path: Path, content: str | None) -> None:
    lock = DirectoryLock(tmp_path, wait_s=0)
    if content is not None:
        (tmp_path / "collector.json").write_text(content)
    assert running_collector(tmp_path) is None
    lock.release()


def test_an_announcement_is_withdrawn(tmp_path: Path) -> None:
    lock = DirectoryLock(tmp_path, wait_s=0)
    announce(tmp_path, "http://127.0.0.1:1")
    withdraw(tmp_path)
    withdraw(tmp_path)
    assert running_collector(tmp_path) is None
    lock.release()


def test_a_directory_that_is_not_there_is_held_by_nobody(tmp_path: Path) -> None:
    assert running_collector(tmp_path / "none") is None
    assert not (tmp_path / "none").exists()


def test_a_directory_that_cannot_be_used_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "a file").write_text("")
    with pytest.raises(StoreError, match=r"^cannot use .*a file: .*: name another directory with --data$"):
        DirectoryLock(tmp_path / "a file")
