"""``livemeter reconcile`` over a collector: the file, the days, the answer, and wrong files."""

import csv
import io
import json
import re
import shlex
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from livemeter.cli.main import main
from tests.collector.commands.conftest import Run
from tests.collector.commands.seed import YESTERDAY
from tests.collector.reconcile.files import HEADINGS, file, line

# The seeded models have no version in their names: one family, whose SKUs would be written like this.
TEXT_IN = "BidiGenerateContent text input token count for Gemini"
AUDIO_IN = "BidiGenerateContent audio input token count for Gemini"
AUDIO_OUT = "BidiGenerateContent audio output token count for Gemini"
TEXT_OUT = "BidiGenerateContent text output token count for Gemini"
VIDEO_IN = "BidiGenerateContent video input token count for Gemini"
SEARCH = "Generate content search query gemini"
HOURS = {"start": f"{YESTERDAY:%Y-%m-%d} 03:00:00 UTC", "end": f"{YESTERDAY:%Y-%m-%d} 12:00:00 UTC"}


@pytest.fixture
def bill(tmp_path: Path) -> Path:
    """Every token of the seeded sessions billed at a dollar a million, and queries at a cent."""
    path = tmp_path / "billing.csv"
    lines = [
        # 332 + 400 + 450 + 1000 + 2000 of priced and 1234 of unpriced models, and 25 of unknown modality.
        line(TEXT_IN, "0.005441", "5441", **HOURS),
        line(AUDIO_IN, "0.000815", "815", **HOURS),
        line(AUDIO_OUT, "0.000252", "252", **HOURS),
        line(TEXT_OUT, "0.000141", "141", **HOURS),
        line(VIDEO_IN, "0.002", "2000", **HOURS),
        line(SEARCH, "0.02", "2", **HOURS),
    ]
    path.write_text("".join(file(*lines)), encoding="utf-8-sig")
    return path


def test_a_bill_is_held_against_what_a_running_collector_recorded(run: Run, bill: Path) -> None:
    outcome = run(f"reconcile {shlex.quote(str(bill))} --by sku --json")
    answer = json.loads(outcome.out)
    rows = {(row["direction"], row["modality"]): row for row in answer["rows"]}
    assert {key: (row["billed_quantity"], row["recorded_quantity"]) for key, row in rows.items()} == {
        ("input", "TEXT"): ("5441", 5441),
        ("input", "AUDIO"): ("815", 815),
        ("input", "VIDEO"): ("2000", 2000),
        ("output", "AUDIO"): ("252", 252),
        ("output", "TEXT"): ("141", 141),
        ("grounding", "QUERY"): ("2", 2),
    }
    # As seed.py works it out: 0.03440875, 0.00075 and 0.0015.
    assert Decimal(answer["total"]["recorded_usd"]) == Decimal("0.03665875")
    assert rows["input", "VIDEO"]["unpriced_usd"] == "0.002"
    # The model that spoke 2 s without usage: 50 tokens at 12 a million.
    assert rows["output", "AUDIO"]["coverage_usd"] == "0.0006"
    parts = [name for name in answer["total"] if name.endswith("_usd") and name.split("_")[0] not in
             {"billed", "recorded", "credits", "gap"}]  # fmt: skip
    assert sum(Decimal(answer["total"][name]) for name in parts) == Decimal(answer["total"]["gap_usd"])


def test_the_table_says_the_same_by_day_and_sku(run: Run, bill: Path) -> None:
    outcome = run(f"reconcile {shlex.quote(str(bill))}")
    assert (outcome.exit_code, outcome.err) == (0, "")
    # Three o'clock in UTC is the day before in California: usage over midnight is of both days.
    days = f"{YESTERDAY - timedelta(days=1):%Y-%m-%d} to {YESTERDAY:%Y-%m-%d}"
    head, *rows = outcome.out.splitlines()
    assert re.split(r"  +", head) == [
        "day", "platform", "model", "direction", "modality", "tokens billed", "billed", "tokens recorded",
        "recorded", "gap",
    ]  # fmt: skip
    assert sum(row.startswith(days) for row in rows) == 6


def test_csv_has_the_rows_alone(run: Run, bill: Path) -> None:
    outcome = run(f"reconcile {shlex.quote(str(bill))} --csv --by sku")
    rows = list(csv.DictReader(io.StringIO(outcome.out, newline="")))
    assert sum(Decimal(row["billed_usd"] or 0) for row in rows) == Decimal("0.028649")


def test_a_file_is_read_from_stdin_too(run: Run, bill: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(bill.read_text("utf-8-sig")))
    assert json.loads(run("reconcile - --json").out)["lines"] == 6


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the file is empty"),
        (HEADINGS.replace("sku.description", "sku.name").encode(), "no line of headings has sku.description"),
        ("".join(file(line(TEXT_IN, "1", "1"), line(TEXT_IN, "1", "many"))).encode(), "line 3: usage 'many'"),
        ("".join(file(line(TEXT_IN, "1", "1"))).encode("utf-16"), "this is no CSV in UTF-8"),
        (None, "No such file or directory"),
    ],
)
def test_a_wrong_file_is_one_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], content: bytes | None, words: str
) -> None:
    path = tmp_path / "billing.csv"
    if content is not None:
        path.write_bytes(content)
    assert main(["reconcile", str(path), "--data", str(tmp_path)]) == 1
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith(f"livemeter: {path}: {words}")
    assert err.count("\n") == 1


def test_a_day_that_is_none_is_said_so(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["reconcile", "x.csv", "--from", "July"])
    assert "'July' is no day: try 2026-11-01" in capfd.readouterr().err
