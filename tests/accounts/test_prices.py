"""Which price holds: by modality and rate, by time, and where the user has one of their own."""

from datetime import UTC, datetime
from decimal import Decimal, localcontext

import pytest

from livemeter.accounts import PriceList, price_list, read_overrides
from livemeter.accounts.lines import UNATTRIBUTED, Kind, Source, UsageLine
from livemeter.accounts.prices import UnitPrice, dollars, packaged_prices, with_overrides
from livemeter.accounts.rates import ALWAYS_FROM, ALWAYS_TO
from livemeter_collector.prices.rows import known_models, price_rows

MODEL = "gemini-3.8-live"
NEW_YEAR = datetime(2027, 1, 1, tzinfo=UTC)
NEW_YEAR_S = int(NEW_YEAR.timestamp())
MICRODOLLAR = 10**12
"""In attodollars: what a token costs at one USD per million."""


def one(kind: Kind, modality: str) -> UsageLine:
    return UsageLine(kind, modality, 1, Source.REPORTED)


def usd(
    prices: PriceList,
    kind: Kind,
    modality: str,
    *,
    model: str = MODEL,
    platform: str = "gemini_api",
    tier: str = "standard",
    at_s: int = NEW_YEAR_S,
) -> tuple[Decimal, Decimal, Decimal] | None:
    """What a million costs: usd, low and high."""
    price = prices.of(one(kind, modality), model, platform, tier, at_s)
    return None if price is None else tuple(dollars(each * 10**6) for each in price)  # type: ignore[return-value]


def exactly(number: str) -> tuple[Decimal, Decimal, Decimal]:
    return (Decimal(number),) * 3


def own(text: str) -> PriceList:
    return PriceList(with_overrides(packaged_prices(), read_overrides(text, "own.toml")))


def alone(text: str) -> PriceList:
    return PriceList(read_overrides(text, "own.toml"))


@pytest.mark.parametrize(
    ("kind", "modality", "number"),
    [
        (Kind.PROMPT, "TEXT", "0.75"),
        (Kind.PROMPT, "AUDIO", "3"),
        (Kind.TOOL_USE_PROMPT, "TEXT", "0.75"),
        (Kind.RESPONSE, "AUDIO", "12"),
        (Kind.THOUGHTS, "TEXT", "4.5"),
        (Kind.TRANSCRIPTION, "TEXT", "4.5"),
        (Kind.PROMPT, "MODALITY_UNSPECIFIED", "0.75"),
        (Kind.PROMPT, "DOCUMENT", "1"),
        # No price of its own: cached tokens cost what others do.
        (Kind.CACHED, "AUDIO", "3"),
    ],
)
def test_every_kind_has_its_published_price(kind: Kind, modality: str, number: str) -> None:
    assert usd(price_list(), kind, modality) == exactly(number)


def test_what_is_unattributed_is_text_between_the_cheapest_and_the_dearest() -> None:
    prices = price_list()

    assert usd(prices, Kind.PROMPT, UNATTRIBUTED) == (Decimal("0.75"), Decimal("0.75"), Decimal(3))
    assert usd(prices, Kind.CACHED, UNATTRIBUTED) == (Decimal("0.75"), Decimal("0.75"), Decimal(3))
    assert usd(prices, Kind.RESPONSE, UNATTRIBUTED) == (Decimal("4.5"), Decimal("4.5"), Decimal(12))


def test_a_query_costs_what_is_published_and_at_least_what_a_months_first_ones_do() -> None:
    # 14 USD for a thousand queries, after 5,000 a month that are free.
    assert usd(price_list(), Kind.GROUNDING, "") == (Decimal(14_000), Decimal(0), Decimal(14_000))


@pytest.mark.parametrize(
    ("prices", "expected"),
    [
        # The published allowance holds for what a user did not name.
        ("grounding_per_1000_queries = 12", (12_000, 0, 12_000)),
        ("grounding_per_1000_queries = 12\ngrounding_per_1000_first_queries = 12", (12_000, 12_000, 12_000)),
        ("grounding_per_1000_first_queries = 3", (14_000, 3_000, 14_000)),
    ],
)
def test_a_user_says_what_a_months_first_queries_cost(prices: str, expected: tuple[int, int, int]) -> None:
    found = usd(own(f'[[price]]\nmodels = ["{MODEL}"]\n{prices}'), Kind.GROUNDING, "")
    assert found == tuple(Decimal(each) for each in expected)


