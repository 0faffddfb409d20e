"""Disks of a few pages, so that a test can fill one."""

import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

PAGE_BYTES = 4096


@contextmanager
def small_disk(where: Path, size_bytes: int) -> Generator[Path]:
    """Mount a disk of this size; skips the test where this user cannot mount one."""
    where.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size_bytes},mode=0700", "tmpfs", str(where)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True, timeout=20, check=False)
    except FileNotFoundError:
        pytest.skip("a full disk is NOT tested: there is no mount here")
    if done.returncode:
        pytest.skip(f"a full disk is NOT tested: {done.stderr.strip()}")
    try:
        yield where
    finally:
        unmount = ["umount", "--lazy", str(where)]
        subprocess.run(unmount, timeout=20, check=True)


class Filler:
    """A file that takes a disk's free space, and gives it back."""

    def __init__(self, disk: Path) -> None:
        self._path = disk / "filler"

    def fill(self, but_pages: int = 0) -> None:
        """Take all there is, but for so many pages."""
        with self._path.open("ab", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(PAGE_BYTES))
            except OSError:
                file.truncate(max(0, file.seek(0, 2) - but_pages * PAGE_BYTES))

    def free(self) -> None:
        """Give all of it back."""
        self._path.unlink(missing_ok=True)
