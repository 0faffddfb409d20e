"""Playing a conversation: the fake Live server here, a collector and the application as processes."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from livemeter.testing import Connection, FakeLiveServer
from livemeter_collector.query.reader import Reader, open_reader
from livemeter_collector.store.lock import Announcement, running_collector
from tests.frameworks.conversations import CONVERSATIONS

ENVIRONMENTS = os.environ.get("LIVEMETER_FRAMEWORKS", "")
"""Folder of the frameworks' environments; ``make test-frameworks`` sets it."""

ROOT = Path(__file__).parents[2]
LIVEMETER = (sys.executable, "-m", "livemeter.cli")
KEY = "a-key-that-nobody-may-keep"
TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Played:
    """What the application printed on its way, and what the Live server saw of it."""

    printed: dict[str, Any]
    errors: str
    connections: list[Connection]


@dataclass(frozen=True)
class Observed(Played):
    """The same, and the account that Livemeter gives of it."""

    app: str
    reader: Reader

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """Answer a SELECT about this conversation's application, ``{app:String}``."""
        table = self.reader.query(sql, {"app": self.app})
        return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


@dataclass(frozen=True)
class Collector:
    address: Announcement
    reader: Reader


@pytest.fixture(scope="session")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    data_dir = tmp_path_factory.mktemp("frameworks") / "data"
    ports = ("--otlp-grpc-port", "0", "--otlp-http-port", "0", "--sql-port", "0")
    with subprocess.Popen(
        [*LIVEMETER, "up", "--data", str(data_dir), *ports], stdout=subprocess.DEVNULL
    ) as process:
        try:
            address = _announced(data_dir, process)
            with open_reader(data_dir, None) as reader:
                yield Collector(address, reader)
        finally:
            process.terminate()


@pytest.fixture(scope="session")
def observed(collector: Collector) -> Callable[[str], Observed]:
    """Play a conversation with Livemeter on, once for all tests that ask about it."""

    @cache
    def observe(name: str) -> Observed:
        settings = {
            "LIVEMETER_ENDPOINT": collector.address.otlp_http,
            "LIVEMETER_SHUTDOWN_TIMEOUT_MS": "20000",
            "OTEL_SERVICE_NAME": name,
        }
        played = play(name, settings)
        seen = Observed(played.printed, played.errors, played.connections, name, collector.reader)
        _wait_until_stored(seen)
        return seen

    return observe


def play(name: str, settings: dict[str, str]) -> Played:
    """Run the conversation's application, in its framework's environment, to its end."""
    conversation = CONVERSATIONS[name]
    python = ROOT / ENVIRONMENTS / conversation.framework / "bin" / "python"
    app = Path(__file__).parent / conversation.framework / "app.py"
    with FakeLiveServer.running_in_thread(conversation.scripts, minted_prefix=f"{name}-") as server:
        finished = subprocess.run(
            [str(python), str(app), *conversation.arguments],
            env={**_environment(), **server.environment(), "GOOGLE_API_KEY": KEY, **settings},
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        assert finished.returncode == 0, finished.stderr
    # Frameworks may print, too; the last line is the application's.
    printed = json.loads(finished.stdout.splitlines()[-1])
    return Played(printed, finished.stderr, server.connections)


def _environment() -> dict[str, str]:
    """This process's environment, with Livemeter's source in the path and nothing that is set for it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LIVEMETER_", "OTEL_"))}
    return {**kept, "PYTHONPATH": str(ROOT / "instrumentation")}


def _announced(data_dir: Path, process: subprocess.Popen[bytes]) -> Announcement:
    deadline = time.monotonic() + TIMEOUT_S
    while (address := running_collector(data_dir)) is None:
        assert process.poll() is None, "the collector did not start"
        assert time.monotonic() < deadline, "the collector did not start in time"
        time.sleep(0.05)
    return address


def _wait_until_stored(seen: Observed) -> None:
    """What an application leaves is stored before it ends, unless its framework ends without a farewell."""
    deadline = time.monotonic() + TIMEOUT_S
    sql = "SELECT count() AS closes FROM livemeter.live_closes WHERE app = {app:String}"
    while seen.rows(sql)[0]["closes"] < len(seen.connections):
        assert time.monotonic() < deadline, f"not all connections of {seen.app} were stored: {seen.errors}"
        time.sleep(0.05)