def test_an_allowance_alone_prices_nothing() -> None:
    prices = alone('[[price]]\nmodels = ["m"]\ngrounding_per_1000_first_queries = 0')

    assert usd(prices, Kind.GROUNDING, "", model="m") is None


def test_what_is_unattributed_has_no_price_where_text_has_none() -> None:
    prices = alone('[[price]]\nmodels = ["m"]\ninput = { AUDIO = 1 }')

    assert usd(prices, Kind.PROMPT, UNATTRIBUTED, model="m") is None


def test_cached_tokens_have_their_own_price_where_there_is_one() -> None:
    prices = alone('[[price]]\nmodels = ["m"]\ninput = { TEXT = 4, AUDIO = 8 }\ncached_input = { TEXT = 1 }')

    assert usd(prices, Kind.CACHED, "TEXT", model="m") == exactly("1")
    assert usd(prices, Kind.CACHED, "AUDIO", model="m") == exactly("8")
    assert usd(prices, Kind.CACHED, UNATTRIBUTED, model="m") == (Decimal(4), Decimal(4), Decimal(8))
    assert usd(prices, Kind.PROMPT, "TEXT", model="m") == exactly("4")


@pytest.mark.parametrize(
    ("model", "tier", "modality"),
    [
        ("gemini-9-live-unheard-of", "standard", "TEXT"),
        (MODEL, "provisioned", "TEXT"),
        (MODEL, "priority", "TEXT"),
        (MODEL, "standard", "SCENT"),
    ],
)
def test_what_nobody_published_has_no_price(model: str, tier: str, modality: str) -> None:
    assert usd(price_list(), Kind.PROMPT, modality, model=model, tier=tier) is None


def test_a_platform_that_is_not_known_has_no_price() -> None:
    assert usd(price_list(), Kind.PROMPT, "TEXT", platform="") is None


TWO_PERIODS = """
[[price]]
models = ["m"]
valid_to = 2027-01-01
input = { TEXT = 1 }

[[price]]
models = ["m"]
valid_from = 2027-01-01
valid_to = 2027-01-02
input = { TEXT = 2, AUDIO = 5 }
"""


@pytest.mark.parametrize(
    ("at_s", "number"),
    [
        (NEW_YEAR_S - 1, "1"),
        (NEW_YEAR_S, "2"),
        (NEW_YEAR_S + 86_399, "2"),
        (NEW_YEAR_S + 86_400, None),
    ],
)
def test_the_later_price_holds_at_an_edge_and_the_last_one_ends_before_its_end(
    at_s: int, number: str | None
) -> None:
    expected = None if number is None else exactly(number)

    assert usd(alone(TWO_PERIODS), Kind.PROMPT, "TEXT", model="m", at_s=at_s) == expected


def test_the_bounds_of_what_is_unattributed_are_those_of_its_time() -> None:
    prices = alone(TWO_PERIODS)

    assert usd(prices, Kind.PROMPT, UNATTRIBUTED, model="m", at_s=NEW_YEAR_S - 1) == exactly("1")
    assert usd(prices, Kind.PROMPT, UNATTRIBUTED, model="m") == (Decimal(2), Decimal(2), Decimal(5))


def test_an_override_wins_for_what_it_names_and_for_nothing_else() -> None:
    prices = own(f'[[price]]\nmodels = ["{MODEL}"]\nplatform = "vertex_ai"\ninput = {{ AUDIO = 0.5 }}')

    assert usd(prices, Kind.PROMPT, "AUDIO", platform="vertex_ai") == exactly("0.5")
    assert usd(prices, Kind.PROMPT, "AUDIO", platform="gemini_api") == exactly("3")
    assert usd(prices, Kind.PROMPT, "TEXT", platform="vertex_ai") == exactly("0.75")
    assert usd(prices, Kind.RESPONSE, "AUDIO", platform="vertex_ai") == exactly("12")
    assert usd(prices, Kind.PROMPT, "AUDIO", platform="vertex_ai", tier="flex") is None
    # The cheapest is the override now, the dearest an image's.
    unattributed = usd(prices, Kind.PROMPT, UNATTRIBUTED, platform="vertex_ai")
    assert unattributed == (Decimal("0.75"), Decimal("0.5"), Decimal(1))


