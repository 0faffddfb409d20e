"""The demo, run once for all tests of it: every process, socket and table of it for real."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from livemeter_collector.demo.run import Step, run_demo
from livemeter_collector.query.reader import Reader


@dataclass
class Ran:
    """A finished demo whose collector still answers."""

    reader: Reader
    data_dir: Path
    steps: list[Step]

    def rows(self, sql: str, **parameters: str) -> list[dict[str, object]]:
        table = self.reader.query(sql, parameters)
        return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    data_dir = tmp_path_factory.mktemp("demo")
    steps: list[Step] = []
    with run_demo(data_dir, steps.append) as reader:
        yield Ran(reader, data_dir, steps)
