"""What the questions of the cookbook are answered, by the embedded engine over the recorded day.

Run as ``python -m tests.cookbook.answers``, it prints everything as JSON: an engine is a process's own.
"""

import json
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from livemeter_collector.query.questions import rows_of
from livemeter_collector.query.reader import open_reader
from livemeter_collector.show.output import as_text
from livemeter_collector.show.report import any_table
from livemeter_collector.store.contract import Table
from livemeter_collector.store.migrate import migrate
from livemeter_collector.store.open import open_embedded
from tests.cookbook.day import SHOWN_DAY, seed
from tests.cookbook.talk import TODAY

PAGE = Path(__file__).parents[2] / "docs" / "sql-cookbook.md"

QUESTION = re.compile(
    r"^### (?P<title>[^\n]+)\n\n(?:(?!```|^#).)+?\n\n"
    r"```sql\n(?P<sql>.*?)```\n\n```text\n(?P<answer>.*?)```\n",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Question:
    """One question of the page, and where its answer stands in it."""

    title: str
    sql: str
    answer: str
    start: int
    end: int


@dataclass(frozen=True)
class Answer:
    """How many rows came, as they are shown, and as they are shown with ``join_use_nulls``."""

    rows: int
    text: str
    with_nulls: str


def questions(page: str) -> list[Question]:
    """Return the questions of a page, in order."""
    return [
        Question(found["title"], found["sql"], found["answer"], *found.span("answer"))
        for found in QUESTION.finditer(page)
    ]


def answers(page: str) -> Iterator[Answer]:
    """Answer every question of a page, as a reading command does."""
    asked = questions(page)
    with tempfile.TemporaryDirectory() as directory:
        data = Path(directory) / "data"
        store = open_embedded(data)
        migrate(store)
        seed(store)
        nulls = "\nSETTINGS join_use_nulls = 1"
        with_nulls = [_shown(store.query(question.sql + nulls)) for question in asked]
        store.close()
        with open_reader(data, None) as reader:
            for question, text in zip(asked, with_nulls, strict=True):
                table = reader.query(question.sql)
                yield Answer(len(table.rows), _shown(table), text)


def _shown(table: Table) -> str:
    """Return a table as ``livemeter sql`` shows it, on another day."""
    text = as_text(any_table(table.columns, rows_of(table)))
    return text.replace(f"{TODAY:%Y-%m-%d}", SHOWN_DAY)


if __name__ == "__main__":
    json.dump([asdict(answer) for answer in answers(PAGE.read_text("utf-8"))], sys.stdout)
