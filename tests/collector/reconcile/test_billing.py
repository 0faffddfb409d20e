"""Billing files in all their forms, to the last decimal, and what is said of those that cannot be read."""

import itertools
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livemeter_collector.reconcile.billing import (
    OTHER_CURRENCY,
    Bill,
    BillingFileError,
    Period,
    Wanted,
    read_bill,
)
from livemeter_collector.reconcile.skus import NOT_GEMINI, NOT_LIVE, Group
from tests.collector.reconcile.files import AUDIO_IN, AUDIO_OUT, HEADINGS, TEXT_IN, file, line

FLASH = "gemini 2.5 flash live"
DAY = date(2026, 7, 1)


def group(direction: str, modality: str, platform: str = "gemini_api") -> Group:
    return Group(platform, FLASH, direction, modality)


def reasons(bill: Bill) -> dict[str, Decimal]:
    return {sku.reason: billed.cost for sku, billed in bill.not_compared.items()}


def test_the_standard_export_is_read_by_day_and_group() -> None:
    bill = read_bill(
        file(
            line(AUDIO_OUT, "0.000504", "42"),
            line(AUDIO_OUT, "1.2e-05", "1.0"),
            line(TEXT_IN, "0.000166", "332", start="2026-07-02T09:00:00Z", end="2026-07-02T10:00:00Z"),
        )
    )
    compared = {
        (day, of.direction, of.modality): (one.quantity, one.cost) for (day, of), one in bill.compared.items()
    }
    assert compared == {
        (DAY, "output", "AUDIO"): (Decimal(43), Decimal("0.000516")),
        (date(2026, 7, 2), "input", "TEXT"): (Decimal(332), Decimal("0.000166")),
    }
    assert bill.period == Period(DAY, date(2026, 7, 2))
    assert (bill.first_moment, bill.last_moment) == (
        datetime(2026, 7, 1, 18, tzinfo=UTC),
        datetime(2026, 7, 2, 10, tzinfo=UTC),
    )


def test_underscored_columns_in_any_order_are_the_same() -> None:
    dotted = file(line(AUDIO_OUT, "0.5", "42"))
    headings = HEADINGS.replace(".", "_").split(",")
    fields = dotted[1].rstrip("\n").split(",")
    turned = file(",".join(reversed(fields)), headings=",".join(reversed(headings)))
    assert read_bill(turned).compared == read_bill(dotted).compared


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        ("2026-07-01 06:59:59.999999 UTC", date(2026, 6, 30)),
        ("2026-07-01 07:00:00 UTC", date(2026, 7, 1)),
        ("2026-01-01 07:59:59+00:00", date(2025, 12, 31)),
        ("2026-01-01T08:00:00Z", date(2026, 1, 1)),
        # The night in which summer time ends, and its 25 hours.
        ("2026-11-02 07:59:59 UTC", date(2026, 11, 1)),
        ("2026-11-02 08:00:00 UTC", date(2026, 11, 2)),
        ("2026-07-01 00:30:00", date(2026, 6, 30)),
        ("2026-07-01", date(2026, 7, 1)),
    ],
)
def test_days_are_those_of_the_us_pacific_time_zone(moment: str, day: date) -> None:
    bill = read_bill(file(line(TEXT_IN, "1", "1", start=moment, end="")))
    assert bill.period == Period(day, day)


def test_the_day_on_which_summer_time_ends_has_25_hours() -> None:
    day = Period(date(2026, 11, 1), date(2026, 11, 1))
    assert (day.end.timestamp() - day.start.timestamp()) / 3600 == 25


REPORT = """\
Date,Service description,Service ID,SKU description,SKU ID,Usage amount,Usage unit,List cost ($),\
Negotiated savings ($),Savings programs ($),Other savings ($),Unrounded subtotal ($),Subtotal ($)
2026-07-01,Gemini API,AEFD-7695-64FA,{audio},25A5-7CA0-59C2,"17,821",count,0.05,0.00,0.00,-0.01,0.043463,0.04
2026-07-01,Cloud Run,AB,Idle,CD,1,second,1.00,0.00,0.00,0.00,1.000000,1.00
,,,,,,,,,,Filtered total,1.043463,1.04
"""


def test_a_report_of_the_console_s_has_savings_taken_off_and_a_sum_at_its_end() -> None:
    """What was left is exact; what it cost before is that without what was taken off."""
    bill = read_bill(REPORT.format(audio=AUDIO_IN).splitlines(keepends=True))
    billed = bill.compared[DAY, group("input", "AUDIO")]
    assert (billed.quantity, billed.cost, billed.credits) == (
        Decimal(17821),
        Decimal("0.053463"),
        Decimal("-0.01"),
    )
    assert reasons(bill) == {NOT_GEMINI: Decimal(1)}
    assert (bill.lines, bill.by_day, bill.is_sign_alone) == (2, True, True)


