"""Shared by the collector's tests: keys of their own in the shared store, and fresh processes for all others.

chDB has one data directory per process: whoever needs another one than the fixture ``store`` runs it in
``python``.
"""

import os
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


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
