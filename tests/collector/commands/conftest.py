"""What the tests of the reading verbs share: collectors with known sessions, a way to run, golden files."""

import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from livemeter.cli.main import main
from tests.collector.commands.seed import YESTERDAY

REPOSITORY = Path(__file__).parents[3]
GOLDEN = Path(__file__).parent / "golden"
GOLDEN_DAY = "2026-01-05"


@dataclass(frozen=True)
class Outcome:
    """How a command ended and what it wrote."""

    exit_code: int
    out: str
    err: str


Run = Callable[..., Outcome]
MatchesGolden = Callable[[str, str], None]


@contextmanager
def serving(directory: Path, *words: str) -> Generator[Path]:
    """Run a collector over a directory; its engine is not this process's, which may have but one."""
    command = [sys.executable, "-m", "tests.collector.commands.serve", str(directory), *words]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        try:
            yield directory
        finally:
            process.communicate(timeout=30)


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Generator[Path]:
    """Return the data directory of a running collector that has the sessions of ``seed``."""
    with serving(tmp_path_factory.mktemp("seeded") / "data", "seeded") as directory:
        yield directory


@pytest.fixture(scope="session")
def empty_data(tmp_path_factory: pytest.TempPathFactory) -> Generator[Path]:
    """Return the data directory of a running collector to which nothing ever came."""
    with serving(tmp_path_factory.mktemp("empty") / "data") as directory:
        yield directory


@pytest.fixture(scope="session")
def data_at_rest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a data directory that has the sessions of ``seed`` and no collector any more."""
    with serving(tmp_path_factory.mktemp("rest") / "data", "seeded") as directory:
        return directory


@pytest.fixture
def run(data: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    """Run a command line over the seeded store, in this process; its output is no terminal's."""

    def run_words(words: str, directory: Path = data) -> Outcome:
        capfd.readouterr()
        try:
            exit_code = main([*shlex.split(words), "--data", str(directory)])
        except SystemExit as stop:
            exit_code = int(str(stop.code))
        return Outcome(exit_code, *capfd.readouterr())

    return run_words


@pytest.fixture
def matches_golden() -> MatchesGolden:
    """Compare output with a committed file; LIVEMETER_UPDATE_GOLDEN=1 writes the file instead."""

    def compare(name: str, written: str) -> None:
        # The seeded day moves, because times too far from now are not believed.
        written = written.replace(f"{YESTERDAY:%Y-%m-%d}", GOLDEN_DAY)
        path = GOLDEN / name
        if os.environ.get("LIVEMETER_UPDATE_GOLDEN") == "1":
            path.write_bytes(written.encode())
        assert written == path.read_bytes().decode(), f"{name} differs; LIVEMETER_UPDATE_GOLDEN=1 rewrites it"

    return compare
