"""The demo as a command: what it prints, what it leaves, and what it refuses."""

import subprocess
from pathlib import Path

from tests.demo.conftest import LIVEMETER, Ran
from tests.demo.expected import SESSIONS


def test_json_holds_the_sessions_the_costs_of_one_and_the_closes(demo: Ran) -> None:
    assert set(demo.answer) == {"sessions", "session_costs", "closes"}
    assert len(demo.answer["sessions"]) == len(SESSIONS)
    assert len(demo.answer["closes"]) == sum(session.connections for session in SESSIONS.values())
    conversation = next(
        session for session in demo.answer["sessions"] if session["session_id"] == "conversation"
    )
    # Money is text in JSON, with every decimal there is.
    assert conversation["cost_usd"] == "0.01154325"


def test_progress_is_plain_lines_away_from_a_terminal(demo: Ran) -> None:
    total = len(demo.progress) - 1

    assert demo.progress[0] == "starting the collector"
    assert [line.split("]")[0] for line in demo.progress[1:]] == [
        f"[{done}/{total}" for done in range(1, total + 1)
    ]


def test_nothing_is_left_running(demo: Ran) -> None:
    assert not demo.left_running


def test_kept_data_is_for_the_other_commands(demo: Ran) -> None:
    command = [*LIVEMETER, "sessions", "--data", str(demo.data_dir)]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)

    assert len(finished.stdout.splitlines()) == 1 + len(SESSIONS)
    assert "$0.01154 (0.01154\N{EN DASH}0.01180)" in finished.stdout


def test_a_directory_with_something_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear", "utf-8")
    command = [*LIVEMETER, "demo", "--keep", str(tmp_path)]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert finished.returncode == 1
    assert finished.stderr.splitlines()[-1].startswith(f"livemeter: the demo failed: {tmp_path} is not empty")
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]
