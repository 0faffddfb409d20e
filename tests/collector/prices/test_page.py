"""docs/prices.md: its files are read, and its worked example is what the product says."""

import re
from decimal import Decimal
from pathlib import Path

from livemeter.accounts import read_overrides
from livemeter.accounts.rates import Tier
from livemeter_collector.query import price_questions
from livemeter_collector.query.questions import rows_of
from livemeter_collector.show.prices import by_price
from livemeter_collector.store.contract import Signal, Store
from tests.accounting.events import Exported
from tests.accounting.oracle import Frame

PAGE = (Path(__file__).parents[3] / "docs" / "prices.md").read_text("utf-8")
FILES = re.findall(r"^```toml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_the_files_on_the_page_are_read() -> None:
    contract, others = (read_overrides(text, "own.toml") for text in FILES)

    assert {row.source for row in contract} == {"contract of 2026-11"}
    assert {row.usd_per_mtok for row in others if row.tier == Tier.PROVISIONED} == {Decimal(0)}
    assert {row.platform for row in others if row.model == "our-tuned-live"} == {"vertex_ai"}


def test_every_tier_is_on_the_page() -> None:
    table = PAGE.partition("| told by the server |")[2].partition("\n\n")[0]

    tiers = [line.split("|")[2].strip(" `") for line in table.splitlines()[2:]]
    assert sorted(tiers) == sorted(Tier)


def test_the_worked_example_is_what_a_session_of_that_frame_costs(store: Store) -> None:
    request = Exported()
    frame = Frame(522, {"TEXT": 332, "AUDIO": 165}, response=42, response_details={"AUDIO": 42}, thoughts=136)
    request.usage("on the page", "gemini-3.8-live", [frame])
    store.insert_otlp(Signal.LOGS, request.to_bytes(), "on the page")

    table = PAGE.partition("| kind | modality |")[2].partition("\n\n")[0]
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()[2:]]
    *terms, total = lines

    rows = {
        (row["kind"], row["modality"]): row
        for row in by_price(rows_of(price_questions.terms(store, "on the page")))
    }
    assert len(rows) == len(terms)
    for kind, modality, quantity, price, cost in terms:
        row = rows[kind, modality]
        assert row["quantity"] == int(quantity)
        assert row["price_usd_per_mtok"] == Decimal(price.partition(" ")[0])
        assert [row["usd"], row["usd_high"]] == bounds(cost)
    assert bounds(total[-1]) == [sum(row[name] for row in rows.values()) for name in ("usd", "usd_high")]  # type: ignore[misc]
    assert int(total[2]) == sum(int(quantity) for _, _, quantity, _, _ in terms)


def bounds(cost: str) -> list[Decimal]:
    """Read ``0.5`` or ``0.5 (to 0.7)``."""
    usd, *high = re.findall(r"[\d.]+", cost)
    return [Decimal(usd), Decimal((high or [usd])[0])]
