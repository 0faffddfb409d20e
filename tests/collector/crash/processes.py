"""Processes of a test: started, waited for, killed by their id, and never left behind."""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from tests.collector.serving import ask

ROOT = Path(__file__).parents[3]
GIVE_UP_S = 60.0


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port: int = listener.getsockname()[1]
        return port


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for something that another process brings about."""
    deadline = time.monotonic() + GIVE_UP_S
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.01)


class Child:
    """A process that prints a line of JSON when it is ready."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self._said: dict[str, Any] | None = None

    def ready(self) -> dict[str, Any]:
        """Wait until it is ready and return what it said then."""
        if self._said is None:
            assert self.process.stdout is not None
            line = self.process.stdout.readline()
            assert line, f"it ended before it was ready: {self.process.communicate(timeout=20)[1]}"
            self._said = json.loads(line)
        said: dict[str, Any] = self._said or {}
        return said

    def is_ready(self) -> bool:
        """Say whether it has said so, without waiting."""
        assert self.process.stdout is not None
        return self._said is not None or bool(select.select([self.process.stdout], [], [], 0)[0])

    def kill(self) -> None:
        """Kill it with SIGKILL, and make sure that it was alive until then."""
        assert self.process.poll() is None, f"it ended by itself: {self.process.communicate(timeout=20)[1]}"
        self.process.kill()
        self.process.communicate(timeout=20)

    def terminate(self) -> int:
        """Ask it to stop, and return its exit code."""
        os.kill(self.process.pid, signal.SIGTERM)
        self.process.communicate(timeout=30)
        return self.process.returncode


@contextmanager
def child(arguments: Sequence[str]) -> Generator[Child]:
    """Start a Python process and end it with the block."""
    with subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Child(process)
        finally:
            process.kill()


class Collector(Child):
    """A running collector."""

    def rows(self, sql: str) -> list[list[Any]]:
        """Ask it."""
        answer = ask(int(self.ready()["sql"].rpartition(":")[2]), f"{sql} FORMAT JSONCompact")
        assert answer.status == 200, answer.body.decode()
        rows: list[list[Any]] = json.loads(answer.body)["data"]
        return rows


@contextmanager
def collector(data_dir: Path, otlp_http_port: int, **options: object) -> Generator[Collector]:
    """Start a collector on a data directory and a port for OTLP over HTTP; end it with the block."""
    said = {"data_dir": str(data_dir), "otlp_http_port": otlp_http_port, **options}
    with child(["-m", "tests.collector.crash.worker", json.dumps(said)]) as started:
        yield Collector(started.process)
