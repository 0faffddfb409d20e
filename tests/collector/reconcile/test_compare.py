"""The gap between a bill and the record, worked out by hand and taken apart."""

from datetime import date
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from livemeter_collector.reconcile.billing import Bill, Billed, read_bill
from livemeter_collector.reconcile.compare import (
    Comparison,
    Doubt,
    Part,
    Row,
    compare,
    sum_up,
    total,
    without_day,
)
from livemeter_collector.reconcile.recorded import Recorded, Unseen, Usage
from livemeter_collector.reconcile.skus import Group
from tests.collector.reconcile.files import AUDIO_IN, AUDIO_OUT, SEARCH, TEXT_IN, TEXT_OUT, file, line

DAY = date(2026, 7, 1)
MODEL = "gemini-2.5-flash-native-audio-preview-12-2025"
CACHED_IN = "BidiGenerateContent cached text input token count for Gemini 2.5 Flash Native Audio"
# Dollars a token, by direction and modality: 0.50 and 3 a million in, 2 and 12 out.
PRICES = {
    ("prompt", "TEXT"): Decimal("0.0000005"),
    ("prompt", "AUDIO"): Decimal("0.000003"),
    ("response", "AUDIO"): Decimal("0.000012"),
    ("thoughts", "TEXT"): Decimal("0.000002"),
    ("transcription", "TEXT"): Decimal("0.000002"),
    ("grounding", ""): Decimal("0.035"),
}


def usage(kind: str, modality: str, quantity: int, **more: object) -> Usage:
    """Recorded usage at its price."""
    usd = quantity * PRICES[kind, modality]
    values: dict[str, object] = {
        "usd": usd,
        "usd_low": usd,
        "usd_high": usd,
        "day": DAY,
        "model": MODEL,
        **more,
    }
    return Usage(platform="gemini_api", kind=kind, modality=modality, quantity=quantity, **values)  # type: ignore[arg-type]


def compared(lines: list[str], *told: Usage, **more: object) -> Comparison:
    return compare(read_bill(file(*lines)), Recorded(told, **more))  # type: ignore[arg-type]


def only(comparison: Comparison) -> Row:
    (row,) = comparison.rows
    return row


def parts(row: Row) -> dict[Part, str]:
    return {part: f"{usd.normalize():f}" for part, usd in row.parts.items()}


def test_what_was_billed_as_it_was_recorded_leaves_no_gap() -> None:
    # 522 tokens in: 332 text 0.000166 and 190 audio 0.00057; out 42 audio 0.000504, 136 thoughts 0.000272.
    comparison = compared(
        [
            line(TEXT_IN, "0.000166", "332"),
            line(AUDIO_IN, "0.00057", "190"),
            line(AUDIO_OUT, "0.000504", "42"),
            line(TEXT_OUT, "0.000272", "136"),
        ],
        usage("prompt", "TEXT", 332),
        usage("prompt", "AUDIO", 190),
        usage("response", "AUDIO", 42),
        usage("thoughts", "TEXT", 136),
    )
    assert [row.parts for row in comparison.rows] == [{}, {}, {}, {}]
    whole = total(comparison.rows)
    assert (whole.billed_usd, whole.recorded_usd, whole.gap_usd) == (
        Decimal("0.001512"),
        Decimal("0.001512"),
        Decimal(0),
    )


def test_thoughts_and_transcription_stand_with_text_output() -> None:
    row = only(
        compared(
            [line(TEXT_OUT, "0.0003", "150")],
            usage("thoughts", "TEXT", 136),
            usage("transcription", "TEXT", 10),
        )
    )
    # 150 - 146 tokens at 2 a million.
    assert (row.group.direction, row.recorded_quantity, row.gap_quantity) == ("output", 146, Decimal(4))
    assert parts(row) == {Part.UNEXPLAINED: "0.000008"}


