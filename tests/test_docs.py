"""What the documentation shows is run."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from livemeter.cli.main import VERBS

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^livemeter ([a-z-]+)", re.MULTILINE)


def test_the_example_of_testing_one_s_own_application_runs() -> None:
    [code] = BLOCK.findall((ROOT / "docs" / "testing.md").read_text("utf-8"))
    finished = subprocess.run(
        [sys.executable, "-c", f"{code}\nprint(frames)"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert finished.returncode == 0, finished.stderr
    kinds, frames = finished.stdout.splitlines()
    assert kinds == "['setup', 'clientContent']"
    # 400 ms in frames of 20 ms, and the turn's end with its usage.
    assert frames == "21"


def test_every_command_that_the_readme_shows_exists() -> None:
    shown = set(COMMAND.findall((ROOT / "README.md").read_text("utf-8")))

    assert shown
    assert shown <= {verb.name for verb in VERBS}


def test_every_make_verb_that_the_readme_shows_exists() -> None:
    verbs = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))

    assert set(re.findall(r"`?make ([a-z-]+[a-z])\b", (ROOT / "README.md").read_text("utf-8"))) <= verbs


@pytest.mark.parametrize("path", sorted((ROOT / "docs" / "adr").glob("0*.md")), ids=lambda path: path.stem)
def test_every_decision_is_in_the_index_with_its_date_and_status(path: Path) -> None:
    index = (path.parent / "README.md").read_text("utf-8")
    text = path.read_text("utf-8")

    assert f"[{path.stem[:4]}]({path.name})" in index
    assert re.search(r"^Date: \d{4}-\d\d-\d\d\. Status: \w", text, re.MULTILINE)


def test_every_link_to_a_file_leads_somewhere() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "deploy").rglob("*.md")]
    broken = [
        (page.name, target)
        for page in pages
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text("utf-8"))
        if not (page.parent / target).exists()
    ]

    assert broken == []


def test_the_examples_of_what_an_application_says_and_asks_run() -> None:
    blocks = BLOCK.findall((ROOT / "docs" / "sessions.md").read_text("utf-8"))

    assert len(blocks) == 4
    finished = subprocess.run(
        [sys.executable, "-c", "\n".join(blocks)], capture_output=True, text=True, timeout=60, check=False
    )
    assert finished.returncode == 0, finished.stderr
