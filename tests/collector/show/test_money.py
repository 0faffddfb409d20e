import math
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livemeter_collector.show.money import (
    Cost,
    aligned,
    amount,
    apportion,
    cost_cell,
    cost_cells,
    decimals_for,
    dollars,
    total,
)

DASH = "\N{EN DASH}"

# Whole units of 10^-18 US dollars, up to thousands of millions of dollars.
units = st.one_of(st.integers(0, 10**28), st.integers(0, 10**16), st.just(0))


def usd_of(count: int) -> Decimal:
    return Decimal(f"{count}E-18")


amounts = units.map(usd_of)


@st.composite
def known_costs(draw: st.DrawFn) -> Cost:
    low = draw(units)
    # Price ranges are between a model's cheapest and dearest modality, none of which is free.
    usd = low + draw(units) if low else 0
    high = usd + draw(units) if low else 0
    return Cost(usd_of(usd), usd_of(low), usd_of(high))


unpriced_costs = st.sampled_from([Cost(None), Cost(None, unpriced=True)])


def digits(cell: str) -> Decimal:
    return Decimal(cell.replace("$", "").replace(",", ""))


def bounds(cell: str) -> tuple[Decimal, Decimal, Decimal]:
    """Read a cell back: the lower end, the cost and the upper end."""
    words = cell.split(" ")
    if len(words) == 1 or not words[1].startswith("("):
        return (digits(words[0]),) * 3
    low, high = words[1].strip("()").split(DASH)
    return digits(low), digits(words[0]), digits(high)


@given(st.lists(amounts, max_size=30), st.integers(0, 18))
def test_rounded_parts_add_up_to_the_rounded_sum(parts: list[Decimal], decimals: int) -> None:
    whole = sum(map(Fraction, parts))
    shown = [Fraction(part) * 10**decimals for part in apportion(parts, decimals)]
    assert sum(shown) == math.floor(whole * 10**decimals + Fraction(1, 2))
    assert all(abs(Fraction(part) * 10**decimals - one) < 1 for part, one in zip(parts, shown, strict=True))


@given(st.lists(st.one_of(known_costs(), unpriced_costs), min_size=1, max_size=12))
def test_the_parts_shown_add_up_to_the_total_shown(costs: list[Cost]) -> None:
    whole = total(costs)
    decimals = decimals_for([*costs, whole])
    cells = [
        cell for cell, cost in zip(cost_cells(costs, decimals), costs, strict=True) if cost.usd is not None
    ]
    if whole.usd is None:
        assert cells == []
        return
    ends = zip(*map(bounds, cells), strict=True)
    shown = bounds(cost_cell(Cost(whole.usd, whole.low, whole.high), decimals))
    assert [sum(map(Fraction, column)) for column in ends] == list(map(Fraction, shown))


@given(st.lists(known_costs(), min_size=1, max_size=12))
def test_a_range_holds_its_cost_and_nothing_is_rounded_to_nothing(costs: list[Cost]) -> None:
    for cost, cell in zip(costs, cost_cells(costs, decimals_for(costs)), strict=True):
        low, usd, high = bounds(cell)
        assert 0 <= low <= usd <= high
        assert bool(usd) == bool(cost.usd)
        assert bool(low) == bool(cost.low)


@given(st.lists(amounts, max_size=12))
def test_totals_are_exact_beyond_python_s_own_precision(parts: list[Decimal]) -> None:
    whole = total(Cost(part) for part in parts)
    assert Fraction(whole.usd or 0) == sum(map(Fraction, parts))


@pytest.mark.parametrize(
    ("amounts_of_table", "decimals"),
    [
        ([], 4),
        (["0"], 4),
        (["1.5", "0.25"], 4),
        (["0.0123"], 4),
        (["0.00075"], 5),
        (["12", "0.00000075"], 8),
        (["0.000000000000000001"], 18),
    ],
)
def test_a_table_has_as_many_decimals_as_its_smallest_amount_needs(
    amounts_of_table: list[str], decimals: int
) -> None:
    assert decimals_for(Cost(Decimal(one)) for one in amounts_of_table) == decimals


def test_three_thirds_of_a_unit_are_one() -> None:
    third = Decimal("0.333333333333333333")
    assert apportion([third, third, third], 0) == [1, 0, 0]
    assert apportion([Decimal("1.5"), Decimal("2.5")], 0) == [2, 2]


def test_how_costs_read() -> None:
    exact = Cost(Decimal("0.0123"), Decimal("0.0123"), Decimal("0.0123"))
    between = Cost(Decimal("0.0123"), Decimal("0.0120"), Decimal("0.0141"))
    partly = Cost(Decimal("0.0123"), unpriced=True)
    assert cost_cell(exact, 4) == "$0.0123"
    assert cost_cell(between, 4) == f"$0.0123 (0.0120{DASH}0.0141)"
    assert cost_cell(partly, 4) == "$0.0123 + unpriced"
    assert cost_cell(Cost(None, unpriced=True), 4) == "unpriced"
    assert cost_cell(Cost(None), 4) == "-"
    assert cost_cell(Cost(Decimal(0)), 4) == "$0"
    assert dollars(Decimal("1234567.891"), 2) == "$1,234,567.89"


def test_a_total_tells_what_it_lacks() -> None:
    known, unpriced, unknown = Cost(Decimal(1)), Cost(None, unpriced=True), Cost(None)
    assert total([known, unpriced]) == Cost(Decimal(1), Decimal(1), Decimal(1), unpriced=True)
    assert total([unpriced, unknown]) == Cost(None, unpriced=True)
    assert total([unknown]) == total([]) == Cost(None)


def test_amounts_of_a_column_stand_beneath_each_other() -> None:
    assert aligned(["$1.50", f"$12.50 (12.40{DASH}12.60)", "-"]) == [
        " $1.50              ",
        f"$12.50 (12.40{DASH}12.60)",
        "     -              ",
    ]
    assert aligned([]) == []


def test_money_never_comes_from_a_float() -> None:
    assert amount(None) is None
    assert amount(2) == Decimal(2)
    with pytest.raises(TypeError, match="float"):
        amount(0.1)