def test_a_dearer_price_and_a_larger_quantity_stand_apart() -> None:
    """The variance: 100 more tokens at our price, and 1,100 tokens at the difference of prices."""
    row = only(compared([line(TEXT_IN, "0.00088", "1100")], usage("prompt", "TEXT", 1000)))
    # Billed 0.8 a million, ours 0.5: 1100 x 0.3 = 0.00033; 100 x 0.5 = 0.00005.
    assert parts(row) == {Part.PRICE: "0.00033", Part.UNEXPLAINED: "0.00005"}
    assert row.gap_usd == Decimal("0.00038")


def test_turns_without_usage_are_estimated_by_measured_audio() -> None:
    unseen = Unseen(DAY, "gemini_api", MODEL, 2, 2000.0, 4000.0, Decimal("0.000003"), Decimal("0.000012"))
    comparison = compared(
        [line(AUDIO_OUT, "0.0024", "200"), line(AUDIO_IN, "0.0009", "300")],
        usage("response", "AUDIO", 100),
        usage("prompt", "AUDIO", 250),
        unseen=[unseen],
    )
    by_direction = {row.group.direction: row for row in comparison.rows}
    # 4 s at 25 tokens are the 100 tokens that nobody reported.
    assert parts(by_direction["output"]) == {Part.COVERAGE: "0.0012"}
    # 2 s heard are 50 tokens: the least, without what was billed again of the context.
    assert parts(by_direction["input"]) == {Part.COVERAGE: "0.00015"}


def test_models_that_only_one_side_knows_are_said_so() -> None:
    comparison = compared(
        [line("Gemini 2.5 Flash Live Audio Input - Predictions", "3", "1000000", service="Vertex AI")],
        usage("prompt", "TEXT", 10, model="gemini-3.8-live"),
    )
    assert [(row.group.platform, parts(row)) for row in comparison.rows] == [
        ("gemini_api", {Part.NOT_BILLED: "-0.000005"}),
        ("vertex_ai", {Part.NOT_RECORDED: "3"}),
    ]


def test_what_lies_outside_the_file_s_hours_is_no_gap() -> None:
    told = usage("prompt", "TEXT", 1000, outside_quantity=400, outside_usd=Decimal("0.0002"))
    row = only(compared([line(TEXT_IN, "0.0003", "600")], told))
    assert parts(row) == {Part.OUTSIDE: "-0.0002"}


def test_cached_tokens_stand_with_the_others_unless_the_file_tells_them_apart() -> None:
    # 400 cached at a tenth of the price: 0.00002; in full 0.0002.
    usd = Decimal("0.00002")
    cached = Usage(
        DAY, "gemini_api", MODEL, "cached", "TEXT", 400, usd, usd, usd, discount_usd=Decimal("0.00018")
    )
    fresh = usage("prompt", "TEXT", 600)
    together = only(compared([line(TEXT_IN, "0.0005", "1000")], fresh, cached))
    assert parts(together) == {Part.CACHED: "0.00018"}
    apart = compared([line(TEXT_IN, "0.0003", "600"), line(CACHED_IN, "0.00002", "400")], fresh, cached)
    assert [(row.group.direction, parts(row)) for row in apart.rows] == [("cached input", {}), ("input", {})]


def test_free_queries_and_free_tokens_are_named() -> None:
    # 5 of 7 queries were free.
    comparison = compared(
        [line(SEARCH + " free", "0", "5"), line(SEARCH + " paid", "0.07", "2"), line(TEXT_IN, "0", "10")],
        usage("grounding", "", 7),
        usage("prompt", "TEXT", 10),
    )
    found = {row.group.direction: parts(row) for row in comparison.rows}
    assert found == {"grounding": {Part.FREE: "-0.175"}, "input": {Part.FREE: "-0.000005"}}
    assert [row.group.family for row in comparison.rows if row.group.direction == "grounding"] == [
        "gemini 2.5"
    ]


