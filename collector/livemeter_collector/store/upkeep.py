"""Statements of upkeep: files of SQL, asked with a ``log_comment`` that says what they look at.

The comment is a setting of the request, because a reader may not change settings in the statement itself.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from typing import Any, Protocol

from livemeter_collector.store.contract import Parameters, Table

_FORMAT = "JSONCompactEachRow"


class Readable(Protocol):
    """What answers: a store, or whoever reads through one."""

    def query(self, sql: str, parameters: Parameters | None = None) -> Table:
        """Answer a SELECT as Python values."""
        ...

    def stream(
        self,
        sql: str,
        output_format: str,
        parameters: Parameters | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> Iterator[bytes]:
        """Answer a SELECT as bytes in one of ClickHouse's formats, under the given settings."""
        ...


def statement(name: str) -> str:
    """Return the SQL of a file in ``sql/upkeep``."""
    folder = resources.files("livemeter_collector") / "sql" / "upkeep"
    return (folder / f"{name}.sql").read_text("utf-8").strip()


def answer(store: Readable, name: str, parameters: Parameters, comment: str) -> Sequence[Sequence[Any]]:
    """Answer one of the statements under a ``log_comment``; values as JSON has them.

    Raises:
        StoreError: it cannot be answered.
    """
    chunks = store.stream(statement(name), _FORMAT, parameters, {"log_comment": comment})
    lines = b"".join(chunks).decode(errors="replace").split("\n")
    return [json.loads(line) for line in lines if line]