def test_before_and_after_an_override_the_published_price_holds() -> None:
    period = "valid_from = 2027-01-01\nvalid_to = 2027-02-01"
    prices = own(f'[[price]]\nmodels = ["{MODEL}"]\n{period}\ninput = {{ TEXT = 9 }}')

    day = 86_400
    assert usd(prices, Kind.PROMPT, "TEXT", at_s=NEW_YEAR_S - 1) == exactly("0.75")
    assert usd(prices, Kind.PROMPT, "TEXT", at_s=NEW_YEAR_S) == exactly("9")
    assert usd(prices, Kind.PROMPT, "TEXT", at_s=NEW_YEAR_S + 31 * day - 1) == exactly("9")
    assert usd(prices, Kind.PROMPT, "TEXT", at_s=NEW_YEAR_S + 31 * day) == exactly("0.75")
    assert usd(prices, Kind.PROMPT, UNATTRIBUTED, at_s=NEW_YEAR_S) == (Decimal(9), Decimal(1), Decimal(9))


def test_an_override_outlasts_a_later_published_price() -> None:
    published = read_overrides(TWO_PERIODS, "published.toml")
    mine = read_overrides(
        '[[price]]\nmodels = ["m"]\nvalid_from = 2026-12-01\ninput = { TEXT = 7 }', "own.toml"
    )

    prices = PriceList(with_overrides(published, mine))

    assert usd(prices, Kind.PROMPT, "TEXT", model="m", at_s=NEW_YEAR_S) == exactly("7")


def test_of_two_overrides_the_one_that_starts_later_wins() -> None:
    later = '[[price]]\nmodels = ["m"]\nvalid_from = 2027-01-01\ninput = { TEXT = 2 }'
    earlier = '[[price]]\nmodels = ["m"]\ninput = { TEXT = 1 }'
    for text in (f"{later}\n{earlier}", f"{earlier}\n{later}"):
        prices = own(text)

        assert usd(prices, Kind.PROMPT, "TEXT", model="m", at_s=NEW_YEAR_S - 1) == exactly("1")
        assert usd(prices, Kind.PROMPT, "TEXT", model="m") == exactly("2")


def test_the_prices_of_a_direction_come_out_in_the_same_periods() -> None:
    override = f'[[price]]\nmodels = ["{MODEL}"]\nvalid_from = 2027-01-01\ninput = {{ TEXT = 9 }}'

    merged = with_overrides(packaged_prices(), read_overrides(override, "own.toml"))

    periods = {
        modality: [
            (row.valid_from, row.valid_to)
            for row in merged
            if (row.model, row.platform, row.direction, row.modality)
            == (MODEL, "vertex_ai", "input", modality)
        ]
        for modality in ("TEXT", "AUDIO", "IMAGE", "VIDEO")
    }
    assert set(map(tuple, periods.values())) == {((ALWAYS_FROM, NEW_YEAR), (NEW_YEAR, ALWAYS_TO))}


def test_without_overrides_the_prices_are_the_packaged_ones() -> None:
    assert with_overrides(packaged_prices(), ()) == sorted(packaged_prices())


def test_the_packaged_prices_are_the_collectors_rows_of_every_known_model() -> None:
    assert sorted(packaged_prices()) == price_rows(known_models())


def test_the_applications_decimal_context_changes_nothing() -> None:
    text = (
        '[[price]]\nmodels = ["m"]\ninput = { TEXT = 1.000000000001 }\ngrounding_per_1000_queries = 12.345678'
    )
    with localcontext() as context:
        context.prec = 2
        prices = own(text)
        token = prices.of(one(Kind.PROMPT, "TEXT"), "m", "vertex_ai", "standard", NEW_YEAR_S)
        query = prices.of(one(Kind.GROUNDING, ""), "m", "vertex_ai", "standard", NEW_YEAR_S)
        amount = dollars(123_456_789_012_345_678_901)

    assert token == UnitPrice(*[MICRODOLLAR + 1] * 3)
    assert query == UnitPrice(*[12_345_678 * 10**9] * 3)
    assert amount == Decimal("123.456789012345678901")


@pytest.mark.parametrize(
    ("attodollars", "text"),
    [
        (0, "0"),
        (1, "1E-18"),
        (750_000_000_000, "7.5E-7"),
        (10**18, "1"),
        (10**19, "10"),
        (15 * 10**17, "1.5"),
    ],
)
def test_dollars_are_exact_and_end_in_no_zeros(attodollars: int, text: str) -> None:
    assert str(dollars(attodollars)) == text
