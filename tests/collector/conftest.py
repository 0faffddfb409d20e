"""Shared by the collector's tests: one embedded engine for the whole run, and fresh processes for all others.

chDB has one data directory per process, so every test in this process shares the fixture ``store`` and tells
its rows apart by a key of its own (``unique``); whoever needs another directory runs it in ``python``.
"""

import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from livemeter_collector.store.contract import Store
from livemeter_collector.store.migrate import migrate
from livemeter_collector.store.open import open_embedded

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data directory of the fixture ``store``."""
    return tmp_path_factory.mktemp("livemeter") / "data"


@pytest.fixture(scope="session")
def store(data_dir: Path) -> Iterator[Store]:
    """The embedded engine with every migration and view; open for the whole run."""
    opened = open_embedded(data_dir)
    try:
        migrate(opened)
        yield opened
    finally:
        opened.close()


@pytest.fixture
def unique() -> str:
    """A word that no other test has put into a row."""
    return f"t{uuid.uuid4().hex}"


@pytest.fixture
def python(tmp_path: Path) -> Callable[..., str]:
    """Run Python code in a process of its own and return what it printed; its current directory is empty."""

    def run(code: str, *arguments: object, **environment: str) -> str:
        workdir = tmp_path / "workdir"
        workdir.mkdir(exist_ok=True)
        finished = subprocess.run(
            [sys.executable, "-c", code, *map(str, arguments)],
            cwd=workdir,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert finished.returncode == 0, finished.stderr
        return finished.stdout

    return run
