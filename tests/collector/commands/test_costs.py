import csv
import io
import itertools
import json
from decimal import Decimal

import pytest

from livemeter_collector.query.questions import DIMENSIONS
from tests.collector.commands.conftest import Run
from tests.collector.commands.seed import PRICED, TALK, UNPRICED, YESTERDAY

ALL = Decimal("0.03440875") + Decimal("0.00075") + Decimal("0.0015")


@pytest.mark.parametrize(
    "by", [*((one,) for one in DIMENSIONS), *itertools.pairwise(DIMENSIONS), DIMENSIONS], ids="-".join
)
def test_however_costs_are_grouped_they_come_to_the_same(run: Run, by: tuple[str, ...]) -> None:
    answer = json.loads(run("costs --json " + " ".join(f"--by {one}" for one in by)).out)
    assert answer["by"] == list(by)
    assert Decimal(answer["total"]["usd"]) == ALL
    for name in ("tokens", "input_tokens", "carried", "queries", "unpriced_quantity"):
        assert sum(row[name] for row in answer["rows"]) == answer["total"][name]
    assert sum(Decimal(row["usd"] or 0) for row in answer["rows"]) == ALL
    assert answer["total"]["tokens"] == 2022 + 338 + 5 + 3000 + 1284 + 2000
    assert answer["total"]["unpriced_quantity"] == 2000 + 1284


def test_by_default_costs_are_by_model_direction_and_modality(run: Run) -> None:
    answer = json.loads(run("costs --json").out)
    rows = {(row["model"], row["direction"], row["modality"]): row for row in answer["rows"]}
    assert rows[PRICED, "input", "AUDIO"]["usd"] == "0.002445"
    assert rows[PRICED, "input", "AUDIO"]["carried"] == 207
    assert rows[PRICED, "output", "GROUNDING"]["queries"] == 2
    assert rows[PRICED, "output", "GROUNDING"]["tokens"] == 0
    assert rows[PRICED, "input", "VIDEO"]["usd"] is None
    assert rows[UNPRICED, "output", "AUDIO"]["usd"] is None


def test_by_one_column_the_dearest_come_first_and_what_has_no_price_last(run: Run) -> None:
    answer = json.loads(run("costs --json --by session").out)
    assert [row["session"] for row in answer["rows"]] == [TALK, "shared", "film", "lesson-7"]


def test_times_are_hours_and_days_in_utc_in_their_order(run: Run) -> None:
    day = f"{YESTERDAY:%Y-%m-%d}"
    hours = json.loads(run("costs --json --by hour").out)["rows"]
    assert [row["hour"] for row in hours] == [f"{day}T{hour}:00Z" for hour in ("05", "07", "09", "10")]
    assert [row["day"] for row in json.loads(run("costs --json --by day").out)["rows"]] == [day]


def test_only_what_was_spent_since_then_counts(run: Run) -> None:
    since = f"--since {YESTERDAY:%Y-%m-%d}T10:01"
    assert json.loads(run(f"costs --json {since}").out)["total"]["usd"] == "0.0021075"


def test_a_column_asked_for_twice_is_one_column(run: Run) -> None:
    assert run("costs --by user --by user --csv").out == run("costs --by user --csv").out


def test_csv_has_no_total_that_a_sum_would_count_again(run: Run) -> None:
    rows = list(csv.DictReader(io.StringIO(run("costs --csv").out, newline="")))
    assert sum(Decimal(row["usd"] or 0) for row in rows) == ALL


def test_nothing_spent_since_then_still_is_an_answer_for_programs(run: Run) -> None:
    outcome = run("costs --json --since 1s")
    answer = json.loads(outcome.out)
    assert (outcome.exit_code, answer["rows"], answer["total"]["usd"]) == (0, [], None)
    assert outcome.err.startswith("livemeter: nothing matches")