def test_what_has_no_price_is_explained_by_what_was_billed_for_it() -> None:
    told = usage("prompt", "TEXT", 1000, usd=None, usd_low=None, usd_high=None, unpriced_quantity=1000)
    row = only(compared([line(TEXT_IN, "0.0006", "1200")], told))
    assert (row.recorded_usd, parts(row)) == (None, {Part.UNPRICED: "0.0005", Part.UNEXPLAINED: "0.0001"})


def test_a_range_is_no_part_of_the_gap_and_is_told_beside_it() -> None:
    low, mid, high = Decimal("0.0000125"), Decimal("0.0000125"), Decimal("0.000075")
    rest = Usage(DAY, "gemini_api", MODEL, "prompt", "UNATTRIBUTED", 25, mid, low, high)
    transcribed = usage("transcription", "TEXT", 5, derived_quantity=5)
    comparison = compared(
        [line(TEXT_IN, "0.0001785", "357")],
        usage("prompt", "TEXT", 332),
        rest,
        transcribed,
        repeats_quantity=10,
        repeats_usd=Decimal("0.00003"),
    )
    text = next(row for row in comparison.rows if row.group.direction == "input")
    assert (text.parts, text.recorded_high_usd) == ({}, Decimal("0.000241"))
    assert [(each.doubt, each.quantity, each.less_usd, each.more_usd) for each in comparison.uncertain] == [
        (Doubt.UNATTRIBUTED, 25, Decimal(0), Decimal("0.0000625")),
        (Doubt.TRANSCRIPTION, 5, Decimal("0.00001"), None),
        (Doubt.REPEATS, 10, Decimal(0), Decimal("0.00003")),
    ]


def test_a_file_that_does_not_tell_days_apart_is_compared_as_one() -> None:
    bill = read_bill(file(line(TEXT_IN, "0.001", "2000", start="2026-07-01", end="2026-07-31")))
    told = [usage("prompt", "TEXT", 1000), usage("prompt", "TEXT", 1000, day=date(2026, 7, 20))]
    assert only(compare(bill, Recorded(told))).parts == {}


KINDS = st.sampled_from([kind for kind in PRICES if kind[0] != "grounding"])
FAMILY = "gemini_api", "gemini 2.5 flash live"
GROUPS = st.sampled_from(
    [Group(*FAMILY, way, what) for way in ("input", "output") for what in ("TEXT", "AUDIO")]
)
DAYS = st.integers(1, 3).map(lambda day: date(2026, 7, day))
USD = st.decimals(0, 100, places=18)


@given(
    st.dictionaries(st.tuples(DAYS, GROUPS), st.tuples(st.integers(0, 10**9), USD)),
    st.lists(st.tuples(DAYS, KINDS, st.integers(1, 10**9), st.integers(0, 10**9))),
    st.booleans(),
)
def test_the_parts_add_up_to_the_gap_however_it_is_shown(
    billed: dict[tuple[date, Group], tuple[int, Decimal]],
    told: list[tuple[date, tuple[str, str], int, int]],
    by_day: bool,
) -> None:
    bill = Bill(first_day=DAY, last_day=date(2026, 7, 3), by_day=by_day)
    for key, (quantity, cost) in billed.items():
        bill.compared[key] = Billed(Decimal(quantity), cost)
    record = [
        usage(*kind, quantity, day=day, outside_usd=min(outside, quantity) * PRICES[kind])
        for day, kind, quantity, outside in told
    ]
    rows = compare(bill, Recorded(record)).rows
    for shown in (rows, sum_up(rows, without_day), [total(rows)]):
        for row in shown:
            assert sum(row.parts.values(), Decimal(0)) == row.gap_usd
    whole = total(rows)
    assert (whole.billed_usd or 0) == sum(cost for _, cost in billed.values())
    assert (whole.recorded_usd or 0) == sum(each.usd for each in record if each.usd)
