import csv
import io
import itertools
import json
from decimal import Decimal

import pytest

from livemeter_collector.query.questions import DIMENSIONS, costs, rows_of
from livemeter_collector.store.contract import Store
from tests.collector.commands.conftest import Run
from tests.collector.commands.seed import PRICED, TALK, UNPRICED, YESTERDAY
from tests.collector.sql.telemetry import Process, insert

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


def test_labels_are_columns_too_and_what_has_none_is_a_row(run: Run) -> None:
    rows = json.loads(run("costs --json --by label:lesson --by user").out)["rows"]
    assert [(row["label:lesson"], row["user"]) for row in rows] == [("", ""), ("café", "ana")]
    assert rows[1]["usd"] == "0.03440875"
    assert json.loads(run("costs --json --by label:unknown").out)["rows"][0]["usd"] == str(ALL.normalize())


def test_the_kinds_of_tokens_platforms_and_tiers_are_columns(run: Run) -> None:
    rows = json.loads(run("costs --json --by kind --by platform --by tier").out)["rows"]
    usd = {row["kind"]: row["usd"] for row in rows}
    assert (usd["thoughts"], usd["grounding"], usd["transcription"]) == ("0.000612", "0.028", "0.0000225")
    assert {(row["platform"], row["tier"]) for row in rows} == {("gemini_api", "standard")}


def test_what_the_application_did_is_a_column_and_what_no_turn_tells_is_empty(store: Store) -> None:
    """By the turn that a pass belongs to; a turn that is told twice does not double its money."""
    connection = Process().connection()
    insert(
        store,
        connection.started(),
        connection.usage(1000),
        connection.turn(APP_PHASE="warm-up", TRANSCRIPT_BYTES_IN=40),
        connection.turn(10, APP_PHASE="warm-up"),
        connection.usage(2000, TURN=2, PASS=2),
    )

    answer = rows_of(costs(store, ("session", "phase")))
    usd = {row["phase"]: row["usd"] for row in answer if row["session"] == connection.id}
    # 1,000 at 0.75 and ten tokens of transcript at 4.50; 2,000 at 0.75.
    assert usd == {"warm-up": Decimal("0.000795"), "": Decimal("0.0015")}


@pytest.mark.parametrize("name", ["colour", "label:", "Model", ""])
def test_what_is_no_column_is_not_understood(run: Run, name: str) -> None:
    outcome = run(f"costs --by '{name}'")
    assert (outcome.exit_code, outcome.out) == (2, "")
    assert "is no column: try model" in outcome.err


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
