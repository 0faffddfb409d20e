"""The verbs as a shell runs them: pipes, terminals, time zones, stores that are not there."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.collector.commands.conftest import MatchesGolden, Run

COMMAND = (sys.executable, "-m", "livemeter.cli")
BY_DAY = ["costs", "--by", "day", "--by", "app"]


def environment(**changes: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "COLUMNS"}}
    return {**kept, "TERM": "xterm-256color", **changes}


def on_a_terminal(words: list[str], **changes: str) -> str:
    """Return what a command writes to a terminal, whose size the environment tells."""
    ours, theirs = pty.openpty()
    with subprocess.Popen([*COMMAND, *words], stdout=theirs, env=environment(**changes)) as process:
        os.close(theirs)
        written = b""
        # Reading from a terminal whose other end is closed is an error on Linux.
        while chunk := _read(ours):
            written += chunk
        assert process.wait(timeout=30) == 0
    os.close(ours)
    return written.decode().replace("\r\n", "\n")


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65_536)
    except OSError:
        return b""


@pytest.mark.parametrize("form", [[], ["--json"], ["--format", "TSV"]], ids=["table", "json", "format"])
def test_a_reader_that_has_seen_enough_is_no_error(data: Path, form: list[str]) -> None:
    """``livemeter sql ... | head -1``, with more to come than a pipe holds."""
    words = ["sql", "SELECT number, number FROM system.numbers LIMIT 50000", *form, "--data", str(data)]
    with subprocess.Popen([*COMMAND, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=30) == 0


def test_times_are_utc_whatever_zone_the_machine_is_in(data: Path, matches_golden: MatchesGolden) -> None:
    for name, words in (("sessions", ["sessions"]), ("costs_by_day_and_app", BY_DAY)):
        done = subprocess.run(
            [*COMMAND, *words, "--json", "--data", str(data)],
            env=environment(TZ="Pacific/Kiritimati"),
            capture_output=True,
            check=True,
        )
        matches_golden(f"{name}.json", done.stdout.decode())


def test_a_terminal_gets_colours_and_a_table_of_its_width(data: Path) -> None:
    wide = on_a_terminal(["sessions", "--data", str(data)], COLUMNS="200")
    narrow = on_a_terminal(["sessions", "--data", str(data)], COLUMNS="80")
    plain = on_a_terminal(["sessions", "--data", str(data)], COLUMNS="200", NO_COLOR="1")
    assert "\x1b[31mfailed" in wide
    assert "\x1b" not in plain
    assert "not shown for lack of width: " in narrow
    assert max(len(re.sub(r"\x1b\[[0-9;]*m", "", line)) for line in narrow.splitlines()) <= 80


def test_output_that_cannot_be_encoded_is_no_error(data: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "session", "0199a7c20", "--data", str(data)],
        env=environment(PYTHONIOENCODING="ascii"),
        capture_output=True,
        check=True,
    )
    assert b"lesson=caf?" in done.stdout


@pytest.mark.parametrize("words", ["sessions", "costs", "closes", "closes --each"])
def test_an_empty_store_says_how_to_get_sessions(run: Run, empty_data: Path, words: str) -> None:
    outcome = run(words, empty_data)
    assert (outcome.exit_code, outcome.out) == (0, "")
    assert outcome.err.startswith("livemeter: no sessions yet: start the collector with livemeter up")
    assert outcome.err.count("\n") == 1


@pytest.mark.parametrize("words", ["sessions", "closes"])
def test_programs_get_an_empty_answer_from_an_empty_store(run: Run, empty_data: Path, words: str) -> None:
    assert run(f"{words} --json", empty_data).out == "[]\n"
    assert run(f"{words} --csv", empty_data).out.count("\r\n") == 1


@pytest.mark.parametrize(
    "words", [["sessions"], ["session", "x"], ["costs"], ["closes"], ["sql", "SELECT 1"]]
)
def test_a_server_that_is_not_there_is_one_line(words: list[str]) -> None:
    # Port 9 is reserved for throwing things away; nothing listens there.
    done = subprocess.run(
        [*COMMAND, *words, "--clickhouse", "http://127.0.0.1:9"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "http://127.0.0.1:9 " in done.stderr


def test_without_a_collector_the_directory_itself_is_read(
    data_at_rest: Path, matches_golden: MatchesGolden
) -> None:
    for name, words in (("sessions.txt", ["sessions"]), ("costs.json", ["costs", "--json"])):
        done = subprocess.run(
            [*COMMAND, *words, "--data", str(data_at_rest)],
            env=environment(TZ="Pacific/Kiritimati"),
            capture_output=True,
            check=True,
        )
        matches_golden(name, done.stdout.decode())


def test_a_directory_that_is_not_there_is_one_line_and_is_not_made(run: Run, tmp_path: Path) -> None:
    outcome = run("sessions", tmp_path / "absent")
    assert (outcome.exit_code, outcome.out, outcome.err.count("\n")) == (1, "", 1)
    assert "livemeter up" in outcome.err
    assert not (tmp_path / "absent").exists()
