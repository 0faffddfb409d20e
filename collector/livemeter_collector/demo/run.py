"""Running the demo: a collector, the fake Live server and the application, each for real, then none of them.

The collector and the application are processes of their own, started as a user would start them; the
fake server is a thread here. Nothing outlives ``run_demo``, whatever happens inside.
"""

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from livemeter.testing import FakeLiveServer, load_scripts
from livemeter_collector.demo import SESSIONS
from livemeter_collector.query.reader import Reader, open_reader
from livemeter_collector.store.lock import Announcement, running_collector

START_TIMEOUT_S = 60.0
STORE_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 15.0
_POLL_S = 0.05


class DemoError(Exception):
    """The demo could not be run; the message is one line."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step done, of so many."""

    done: int
    total: int
    what: str


Progress = Callable[[Step], None]


@contextmanager
def run_demo(data_dir: Path, progress: Progress) -> Generator[Reader]:
    """Run every scripted session and yield a reader of what was learnt; the collector still runs.

    Raises:
        DemoError: the directory has something in it, a part did not start, the application failed, or not
            everything was stored.
    """
    if data_dir.exists() and any(data_dir.iterdir()):
        raise DemoError(
            f"{data_dir} is not empty, and the demo's sessions would mix with it: name a new directory"
        )
    total = len(SESSIONS) + 2
    with _collector(data_dir) as collector:
        progress(Step(1, total, "collector started"))
        scripts = load_scripts(Path(str(resources.files(__package__ or "") / "scripts.toml")))
        # Handles of their own, so that a second run into the same directory resumes nothing of the first.
        with FakeLiveServer.running_in_thread(scripts, minted_prefix=f"{secrets.token_hex(4)}-") as server:
            environment = {
                **server.environment(),
                "LIVEMETER_ENDPOINT": collector.otlp_http,
                "OTEL_SERVICE_NAME": "livemeter-demo",
            }
            for done, outcome in enumerate(_play(environment), start=2):
                progress(Step(done, total, outcome))
        with open_reader(data_dir, None) as reader:
            _wait_until_stored(reader, len(server.connections))
            progress(Step(total, total, "stored and priced"))
            yield reader


@contextmanager
def _collector(data_dir: Path) -> Generator[Announcement]:
    ports = ("--otlp-grpc-port", "0", "--otlp-http-port", "0", "--sql-port", "0")
    command = [sys.executable, "-m", "livemeter.cli", "up", "--data", str(data_dir), *ports]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:  # noqa: S603
        try:
            yield _announced(data_dir, process)
        finally:
            process.terminate()
            try:
                process.communicate(timeout=STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()


def _announced(data_dir: Path, process: subprocess.Popen[str]) -> Announcement:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            _, errors = process.communicate()
            raise DemoError(f"the collector did not start: {_last_line(errors)}")
        if (announcement := running_collector(data_dir)) is not None:
            return announcement
        time.sleep(_POLL_S)
    raise DemoError(f"the collector did not start within {START_TIMEOUT_S:.0f} s")


def _play(environment: dict[str, str]) -> Iterator[str]:
    """Run the application and yield a line for each of its sessions."""
    command = [sys.executable, "-m", f"{__package__}.app"]
    with subprocess.Popen(  # noqa: S603 - our own module
        command,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            for line in process.stdout or ():
                told = json.loads(line)
                yield f"{told['session'].replace('_', ' ')}: {told['outcome']}"
            _, errors = process.communicate()
        finally:
            process.kill()
    if process.returncode != 0:
        raise DemoError(f"the demo's application failed: {_last_line(errors)}")


def _wait_until_stored(reader: Reader, connections: int) -> None:
    deadline = time.monotonic() + STORE_TIMEOUT_S
    stored = 0
    while time.monotonic() < deadline:
        answer = reader.query("SELECT count() FROM livemeter.live_closes")
        stored = int(str(answer.rows[0][0]))
        if stored >= connections:
            return
        time.sleep(_POLL_S)
    raise DemoError(f"only {stored} of {connections} connections were stored after {STORE_TIMEOUT_S:.0f} s")


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "it said nothing"
