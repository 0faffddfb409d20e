import json
import re
from decimal import Decimal
from pathlib import Path

import pytest

from tests.collector.commands.conftest import Run
from tests.collector.commands.seed import REFUSED, TALK, TALK_RESUMED


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (TALK, TALK),
        (TALK[:9], TALK),
        ("0199a7c2f", REFUSED),
        ("lesson-7", "lesson-7"),
        ("lesson-70", "lesson-70"),
        ("f", "film"),
    ],
)
def test_an_id_or_its_unique_beginning_finds_a_session(run: Run, given: str, meant: str) -> None:
    """An id that begins another one, as lesson-7 does, means itself."""
    assert json.loads(run(f"session --json {given}").out)["session"]["session_id"] == meant


def test_an_ambiguous_beginning_names_the_sessions_it_could_mean(run: Run) -> None:
    outcome = run("session 0199a7c2")
    assert (outcome.exit_code, outcome.out) == (1, "")
    assert outcome.err == (
        f"livemeter: '0199a7c2' begins several sessions' ids: {TALK}, {REFUSED}; give more of it\n"
    )


def test_an_unknown_id_is_one_line(run: Run) -> None:
    outcome = run("session nope%")
    assert (outcome.exit_code, outcome.out) == (1, "")
    assert outcome.err == ("livemeter: no session's id begins with 'nope%': livemeter sessions lists them\n")


def test_in_an_empty_store_it_says_how_to_get_sessions(run: Run, empty_data: Path) -> None:
    outcome = run("session 0199", empty_data)
    assert (outcome.exit_code, outcome.err.count("\n")) == (1, 1)
    assert "no sessions yet" in outcome.err


def test_costs_are_as_worked_out_by_hand_and_add_up(run: Run) -> None:
    answer = json.loads(run(f"session --json {TALK}").out)
    usd = {(row["direction"], row["modality"]): row["usd"] for row in answer["costs"]}
    assert usd == {
        ("input", "AUDIO"): "0.002445",
        ("input", "TEXT"): "0.0008865",
        ("input", "UNATTRIBUTED"): "0.00001875",
        ("output", "AUDIO"): "0.002424",
        ("output", "TEXT"): "0.000612",
        ("output", "TRANSCRIPTION"): "0.0000225",
        ("output", "GROUNDING"): "0.028",
    }
    assert sum(map(Decimal, usd.values())) == Decimal(answer["session"]["cost_usd"])
    turns = [turn["cost_usd"] for turn in answer["turns"]]
    assert turns == ["0.02990125", "0.0024", "0.0021075"]
    assert sum(map(Decimal, turns)) == Decimal(answer["session"]["cost_usd"])


def test_every_part_of_the_session_is_there(run: Run) -> None:
    answer = json.loads(run(f"session --json {TALK}").out)
    assert [one["connection_id"] for one in answer["connections"]] == [TALK, TALK_RESUMED]
    assert [one["diagnosis"] for one in answer["connections"]] == ["go-away-overrun", None]
    assert [one["ended_well"] for one in answer["connections"]] == [False, True]
    assert [call["name"] for call in answer["tool_calls"]] == ["score_answer"]
    assert answer["session"]["context_lost"] is False


@pytest.mark.parametrize("session", [TALK, "film", "lesson-7", "shared"])
def test_on_the_page_parts_add_up_to_the_whole_as_shown(run: Run, session: str) -> None:
    """Costs by modality, costs by turn and the session's own figure agree to the last digit shown."""
    page = run(f"session {session}").out
    sections = re.split(r"\n\n(?=Cost|Turns|Tool calls|Connections)", page)
    whole = re.search(r"^cost +(\$[0-9.]+)?", page, re.MULTILINE)
    assert whole is not None
    tables = [section for section in sections if section.startswith(("Cost\n", "Turns\n"))]
    assert len(tables) == 2
    for table in tables:
        *parts, total = [re.search(r"\$([0-9.]+)", line) for line in table.splitlines()[2:]]
        shown = sum(Decimal(part[1]) for part in parts if part)
        assert shown == (Decimal(total[1]) if total else 0)
        assert whole[1] == (total[0] if total else None)


def test_a_turn_has_the_costs_of_its_own_connection(run: Run) -> None:
    """Two processes with one session id both have a turn 1; neither pays for the other's."""
    answer = json.loads(run("session --json shared").out)
    assert [(turn["turn"], turn["input_tokens"], turn["cost_usd"]) for turn in answer["turns"]] == [
        (1, 1000, "0.00075"),
        (1, 1000, "0.00075"),
    ]
    assert answer["session"]["cost_usd"] == "0.0015"