COST_TABLE = """\
Invoice number,1234567890
Invoice date,2026-07-31
Currency,{currency}
Total amount due,$5.72

Project ID,Service description,SKU description,SKU ID,Credit type,Cost type,Usage start date,Usage end date,\
Usage amount,Usage unit,Unrounded cost ($),Cost ($)
voice,Gemini API,{audio},25A5,,Usage,2026-07-01,2026-07-31,"1,000,000",count,3.000001,3.00
voice,Gemini API,{audio},25A5,Promotion,Usage,2026-07-01,2026-07-31,0,count,-1.5,-1.50
voice,Tax,State sales tax,TX,,Tax,2026-07-01,2026-07-31,0,,0.40,0.40
,,,,,Total,,,,,1.900001,1.90
"""


def test_a_cost_table_of_the_console_s_is_one_period_with_credits_as_lines() -> None:
    bill = read_bill(COST_TABLE.format(audio=AUDIO_IN, currency="USD").splitlines(keepends=True))
    billed = bill.compared[DAY, group("input", "AUDIO")]
    assert (billed.quantity, billed.cost, billed.credits) == (
        Decimal(1_000_000),
        Decimal("3.000001"),
        Decimal("-1.5"),
    )
    assert reasons(bill) == {"tax, not usage": Decimal("0.40")}
    assert (bill.by_day, bill.period) == (False, Period(DAY, date(2026, 7, 31)))


def test_a_cost_table_says_its_currency_in_words_whatever_the_sign_above_its_columns() -> None:
    bill = read_bill(COST_TABLE.format(audio=AUDIO_IN, currency="AUD").splitlines(keepends=True))
    assert bill.compared == {}
    assert {sku.currency for sku in bill.not_compared} == {"AUD"}
    assert not bill.is_sign_alone


def test_usage_over_midnight_cannot_be_told_apart_by_day() -> None:
    """Of what is compared: whatever other services do is no matter."""
    over = {"start": "2026-07-01 18:00:00 UTC", "end": "2026-07-02 18:00:00 UTC"}
    snapshots = line("Snapshots", "1", "1", service="Compute Engine", **over)
    by_hour = read_bill(file(line(TEXT_IN, "1", "1"), snapshots))
    by_day = read_bill(file(line(TEXT_IN, "1", "1"), line(TEXT_IN, "2", "1", **over)))
    assert (by_hour.by_day, by_day.by_day) == (True, False)
    assert by_hour.last_moment == datetime(2026, 7, 1, 19, tzinfo=UTC)
    assert by_day.compared[DAY, group("input", "TEXT")].cost == 3


def test_nothing_in_the_file_is_dropped() -> None:
    bill = read_bill(
        file(
            line(TEXT_IN, "1", "10"),
            line(TEXT_IN, "2", "10", currency="EUR"),
            line("Generate content input token count gemini 3.5 flash text", "4", "10"),
            line("Snapshots", "8", "10", service="Compute Engine", unit="gibibyte"),
            line("", "16", "", cost_type="rounding_error"),
        )
    )
    assert reasons(bill) == {
        OTHER_CURRENCY: 2,
        NOT_LIVE: 4,
        NOT_GEMINI: 8,
        "rounding_error, not usage": 16,
    }
    assert bill.compared[DAY, group("input", "TEXT")].cost == 1


def test_credits_are_a_number_or_a_list_and_stand_apart_from_the_cost() -> None:
    listed = '[{"name": "free", "amount": -0.25}, {"name": "promotion", "amount": -0.5}]'
    bill = read_bill(file(line(TEXT_IN, "1", "1", credits_="-0.1"), line(TEXT_IN, "1", "1", credits_=listed)))
    billed = bill.compared[DAY, group("input", "TEXT")]
    assert (billed.cost, billed.credits) == (Decimal(2), Decimal("-0.85"))


@pytest.mark.parametrize(
    ("unit", "tokens"),
    [("count", 10), ("requests", 10), ("1000 count", 10_000), ("1M tokens", 10**7), ("seconds", None)],
)
def test_a_quantity_is_counted_in_tokens_or_is_not_known(unit: str, tokens: int | None) -> None:
    bill = read_bill(file(line(TEXT_IN, "1", "10", unit=unit)))
    assert bill.compared[DAY, group("input", "TEXT")].quantity == tokens


