import subprocess
import sys
from pathlib import Path

import pytest

from livemeter import __version__
from livemeter.cli.main import VERBS, main

# Runs the command where some distributions are not installed.
WITHOUT = """
import sys
for name in {names!r}:
    sys.modules[name] = None
from livemeter.cli.main import main
sys.exit(main({words!r}))
"""


def run(*words: str, without: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    code = WITHOUT.format(names=without, words=list(words))
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )


def test_the_overview_names_every_command_and_the_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0

    shown = capsys.readouterr().out
    assert all(f"  {verb.name} " in shown for verb in VERBS)
    assert "import livemeter.auto" in shown


def test_without_a_command_the_overview_is_shown_and_the_exit_code_is_2(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([]) == 2
    assert "usage: livemeter COMMAND" in capsys.readouterr().out


def test_an_unknown_command_is_one_line_that_names_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["frobnicate"]) == 2

    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("livemeter: unknown command 'frobnicate'")
    assert "sessions" in line


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"livemeter {__version__}\n"


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_every_command_has_help_with_examples(verb: object, capsys: pytest.CaptureFixture[str]) -> None:
    name = verb.name  # type: ignore[attr-defined]
    with pytest.raises(SystemExit) as exit_:
        main([name, "--help"])

    assert exit_.value.code == 0
    shown = capsys.readouterr().out
    assert f"usage: livemeter {name}" in shown
    assert f"examples:\n  livemeter {name}" in shown


def test_the_base_install_shows_help_without_any_extra() -> None:
    absent = ("rich", "chdb", "clickhouse_connect", "grpc", "starlette", "uvicorn", "google.genai", "trustme")

    assert run("--help", without=absent).returncode == 0


@pytest.mark.parametrize(
    ("words", "absent", "extra"),
    [
        (("sessions",), "rich", "livemeter[collector]"),
        (("up",), "starlette", "livemeter[collector]"),
        (("up",), "grpc", "livemeter[collector]"),
        (("demo",), "trustme", "livemeter[all]"),
        (("demo",), "google.genai", "livemeter[all]"),
    ],
)
def test_a_missing_extra_is_one_line_that_names_it(words: tuple[str, ...], absent: str, extra: str) -> None:
    finished = run(*words, without=(absent,))

    assert finished.returncode == 1
    [line] = finished.stderr.splitlines()
    assert f"pip install '{extra}'" in line


def test_the_missing_engine_is_one_line_that_names_its_extra(tmp_path: Path) -> None:
    finished = run("up", "--data", str(tmp_path / "data"), without=("chdb",))

    assert finished.returncode == 1
    [line] = finished.stderr.splitlines()
    assert "pip install 'livemeter[embedded]'" in line


def test_an_interrupt_is_one_word_and_no_traceback() -> None:
    code = "import os, signal, sys; from livemeter.cli import main as cli\n"
    code += "cli._run_verb = lambda name, words: os.kill(os.getpid(), signal.SIGINT)\n"
    code += "sys.exit(cli.main(['sessions']))"
    finished = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )

    assert (finished.returncode, finished.stderr) == (130, "livemeter: stopped\n")
