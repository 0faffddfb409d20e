"""A user's file of prices: what it can say, and what a mistake in it is answered with."""

import contextlib
import re
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from livemeter.accounts import PriceFileError, price_file, read_overrides
from livemeter.accounts.rates import ALWAYS_FROM, ALWAYS_TO, Price

ENTRY = '[[price]]\nmodels = ["m"]\n'


def test_the_least_that_a_price_needs() -> None:
    assert read_overrides(f"{ENTRY}input = {{ TEXT = 0.75 }}", "own.toml") == tuple(
        Price("m", platform, "standard", "input", "TEXT", Decimal("0.75"), ALWAYS_FROM, ALWAYS_TO, "own.toml")
        for platform in ("gemini_api", "vertex_ai")
    )


def test_the_documented_example_is_read() -> None:
    documentation = price_file.__doc__ or ""
    lines = documentation.partition("::\n\n")[2].splitlines()
    text = "\n".join(line.strip() for line in lines if line.startswith("    "))

    prices = read_overrides(text, "own.toml")

    start, end = datetime(2026, 12, 1, tzinfo=UTC), datetime(2027, 12, 1, tzinfo=UTC)
    common = {("gemini-3.8-live", "vertex_ai", "standard", start, end, "contract of 2026-11")}
    assert {
        (row.model, row.platform, row.tier, row.valid_from, row.valid_to, row.source) for row in prices
    } == common
    assert {(row.direction, row.modality): row.usd_per_mtok for row in prices} == {
        ("input", "TEXT"): Decimal("0.7"),
        ("input", "AUDIO"): Decimal("2.8"),
        ("output", "TEXT"): Decimal("4.2"),
        ("output", "AUDIO"): Decimal(11),
        ("cached_input", "TEXT"): Decimal("0.07"),
        ("grounding", "QUERY"): Decimal(12_000),
        ("grounding", "FIRST_QUERY"): Decimal(0),
    }


def test_a_price_of_several_models_is_the_price_of_each() -> None:
    text = '[[price]]\nmodels = ["a", "b"]\nplatform = "vertex_ai"\ntier = "flex"\noutput = { AUDIO = 6 }'

    assert [(row.model, row.platform, row.tier) for row in read_overrides(text, "own.toml")] == [
        ("a", "vertex_ai", "flex"),
        ("b", "vertex_ai", "flex"),
    ]


def test_a_file_without_prices_overrides_nothing() -> None:
    assert read_overrides("# nothing yet\n", "own.toml") == ()


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2026-12-01", datetime(2026, 12, 1, tzinfo=UTC)),
        ("2026-12-01T05:00:00Z", datetime(2026, 12, 1, 5, tzinfo=UTC)),
        ("2026-12-01T05:30:00+05:30", datetime(2026, 12, 1, tzinfo=UTC)),
    ],
)
def test_a_time_is_a_date_or_an_hour_of_utc(written: str, moment: datetime) -> None:
    prices = read_overrides(f"{ENTRY}valid_from = {written}\ninput = {{ TEXT = 1 }}", "own.toml")

    assert {row.valid_from for row in prices} == {moment}


def test_a_price_may_begin_where_another_of_the_same_ends() -> None:
    first = f"{ENTRY}valid_to = 2027-01-01\ninput = {{ TEXT = 1 }}"
    second = f"{ENTRY}valid_from = 2027-01-01\ninput = {{ TEXT = 2 }}"

    assert len(read_overrides(f"{first}\n{second}", "own.toml")) == 4


