import json

import pytest

from tests.collector.commands.conftest import Run
from tests.collector.commands.seed import PRICED, REFUSED, TALK, YESTERDAY

NEWEST_FIRST = [TALK, REFUSED, "lesson-7", "lesson-70", "film", "no-key", "shared"]


def ids(run: Run, words: str) -> list[str]:
    return [row["session_id"] for row in json.loads(run(f"sessions --json {words}").out)]


def test_sessions_come_newest_first_with_their_whole_ids(run: Run) -> None:
    assert ids(run, "") == NEWEST_FIRST


@pytest.mark.parametrize(
    ("filters", "left"),
    [
        ("--status failed", [REFUSED, "film", "no-key"]),
        ("--status lost", ["lesson-70"]),
        ("--status active", []),
        ("--user ana", [TALK]),
        (f"--model {PRICED} --status failed", ["film", "no-key"]),
        ("--model gemini-priced", []),
        (f"--since {YESTERDAY:%Y-%m-%d}T09:00", [TALK, REFUSED, "lesson-7"]),
        (f"--since {YESTERDAY:%Y-%m-%d}T09:00:00.001+00:00", [TALK, REFUSED]),
        (f"--since {YESTERDAY:%Y-%m-%d}T12:00+02:00", [TALK]),
        ("--since 1s", []),
        ("--since 3d --limit 2", [TALK, REFUSED]),
        ("--limit all", NEWEST_FIRST),
    ],
)
def test_filters(run: Run, filters: str, left: list[str]) -> None:
    assert ids(run, filters) == left


def test_what_a_filter_value_holds_is_never_sql(run: Run) -> None:
    outcome = run("""sessions --json --user "' OR 1 = 1 --" """)
    assert (outcome.exit_code, json.loads(outcome.out)) == (0, [])


def test_what_the_limit_left_out_is_said(run: Run) -> None:
    cut, exact = run("sessions --limit 6"), run("sessions --limit 7")
    assert len(cut.out.splitlines()) == 1 + 6
    assert cut.err == "livemeter: these are the newest 6 sessions: --limit N or --limit all shows more\n"
    assert exact.err == ""


def test_nothing_that_matches_is_not_the_same_as_nothing(run: Run) -> None:
    outcome = run("sessions --user nobody")
    assert (outcome.exit_code, outcome.out) == (0, "")
    assert outcome.err == "livemeter: nothing matches: try a longer --since, or fewer filters\n"


def test_every_id_shown_means_one_session(run: Run) -> None:
    shown = [line.split()[0] for line in run("sessions").out.splitlines()[1:]]
    found = [json.loads(run(f"session --json {prefix}").out)["session"]["session_id"] for prefix in shown]
    assert found == NEWEST_FIRST
    assert all(len(prefix) <= 9 for prefix in shown)


def test_an_id_is_as_long_as_all_sessions_ask_for_not_only_those_shown(run: Run) -> None:
    assert run("sessions --user ana").out.splitlines()[1].split()[0] == TALK[:9]


def test_money_is_as_worked_out_by_hand(run: Run) -> None:
    rows = {row["session_id"]: row for row in json.loads(run("sessions --json").out)}
    talk = rows[TALK]
    assert (talk["cost_usd"], talk["cost_low_usd"], talk["cost_high_usd"]) == (
        "0.03440875",
        "0.03440875",
        "0.034465",
    )
    assert talk["carried_cost_usd"] == "0.00087"
    assert (talk["input_tokens"], talk["output_tokens"]) == (522 + 700 + 800, 42 + 136 + 100 + 60)
    assert (rows["film"]["cost_usd"], rows["film"]["unpriced_quantity"]) == ("0.00075", 2000)
    assert (rows["lesson-7"]["cost_usd"], rows["lesson-7"]["unpriced_quantity"]) == (None, 1284)


def test_what_was_spoken_without_a_usage_frame_is_unknown_and_what_was_never_used_is_nothing(
    run: Run,
) -> None:
    rows = {row["session_id"]: row for row in json.loads(run("sessions --json").out)}
    unseen, refused = rows["lesson-70"], rows[REFUSED]
    assert (unseen["usage_coverage"], unseen["input_tokens"], unseen["cost_usd"]) == (0, None, None)
    assert (refused["usage_coverage"], refused["input_tokens"], refused["cost_usd"]) == (None, 0, "0")
