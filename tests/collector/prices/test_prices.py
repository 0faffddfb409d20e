"""Published prices become rows, once; names that turn up later are priced without a restart."""

import asyncio
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from genai_prices.types import ClauseEquals, ConditionalPrice, ModelInfo, ModelPrice, StartDateConstraint

from livemeter.diagnosis.models import load_models
from livemeter_collector.prices import rows
from livemeter_collector.prices.load import load_prices
from livemeter_collector.prices.refresh import keep_priced
from livemeter_collector.prices.rows import ALWAYS_FROM, ALWAYS_TO, known_models, price_rows
from livemeter_collector.store.contract import Signal, Store
from tests.accounting.events import Exported
from tests.accounting.oracle import Frame


def prices_of(model: str) -> dict[tuple[str, str], Decimal]:
    found = [row for row in price_rows([model]) if row.platform == "vertex_ai"]
    assert {(row.valid_from, row.valid_to) for row in found} <= {(ALWAYS_FROM, ALWAYS_TO)}
    return {(row.direction, row.modality): row.usd_per_mtok for row in found}


def test_a_live_model_has_the_published_prices_by_direction_and_modality() -> None:
    # USD per million tokens; grounding: 14 USD for a thousand queries.
    assert prices_of("gemini-3.8-live") == {
        ("input", "TEXT"): Decimal("0.75"),
        ("input", "AUDIO"): Decimal(3),
        ("input", "IMAGE"): Decimal(1),
        ("input", "VIDEO"): Decimal(1),
        ("output", "TEXT"): Decimal("4.5"),
        ("output", "AUDIO"): Decimal(12),
        ("grounding", "QUERY"): Decimal(14_000),
    }


def test_what_genai_prices_lacks_comes_from_our_own_table() -> None:
    assert prices_of("gemini-3.5-live-translate-preview") == {
        ("input", "TEXT"): Decimal("3.5"),
        ("input", "AUDIO"): Decimal("3.5"),
        ("output", "TEXT"): Decimal(21),
        ("output", "AUDIO"): Decimal(21),
    }


def test_every_model_name_that_diagnosis_knows_has_a_price() -> None:
    priced = {row.model for row in price_rows(known_models())}

    assert set(load_models().models) <= priced


def test_a_model_that_nobody_has_a_price_for_has_no_row() -> None:
    assert price_rows(["gemini-9-live-unheard-of"]) == []


def test_every_row_names_its_source() -> None:
    assert all(row.source for row in price_rows(known_models()))


def test_a_later_price_ends_the_one_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    doubled = StartDateConstraint(start_date=date(2027, 1, 1))
    info = ModelInfo(
        id="x",
        match=ClauseEquals(equals="x"),
        prices=[
            ConditionalPrice(prices=ModelPrice(input_mtok=Decimal(1))),
            ConditionalPrice(constraint=doubled, prices=ModelPrice(input_mtok=Decimal(2))),
        ],
    )
    monkeypatch.setattr(rows, "_find", {"x": info}.get)

    new_year = datetime(2027, 1, 1, tzinfo=UTC)
    assert [
        (row.usd_per_mtok, row.valid_from, row.valid_to)
        for row in price_rows(["x"])
        if row.platform == "gemini_api"
    ] == [(Decimal(1), ALWAYS_FROM, new_year), (Decimal(2), new_year, ALWAYS_TO)]


def test_loading_again_writes_nothing(store: Store) -> None:
    count = load_prices(store)

    def parts() -> object:
        return store.query(
            "SELECT name FROM system.parts WHERE database = 'livemeter' AND table = 'model_prices' AND active"
        ).rows

    before = parts()
    assert load_prices(store) == count
    assert parts() == before


async def test_a_model_that_turns_up_later_is_priced_without_a_restart(store: Store) -> None:
    request = Exported()
    # Not in any table of ours; genai-prices knows the family by its first words.
    request.usage("later", "gemini-3.8-live-042", [Frame(1_000_000, {"TEXT": 1_000_000})])
    store.insert_otlp(Signal.LOGS, request.to_bytes(), "later")

    def cost() -> object:
        sql = "SELECT usd FROM livemeter.live_session_costs WHERE session_id = 'later'"
        return store.query(sql).rows[0][0]

    assert cost() is None
    pricing = asyncio.create_task(keep_priced(store, interval_s=0.01))
    async with asyncio.timeout(20):
        while cost() is None:  # noqa: ASYNC110 - what is waited for happens in ClickHouse
            await asyncio.sleep(0.02)
    pricing.cancel()
    await asyncio.gather(pricing, return_exceptions=True)

    assert cost() == Decimal("0.75")