MISTAKES = {
    "price = ": "own.toml: not valid TOML: Invalid value (at end of document)",
    "[[prices]]": "own.toml: unknown key 'prices'; known are price",
    "price = 3": "own.toml: every price must begin with [[price]]",
    "price = [3]": "own.toml: price 1: must be a table that begins with [[price]]",
    "[[price]]": 'own.toml: price 1: models must be a list of names, such as ["gemini-3.8-live"]',
    "[[price]]\nmodels = []": (
        'own.toml: price 1: models must be a list of names, such as ["gemini-3.8-live"]'
    ),
    '[[price]]\nmodels = ["models/m"]': "own.toml: price 1: models must hold bare names, not 'models/m'",
    '[[price]]\nmodels = ["m", "m"]': "own.toml: price 1: models has m twice",
    ENTRY: (
        "own.toml: price 1 (m): has no price; give input, output, cached_input or grounding_per_1000_queries"
    ),
    f"{ENTRY}inputs = {{ TEXT = 1 }}": (
        "own.toml: price 1 (m): unknown key 'inputs'; known are models, platform, tier, valid_from, valid_to,"
        " input, output, cached_input, grounding_per_1000_queries,"
        " grounding_per_1000_first_queries, source"
    ),
    f'{ENTRY}platform = "vertex"': (
        "own.toml: price 1 (m): platform must be one of gemini_api, vertex_ai, not 'vertex'"
    ),
    f'{ENTRY}platform = ""': "own.toml: price 1 (m): platform must be one of gemini_api, vertex_ai, not ''",
    f"{ENTRY}tier = 1": "own.toml: price 1 (m): tier must be a text",
    f'{ENTRY}tier = "batch"': (
        "own.toml: price 1 (m): tier must be one of standard, priority, flex, provisioned, not 'batch'"
    ),
    f"{ENTRY}input = 1": (
        "own.toml: price 1 (m): input must be a table by modality, such as { TEXT = 0.75 }"
    ),
    f"{ENTRY}input = {{ text = 1 }}": (
        "own.toml: price 1 (m): input: unknown key 'text'; known are TEXT, AUDIO, IMAGE, VIDEO"
    ),
    f'{ENTRY}output = {{ AUDIO = "12" }}': (
        "own.toml: price 1 (m): output.AUDIO must be a number, such as 0.75"
    ),
    f"{ENTRY}output = {{ AUDIO = true }}": (
        "own.toml: price 1 (m): output.AUDIO must be a number, such as 0.75"
    ),
    f"{ENTRY}output = {{ AUDIO = nan }}": (
        "own.toml: price 1 (m): output.AUDIO must be a number, such as 0.75"
    ),
    f"{ENTRY}output = {{ AUDIO = -1 }}": "own.toml: price 1 (m): output.AUDIO must be from 0 to 1000000 USD",
    f"{ENTRY}output = {{ AUDIO = 1e99 }}": (
        "own.toml: price 1 (m): output.AUDIO must be from 0 to 1000000 USD"
    ),
    f"{ENTRY}output = {{ AUDIO = 0.1234567890123 }}": (
        "own.toml: price 1 (m): output.AUDIO must have at most 12 decimals"
    ),
    f"{ENTRY}grounding_per_1000_queries = [14]": (
        "own.toml: price 1 (m): grounding_per_1000_queries must be a number, such as 0.75"
    ),
    f'{ENTRY}tier = "flex"\ngrounding_per_1000_queries = 14': (
        "own.toml: price 1 (m): grounding_per_1000_queries is of the tier standard alone;"
        " make it a price of its own"
    ),
    f'{ENTRY}valid_from = "2026-12-01"': (
        "own.toml: price 1 (m): valid_from must be a time in UTC, such as 2026-12-01T00:00:00Z"
    ),
    f"{ENTRY}valid_from = 2026-12-01T00:00:00": (
        "own.toml: price 1 (m): valid_from must be a time in UTC, such as 2026-12-01T00:00:00Z"
    ),
    f"{ENTRY}valid_from = 2026-12-01T00:30:00Z": (
        "own.toml: price 1 (m): valid_from must be on a whole hour of UTC"
    ),
    f"{ENTRY}valid_to = 0001-01-01T00:00:00+12:00": (
        "own.toml: price 1 (m): valid_to must be between the years 2020 and 2100"
    ),
    f"{ENTRY}valid_from = 2027-01-01\nvalid_to = 2027-01-01": (
        "own.toml: price 1 (m): valid_to must be later than valid_from"
    ),
    f"{ENTRY}source = 3": "own.toml: price 1 (m): source must be a text",
    f"{ENTRY}input = {{ TEXT = 1 }}\n{ENTRY}input = {{ TEXT = 2 }}": (
        "own.toml: price 2 (m): price 1 has its input of TEXT on gemini_api from the same time on;"
        " keep one of them"
    ),
}


@pytest.mark.parametrize("text", MISTAKES)
def test_a_mistake_is_one_line_with_the_file_the_entry_and_what_is_allowed(text: str) -> None:
    with pytest.raises(PriceFileError, match=f"^{re.escape(MISTAKES[text])}$"):
        read_overrides(text, "own.toml")


VALUES = st.one_of(
    st.sampled_from(
        [
            '"x"',
            '["m"]',
            "1",
            "-1",
            "0.5",
            "inf",
            "true",
            "{}",
            "[]",
            "2026-12-01",
            "2027-01-01T01:00:00-23:00",
        ]
    ),
    st.integers().map(str),
    st.builds(
        "{{ {} = {} }}".format, st.sampled_from(["TEXT", "AUDIO", '"a\\nb"']), st.sampled_from(["1", "1e9"])
    ),
)
ENTRIES = st.dictionaries(
    st.sampled_from(
        ["platform", "tier", "valid_from", "valid_to", "input", "output", "cached_input", "source", '"a\\nb"']
    ),
    VALUES,
).map(lambda keys: ENTRY + "".join(f"{key} = {value}\n" for key, value in keys.items()))


@given(st.one_of(st.text(), st.lists(ENTRIES, max_size=3).map("".join)))
@example("a = " + "9" * 5000)
def test_any_file_is_read_or_refused_in_one_line(text: str) -> None:
    with contextlib.suppress(PriceFileError):
        read_overrides(text, "own.toml")
        return
    with pytest.raises(PriceFileError) as refused:
        read_overrides(text, "own.toml")
    assert len(str(refused.value).splitlines()) == 1
