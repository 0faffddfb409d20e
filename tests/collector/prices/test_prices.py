"""Published prices become rows, once, a user's own win over them, and models are priced as they turn up."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from genai_prices.types import ClauseEquals, ConditionalPrice, ModelInfo, ModelPrice, StartDateConstraint

from livemeter.accounts import PriceFileError, read_overrides
from livemeter.accounts.rates import ALWAYS_FROM, ALWAYS_TO, Price
from livemeter.diagnosis.models import load_models
from livemeter.vocabulary import Attribute, Event
from livemeter_collector.prices import rows
from livemeter_collector.prices.load import Loaded, compared, load_prices
from livemeter_collector.prices.overrides import file_of, read_file
from livemeter_collector.prices.refresh import PriceBook, keep_priced
from livemeter_collector.prices.rows import known_models, price_rows
from livemeter_collector.store.contract import Signal, Store
from tests.accounting.events import Exported
from tests.accounting.oracle import Frame

NEW_YEAR = datetime(2027, 1, 1, tzinfo=UTC)
A_MILLION = Frame(1_000_000, {"TEXT": 1_000_000})
PLATFORM = "gemini_api"


@pytest.fixture
def priced(store: Store) -> Iterator[Store]:
    """The store, whose prices are the published ones again in the end."""
    yield store
    load_prices(store, reload=True)


@pytest.fixture
def own_file(tmp_path: Path) -> Callable[[str], Path]:
    """Write the user's file anew and return where it is."""

    def write(text: str) -> Path:
        file = tmp_path / "own prices.toml"
        file.write_text(text, "utf-8")
        return file

    return write


def own(model: str, usd: str, more: str = "") -> str:
    return f'[[price]]\nmodels = ["{model}"]\n{more}\ninput = {{ TEXT = {usd} }}\n'


def prices_of(model: str, platform: str = "gemini_api") -> dict[tuple[str, str], Decimal]:
    found = [row for row in price_rows([model]) if row.platform == platform]
    assert {(row.valid_from, row.valid_to) for row in found} <= {(ALWAYS_FROM, ALWAYS_TO)}
    return {(row.direction, row.modality): row.usd_per_mtok for row in found}


def cost(store: Store, session: str, column: str = "usd") -> object:
    sql = f"SELECT {column} FROM livemeter.live_session_costs WHERE session_id = {{session:String}}"
    ((value,),) = store.query(sql, {"session": session}).rows
    return value


def use(store: Store, session: str, model: str, frame: Frame = A_MILLION) -> None:
    request = Exported()
    request.usage(session, model, [frame])
    store.insert_otlp(Signal.LOGS, request.to_bytes(), session)


# What is published.


def test_a_live_model_has_the_published_prices_by_direction_and_modality() -> None:
    # USD per million tokens; grounding: 14 USD for a thousand queries, after 5,000 a month that are free.
    expected = {
        ("input", "TEXT"): Decimal("0.75"),
        ("input", "AUDIO"): Decimal(3),
        ("input", "IMAGE"): Decimal(1),
        ("input", "VIDEO"): Decimal(1),
        ("output", "TEXT"): Decimal("4.5"),
        ("output", "AUDIO"): Decimal(12),
        ("grounding", "QUERY"): Decimal(14_000),
        ("grounding", "FIRST_QUERY"): Decimal(0),
    }
    assert prices_of("gemini-3.8-live") == expected
    # An avatar's video, on Vertex AI alone.
    assert prices_of("gemini-3.8-live", "vertex_ai") == {**expected, ("output", "VIDEO"): Decimal(1)}


def test_what_genai_prices_lacks_comes_from_our_own_table() -> None:
    assert prices_of("gemini-3.5-live-translate-preview") == {
        ("input", "TEXT"): Decimal("3.5"),
        ("input", "AUDIO"): Decimal("3.5"),
        ("output", "TEXT"): Decimal(21),
        ("output", "AUDIO"): Decimal(21),
    }
    assert prices_of("gemini-3.5-transcribe-live") == prices_of("gemini-3.5-transcribe-live-preview")
    assert ("output", "AUDIO") not in prices_of("gemini-3.5-transcribe-live")


