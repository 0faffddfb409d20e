"""The demo, run once as a user runs it, and a collector that answers questions about what it kept."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from livemeter_collector.query.reader import Reader, open_reader
from livemeter_collector.store.lock import running_collector

LIVEMETER = (sys.executable, "-m", "livemeter.cli")
START_TIMEOUT_S = 60


@dataclass
class Ran:
    """A finished demo, what it printed, and a reader of the data that it left."""

    reader: Reader
    data_dir: Path
    answer: dict[str, Any]
    progress: list[str]
    left_running: bool

    def rows(self, sql: str, **parameters: str) -> list[dict[str, object]]:
        table = self.reader.query(sql, parameters)
        return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    data_dir = tmp_path_factory.mktemp("demo") / "kept"
    command = [*LIVEMETER, "demo", "--keep", str(data_dir), "--json"]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert finished.returncode == 0, finished.stderr
    left_running = running_collector(data_dir) is not None
    ports = ("--otlp-grpc-port", "0", "--otlp-http-port", "0", "--sql-port", "0")
    collector = subprocess.Popen(
        [*LIVEMETER, "up", "--data", str(data_dir), *ports], stdout=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + START_TIMEOUT_S
        while running_collector(data_dir) is None:
            assert collector.poll() is None, "the collector did not start"
            assert time.monotonic() < deadline, "the collector did not start in time"
            time.sleep(0.05)
        with open_reader(data_dir, None) as reader:
            progress = finished.stderr.splitlines()
            yield Ran(reader, data_dir, json.loads(finished.stdout), progress, left_running)
    finally:
        collector.terminate()
        collector.wait(timeout=30)
