"""The committed boards and their queries, as Grafana reads them."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from livemeter_dashboards.generate import FOLDER

Json = dict[str, Any]
FILES = sorted(FOLDER.glob("*.json"))


@dataclass(frozen=True)
class BoardQuery:
    """One query of a board, with the title of its panel or the name of its variable."""

    board: str
    owner: str
    target: Json

    @property
    def sql(self) -> str:
        return str(self.target["rawSql"])

    @property
    def is_time_series(self) -> bool:
        return bool(self.target["format"] == 0)

    def __str__(self) -> str:
        return f"{self.board}: {self.owner}"


def read(file: Path) -> Json:
    board: Json = json.loads(file.read_text(encoding="utf-8"))
    return board


def panel_queries(file: Path) -> list[BoardQuery]:
    return [
        BoardQuery(file.stem, panel["title"], target)
        for panel in read(file)["panels"]
        for target in panel["targets"]
    ]


def variable_queries(file: Path) -> list[BoardQuery]:
    return [
        BoardQuery(file.stem, f"${variable['name']}", variable["query"])
        for variable in read(file)["templating"]["list"]
        if variable["type"] == "query"
    ]


QUERIES = [query for file in FILES for query in (*panel_queries(file), *variable_queries(file))]
