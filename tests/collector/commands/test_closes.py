import json

from tests.collector.commands.conftest import Run
from tests.collector.commands.seed import REFUSED, TALK, YESTERDAY


def test_closes_are_grouped_by_code_and_diagnosis_the_most_frequent_first(run: Run) -> None:
    rows = json.loads(run("closes --json").out)
    assert [(row["closes"], row["close_code"], row["http_status"], row["diagnosis"]) for row in rows] == [
        (4, 1000, None, None),
        (1, 1008, None, "go-away-overrun"),
        (1, 1008, None, "wrong-backend-model"),
        (1, 1011, None, None),
        (1, None, 401, "handshake-unauthorized"),
    ]
    assert rows[2]["hint"] == "Use gemini-live-2.5-flash-native-audio here."
    assert [row["ended_well"] for row in rows] == [True, False, False, False, False]


def test_a_connection_without_a_close_is_not_listed(run: Run) -> None:
    assert "lesson-70" not in run("closes --each --csv").out


def test_each_close_comes_newest_first_with_its_session(run: Run) -> None:
    rows = json.loads(run("closes --each --json").out)
    assert [row["session_id"] for row in rows] == [
        *[TALK, TALK, REFUSED, "lesson-7", "film", "no-key"],
        *["shared", "shared"],
    ]
    assert [row["age_s"] for row in rows] == [139, 105, 0.4, 600, 20, 0.2, 20, 20]


def test_since_and_limit(run: Run) -> None:
    since = f"--since {YESTERDAY:%Y-%m-%d}T09:30"
    assert sum(row["closes"] for row in json.loads(run(f"closes --json {since}").out)) == 3
    outcome = run("closes --each --limit 2")
    assert len(json.loads(run("closes --each --limit 2 --json").out)) == 2
    assert outcome.err == "livemeter: these are the first 2: --limit N or --limit all shows more\n"


def test_people_read_what_to_do(run: Run) -> None:
    out = run("closes").out
    assert "→ Use gemini-live-2.5-flash-native-audio here." in out
    assert "HTTP 401" in out
    assert r"no known cause; reason given: Internal\x1b[31m error" in out
    assert "ended in order" in out