@pytest.mark.parametrize(
    ("model", "text_in", "audio_in", "text_out", "audio_out"),
    [
        ("gemini-2.0-flash-live-001", "0.35", "2.1", "1.5", "8.5"),
        ("gemini-live-2.5-flash-preview", "0.5", "3", "2", "12"),
        ("gemini-2.5-flash-preview-native-audio-dialog", "0.5", "3", "2", "12"),
        ("gemini-2.5-flash-native-audio-preview-09-2025", "0.5", "3", "2", "12"),
    ],
)
def test_retired_models_are_priced_for_the_data_they_left(
    model: str, text_in: str, audio_in: str, text_out: str, audio_out: str
) -> None:
    prices = prices_of(model)

    assert [prices["input", "TEXT"], prices["input", "AUDIO"]] == [Decimal(text_in), Decimal(audio_in)]
    assert [prices["output", "TEXT"], prices["output", "AUDIO"]] == [Decimal(text_out), Decimal(audio_out)]


def test_a_price_that_changes_at_a_known_time_has_a_row_for_each_period() -> None:
    robot = [
        row for row in price_rows(["gemini-robotics-er-2-streaming-preview"]) if row.platform == PLATFORM
    ]
    tokens = {
        (row.direction, row.modality, row.valid_from, row.valid_to): row.usd_per_mtok
        for row in robot
        if row.direction != "grounding"
    }

    first, second = (ALWAYS_FROM, NEW_YEAR), (NEW_YEAR, ALWAYS_TO)
    inputs = {
        ("input", modality, *period): Decimal(usd)
        for modality in ("TEXT", "AUDIO", "IMAGE", "VIDEO")
        for period, usd in ((first, 1), (second, 2))
    }
    assert tokens == {
        **inputs,
        ("output", "TEXT", *first): Decimal(5),
        ("output", "TEXT", *second): Decimal(10),
    }


def test_our_own_table_has_nothing_that_genai_prices_has_as_well() -> None:
    """Such a row would only be waiting to be wrong: it goes when genai-prices has the price."""
    ours = {
        (row.model, row.platform, row.direction, row.modality)
        for model in known_models()
        for row in price_rows([model])
        if not row.source.startswith("genai-prices")
    }
    text = Path(rows.__file__).with_name("published.toml").read_text("utf-8")
    table = read_overrides(text, "published.toml")

    assert {(row.model, row.platform, row.direction, row.modality) for row in table} == ours


def test_every_model_name_that_diagnosis_knows_has_a_price() -> None:
    priced = {row.model for row in price_rows(known_models())}

    assert set(load_models().models) <= priced


def test_a_model_that_nobody_has_a_price_for_has_no_row() -> None:
    assert price_rows(["gemini-9-live-unheard-of", "projects/p/locations/l/endpoints/123"]) == []


def test_every_row_names_its_source_and_our_own_the_day_of_it() -> None:
    for row in price_rows(known_models()):
        ours = not row.source.startswith("genai-prices ")
        assert date.fromisoformat(row.source[-10:]) if ours else row.source


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

    assert [
        (row.usd_per_mtok, row.valid_from, row.valid_to)
        for row in price_rows(["x"])
        if row.platform == PLATFORM
    ] == [(Decimal(1), ALWAYS_FROM, NEW_YEAR), (Decimal(2), NEW_YEAR, ALWAYS_TO)]