def test_where_the_unit_of_usage_is_not_known_that_of_the_price_is_taken() -> None:
    written = line(TEXT_IN, "1", "10", unit="seconds").replace("seconds,,", "seconds,0.5,1000000 count")
    bill = read_bill(file(written))
    assert bill.compared[DAY, group("input", "TEXT")].quantity == 500_000


def test_labels_add_up_what_live_usage_cost() -> None:
    tenant = '[{"key": "tenant", "value": "acme"}]'
    bill = read_bill(
        file(
            line(TEXT_IN, "1", "1", labels=tenant),
            line(AUDIO_IN, "2", "1", labels='{"tenant": "acme", "env": "prod"}'),
            line("Snapshots", "4", "1", service="Compute Engine", labels=tenant),
        )
    )
    assert bill.labelled == {("tenant", "acme"): 3, ("env", "prod"): 2}


def test_only_what_was_asked_for_counts() -> None:
    lines = file(
        line(TEXT_IN, "1", "1"),
        line(TEXT_IN, "2", "1", project="other"),
        line(TEXT_IN, "4", "1", start="2026-07-05 18:00:00 UTC", end=""),
    )
    bill = read_bill(lines, Wanted("voice", DAY, date(2026, 7, 4)))
    assert (bill.compared[DAY, group("input", "TEXT")].cost, bill.skipped_lines) == (Decimal(1), 2)


def test_a_file_without_dates_is_of_the_days_that_are_said() -> None:
    lines = [
        each.replace("2026-07-01,", "").replace("Date,", "") for each in REPORT.splitlines(keepends=True)
    ]
    text = "".join(lines).format(audio=AUDIO_IN).splitlines(keepends=True)
    with pytest.raises(BillingFileError, match="line 2: no date: group the report by date, or say"):
        read_bill(text)
    bill = read_bill(text, Wanted("", DAY, date(2026, 7, 31)))
    assert (bill.period, bill.by_day) == (Period(DAY, date(2026, 7, 31)), False)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([], "the file is empty"),
        (["\n", " \n"], "the file is empty"),
        (file(), "the file has headings and no lines"),
        (["sku.id,project.id\n", "b,c\n"], "no line of headings has sku.description, cost, usage.amount"),
        (file(headings=HEADINGS.replace("cost,", "price,")), "no line of headings has cost"),
        (file(line(TEXT_IN, "1", "1"), line(TEXT_IN, "free", "1")), "line 3: cost 'free' is no number"),
        (file(line(TEXT_IN, "NaN", "1")), "line 2: cost 'NaN' is no number"),
        (file(line(TEXT_IN, "1,00", "1")), "line 2: cost '1,00' is no number"),
        (file(line(TEXT_IN, "1", "ten")), "line 2: usage 'ten' is no number"),
        (file(line(TEXT_IN, "1", "1", start="July")), "line 2: start 'July' is no time"),
        (file(line(TEXT_IN, "1", "1", labels='{"a": ')), "line 2: labels are no JSON"),
        (file(line(TEXT_IN, "1", "1", credits_='["x"]')), "line 2: credits are no list with amounts"),
        (file('"' + "x" * 10), "line 2: this is no CSV"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_said_with_the_line(lines: list[str], words: str) -> None:
    with pytest.raises(BillingFileError) as error:
        read_bill(lines)
    assert str(error.value).startswith(words)


def test_a_line_is_named_by_where_it_begins() -> None:
    two_lines = line(TEXT_IN, "1", "1", labels='{"a":\n "b"}')
    with pytest.raises(BillingFileError, match="line 4: cost"):
        read_bill(file(two_lines, line(TEXT_IN, "x", "1")))


def test_lines_of_no_wanted_project_are_an_error() -> None:
    with pytest.raises(BillingFileError, match="none of its 1 lines is of project mine"):
        read_bill(file(line(TEXT_IN, "1", "1")), Wanted("mine"))


amounts = st.decimals(min_value=0, max_value=10**9, places=15)


@given(st.lists(amounts, min_size=1, max_size=20), st.data())
def test_the_sum_is_exact_in_any_order(costs: list[Decimal], data: st.DataObject) -> None:
    skus = itertools.cycle([TEXT_IN, AUDIO_IN, "Snapshots"])
    lines = [line(sku, f"{cost:f}", "1") for sku, cost in zip(skus, costs, strict=False)]
    bill = read_bill(file(*data.draw(st.permutations(lines))))
    found = [*bill.compared.values(), *bill.not_compared.values()]
    # Integers of 1e-15: no rounding of Decimal's own.
    assert sum(int(billed.cost.scaleb(15)) for billed in found) == sum(int(cost.scaleb(15)) for cost in costs)
