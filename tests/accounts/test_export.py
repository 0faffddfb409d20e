"""The prices that applications carry are the collector's, and the check says when they are not."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from livemeter.accounts import Price, read_overrides
from livemeter.accounts.rates import ALWAYS_FROM, ALWAYS_TO
from livemeter_collector.prices.export import FILE, main, price_file
from livemeter_collector.prices.rows import known_models, price_rows


def test_the_committed_file_is_up_to_date() -> None:
    assert main(["--check"]) == 0


def test_what_was_written_passes_the_check(tmp_path: Path) -> None:
    file = tmp_path / "prices.toml"

    assert main(["--file", str(file)]) == 0
    assert main(["--file", str(file), "--check"]) == 0


@pytest.mark.parametrize("content", [None, "", FILE.read_text("utf-8").replace("4.5", "4.6")])
def test_the_check_says_in_one_line_what_to_do(
    content: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "prices.toml"
    if content is not None:
        file.write_text(content, "utf-8")

    assert main(["--file", str(file), "--check"]) == 1
    expected = "prices.toml is out of date: run python -m livemeter_collector.prices.export and commit it\n"
    assert capsys.readouterr().err == expected


def row(
    model: str,
    platform: str,
    usd: str,
    *,
    modality: str = "TEXT",
    direction: str = "input",
    tier: str = "standard",
    valid_from: datetime = ALWAYS_FROM,
    valid_to: datetime = ALWAYS_TO,
) -> Price:
    return Price(model, platform, tier, direction, modality, Decimal(usd), valid_from, valid_to, 'a "source"')


NEW_YEAR = datetime(2027, 1, 1, tzinfo=UTC)
ROWS = [
    row("a", "gemini_api", "0.750"),
    row("a", "vertex_ai", "0.75"),
    row("b", "gemini_api", "0.75"),
    row("b", "vertex_ai", "0.75"),
    # Its own price on Vertex AI, for a time.
    row("c", "gemini_api", "0.75"),
    row("c", "vertex_ai", "10", valid_to=NEW_YEAR),
    row("c", "vertex_ai", "20", valid_from=NEW_YEAR, tier="flex"),
    row("c", "vertex_ai", "14000", direction="grounding", modality="QUERY"),
    row("c", "vertex_ai", "0", direction="grounding", modality="FIRST_QUERY"),
]


def test_every_row_comes_back_from_the_file() -> None:
    for rows in (ROWS, price_rows(known_models())):
        assert sorted(read_overrides(price_file(rows), "prices.toml")) == sorted(rows)


def test_models_and_platforms_of_one_price_share_an_entry() -> None:
    assert price_file(ROWS[:4]).partition("\n\n")[2] == (
        "[[price]]\n"
        'models = [\n  "a",\n  "b",\n]\n'
        'source = "a \\"source\\""\n'
        "input = { TEXT = 0.75 }\n"
    )  # fmt: skip


def test_the_order_of_the_rows_does_not_show_in_the_file() -> None:
    assert price_file(reversed(ROWS)) == price_file(ROWS)