@pytest.mark.parametrize(
    "written",
    [
        "models/gemini-3.8-live",
        "publishers/google/models/gemini-3.8-live",
        "projects/p/locations/us-central1/publishers/google/models/gemini-3.8-live",
    ],
)
def test_a_models_resource_name_is_priced_as_the_bare_one(written: str) -> None:
    bare = price_rows(["gemini-3.8-live"], read_overrides(own("gemini-3.8-live", "0.5"), "own.toml"))
    found = price_rows([written], read_overrides(own("gemini-3.8-live", "0.5"), "own.toml"))

    as_written = [row for row in found if row.model == written]
    assert [replace(row, model="gemini-3.8-live") for row in as_written] == bare


# What a user has of their own.


def test_an_override_wins_for_its_period_and_says_where_it_is_from() -> None:
    text = own("gemini-3.8-live", "0.5", 'platform = "vertex_ai"\nvalid_from = 2027-01-01')
    overrides = read_overrides(text, "/etc/own.toml")

    texts = {
        (row.platform, row.valid_from): (row.usd_per_mtok, row.source)
        for row in price_rows(["gemini-3.8-live"], overrides)
        if (row.direction, row.modality) == ("input", "TEXT")
    }

    published = next(row.source for row in price_rows(["gemini-3.8-live"]) if row.direction == "input")
    assert texts == {
        ("gemini_api", ALWAYS_FROM): (Decimal("0.75"), published),
        ("vertex_ai", ALWAYS_FROM): (Decimal("0.75"), published),
        ("vertex_ai", NEW_YEAR): (Decimal("0.5"), "/etc/own.toml"),
    }


def test_a_model_that_only_the_user_knows_is_priced() -> None:
    overrides = read_overrides(own("our-tuned-live", "1"), "own.toml")

    assert {row.model for row in price_rows([], overrides)} == {"our-tuned-live"}


def test_the_option_names_the_file_or_else_the_variable() -> None:
    named, variable = Path("/a/named.toml"), {"LIVEMETER_PRICES": "/a/variable.toml"}

    assert file_of(named, variable) == named
    assert file_of(None, variable) == Path("/a/variable.toml")
    assert file_of(Path("here.toml"), {}) == Path.cwd() / "here.toml"
    assert file_of(None, {"LIVEMETER_PRICES": " "}) is None


def test_a_file_that_cannot_be_used_is_answered_with_what_to_do(tmp_path: Path) -> None:
    missing, folder, latin, wrong = (tmp_path / name for name in ("missing", "folder", "latin", "wrong"))
    folder.mkdir()
    latin.write_bytes(b"# caf\xe9")
    wrong.write_text(own("m", "0.75", "valid_from = 2026-12-01T00:30:00Z"), "utf-8")

    or_none = "name a file that can be read with --prices or LIVEMETER_PRICES, or none"
    for file, line in {
        missing: f"No such file or directory: {or_none}",
        folder: f"Is a directory: {or_none}",
        latin: "not valid TOML: the file must be in UTF-8",
        wrong: "price 1 (m): valid_from must be on a whole hour of UTC",
    }.items():
        with pytest.raises(PriceFileError) as caught:
            read_file(file)
        assert str(caught.value) == f"{file}: {line}"
    assert read_file(None) == ()


# In the store.


def test_loading_again_writes_nothing(store: Store) -> None:
    count = load_prices(store).rows

    def parts() -> object:
        return store.query(
            "SELECT name FROM system.parts WHERE database = 'livemeter' AND table = 'model_prices' AND active"
        ).rows

    before = parts()
    assert load_prices(store) == Loaded(count, added=[], changed=[], removed=[])
    assert parts() == before


def test_what_changed_is_told_by_what_a_price_is_for() -> None:
    kept, dearer, gone = (
        Price(model, PLATFORM, "standard", "input", "TEXT", Decimal(1), ALWAYS_FROM, ALWAYS_TO, "s")
        for model in ("kept", "dearer", "gone")
    )
    after = replace(dearer, usd_per_mtok=Decimal(2))
    later = replace(kept, valid_from=NEW_YEAR)

    loaded = compared([kept, dearer, gone], [kept, after, later])

    assert loaded == Loaded(3, added=[later], changed=[(dearer, after)], removed=[gone])


async def test_a_model_that_turns_up_later_is_priced_without_a_restart(store: Store) -> None:
    # Not in any table of ours; genai-prices knows the family by its first words.
    use(store, "later", "gemini-3.8-live-042")
    assert cost(store, "later") is None

    pricing = asyncio.create_task(keep_priced(PriceBook(store, every_s=0.01)))
    async with asyncio.timeout(20):
        while cost(store, "later") is None:  # noqa: ASYNC110 - what is waited for happens in ClickHouse
            await asyncio.sleep(0.02)
    pricing.cancel()
    await asyncio.gather(pricing, return_exceptions=True)

    assert cost(store, "later") == Decimal("0.75")


def test_a_name_with_anything_in_it_is_loaded(priced: Store) -> None:
    model = "it's \\ {a:String} \n --"
    use(priced, "odd", model)

    override = Price(model, PLATFORM, "standard", "input", "TEXT", Decimal(7), ALWAYS_FROM, ALWAYS_TO, "'\\")
    loaded = load_prices(priced, [override])

    assert loaded.added == [override]
    assert cost(priced, "odd") == 7
    assert load_prices(priced, [override]).added == []


def test_a_file_that_is_edited_restates_the_money_of_what_was_stored(
    priced: Store, own_file: Callable[[str], Path]
) -> None:
    use(priced, "edited", "gemini-3.8-live")
    assert cost(priced, "edited") == Decimal("0.75")

    book = PriceBook(priced, own_file(own("gemini-3.8-live", "0.5")))
    loaded = book.load()
    assert cost(priced, "edited") == Decimal("0.5")
    assert {(before.usd_per_mtok, after.usd_per_mtok) for before, after in loaded.changed} == {
        (Decimal("0.75"), Decimal("0.5"))
    }
    assert (len(loaded.changed), loaded.added, loaded.removed) == (2, [], [])

    own_file(own("gemini-3.8-live", "0.25"))
    book.keep_up()
    assert cost(priced, "edited") == Decimal("0.25")

    own_file("")
    book.keep_up()
    assert cost(priced, "edited") == Decimal("0.75")


def test_a_file_that_becomes_wrong_leaves_the_last_good_prices_and_one_warning(
    priced: Store, own_file: Callable[[str], Path], caplog: pytest.LogCaptureFixture
) -> None:
    use(priced, "broken", "gemini-3.8-live")
    file = own_file(own("gemini-3.8-live", "0.5"))
    book = PriceBook(priced, file)
    book.keep_up()

    own_file(own("gemini-3.8-live", '"cheap"'))
    use(priced, "broken, later", "gemini-3.8-live-043")
    with caplog.at_level(logging.WARNING, "livemeter.collector"):
        book.keep_up()
        book.keep_up()

    assert [record.getMessage() for record in caplog.records] == [
        f"the prices stay as they were: {file}: price 1 (gemini-3.8-live): input.TEXT must be a number,"
        " such as 0.75"
    ]
    assert cost(priced, "broken") == Decimal("0.5")
    # What turns up meanwhile is priced nevertheless.
    assert cost(priced, "broken, later") == Decimal("0.75")
    with pytest.raises(PriceFileError):
        book.load()

    own_file(own("gemini-3.8-live", "0.4"))
    book.keep_up()
    assert cost(priced, "broken") == Decimal("0.4")


def test_a_collector_that_starts_again_over_a_wrong_file_keeps_what_the_store_has(
    priced: Store, own_file: Callable[[str], Path], caplog: pytest.LogCaptureFixture
) -> None:
    use(priced, "started again over a wrong file", "gemini-3.8-live")
    PriceBook(priced, own_file(own("gemini-3.8-live", "0.5"))).load()

    PriceBook(priced, own_file("[[price]")).keep_up()

    assert cost(priced, "started again over a wrong file") == Decimal("0.5")
    assert "not valid TOML" in caplog.text


# Which price holds.

TIERS = {
    # Vertex AI's trafficType and the Gemini API's serviceTier, and the tier that they mean.
    ("", ""): "standard",
    ("ON_DEMAND", ""): "standard",
    ("TRAFFIC_TYPE_UNSPECIFIED", ""): "standard",
    ("", "standard"): "standard",
    ("", "unspecified"): "standard",
    ("", "FLEX"): "flex",
    ("", "priority"): "priority",
    ("ON_DEMAND_PRIORITY", ""): "priority",
    ("ON_DEMAND_FLEX", ""): "flex",
    ("ON_DEMAND_OFFPEAK", ""): "flex",
    ("PROVISIONED_THROUGHPUT", ""): "provisioned",
    ("PROVISIONED_THROUGHPUT", "priority"): "provisioned",
}
OWN_TIERS = "\n".join(
    own("gemini-3.8-live", usd, f'tier = "{tier}"')
    for tier, usd in {"flex": "0.375", "priority": "1.35", "provisioned": "0"}.items()
)


def test_a_tier_without_a_published_price_is_unpriced_until_the_user_has_one(priced: Store) -> None:
    request = Exported()
    for number, (traffic, service) in enumerate(TIERS):
        attributes: dict[str, object] = {
            Attribute.TURN: 1,
            Attribute.PASS: 1,
            Attribute.TRAFFIC_TYPE: traffic,
            Attribute.SERVICE_TIER: service,
        }
        body = '{"prompt": 1000000, "prompt_details": {"TEXT": 1000000}}'
        request.event(Event.USAGE, 1, f"tier {number}", "gemini-3.8-live", attributes, body)
    priced.insert_otlp(Signal.LOGS, request.to_bytes(), "tiers")

    def costs() -> dict[tuple[str, str], tuple[object, ...]]:
        answer = priced.query(
            "SELECT traffic_type, service_tier, tier, usd FROM livemeter.live_costs"
            " WHERE startsWith(session_id, 'tier ')"
        )
        return {(str(traffic), str(service)): tuple(found) for traffic, service, *found in answer.rows}

    standard = Decimal("0.75")
    assert costs() == {sent: (tier, standard if tier == "standard" else None) for sent, tier in TIERS.items()}

    load_prices(priced, read_overrides(OWN_TIERS, "own.toml"))
    mine = {"standard": standard, "flex": Decimal("0.375"), "priority": Decimal("1.35"), "provisioned": 0}
    assert costs() == {sent: (tier, mine[tier]) for sent, tier in TIERS.items()}


def test_a_query_costs_between_what_a_months_first_ones_do_and_the_published_price(priced: Store) -> None:
    request = Exported()
    for model in ("gemini-3.8-live", "gemini-live-2.5-flash"):
        turn: dict[str, object] = {Attribute.TURN: 1, Attribute.GROUNDING_QUERIES: 3}
        request.event(Event.TURN, 1, f"asked {model}", model, turn)
    priced.insert_otlp(Signal.LOGS, request.to_bytes(), "asked")

    def between(model: str) -> list[object]:
        return [cost(priced, f"asked {model}", name) for name in ("usd_low", "usd", "usd_high")]

    # Three queries of 0.014 each; or none of them, where the month's 5,000 are not used up.
    assert between("gemini-3.8-live") == [Decimal(0), Decimal("0.042"), Decimal("0.042")]
    # Billed by the prompt, not by the query: there is no honest price of a query.
    assert between("gemini-live-2.5-flash") == [None, None, None]

    used_up = '[[price]]\nmodels = ["gemini-3.8-live"]\ngrounding_per_1000_first_queries = 14'
    load_prices(priced, read_overrides(used_up, "own.toml"))
    assert between("gemini-3.8-live") == [Decimal("0.042")] * 3
