"""Gaps between numbers, held against a plain difference of sets."""

import random

from hypothesis import given
from hypothesis import strategies as st

from livemeter.emit.arrivals import MAX_GAPS, Arrivals, Gap, Ledger, Loss, loss_of
from livemeter.vocabulary import DropReason


def numbers_of(gaps: list[Gap]) -> set[int]:
    numbers = [number for gap in gaps for number in range(gap.first, gap.last + 1)]
    assert len(numbers) == len(set(numbers))
    return set(numbers)


@given(
    st.integers(1, 400),
    st.integers(0, 12),
    st.floats(0, 1),
    st.integers(1, 40),
    st.randoms(use_true_random=False),
)
def test_what_never_came_is_what_was_emitted_less_what_came(
    emitted: int, disorder: int, share: float, batch: int, chance: random.Random
) -> None:
    """Numbers come in batches, a few places out of order; the newest always comes, as in a ring."""
    passing = [number for number in range(emitted - 1) if chance.random() < share] + [emitted - 1]
    order = sorted(passing, key=lambda number: number + chance.uniform(0, disorder))
    arrivals = Arrivals()
    for start in range(0, len(order), batch):
        arrivals.add(order[start : start + batch], now=0.0)
    assert numbers_of(arrivals.settle(seen_before=1.0)) == set(range(emitted)) - set(passing)
    assert arrivals.settle(seen_before=1.0) == []


def test_a_gap_is_open_for_as_long_as_the_caller_says() -> None:
    arrivals = Arrivals()
    arrivals.add([0, 3], now=10.0)
    arrivals.add([6], now=11.0)
    assert arrivals.settle(seen_before=10.0) == []
    assert arrivals.settle(seen_before=10.5) == [Gap(1, 2, 10.0)]
    assert arrivals.settle(seen_before=12.0) == [Gap(4, 5, 11.0)]


def test_one_that_was_overtaken_closes_its_part_of_the_gap() -> None:
    arrivals = Arrivals()
    arrivals.add([9], now=0.0)
    for number in (4, 0, 8, 4):
        arrivals.add([number], now=0.0)
    assert arrivals.settle(seen_before=1.0) == [Gap(1, 3, 0.0), Gap(5, 7, 0.0)]


def test_the_same_number_twice_is_once_and_one_that_is_lost_stays_lost() -> None:
    arrivals = Arrivals()
    arrivals.add([0, 0, 2], now=0.0)
    assert arrivals.settle(seen_before=1.0) == [Gap(1, 1, 0.0)]
    arrivals.add([1, 1], now=2.0)
    assert arrivals.settle(seen_before=3.0) == []


def test_gaps_without_end_are_settled_before_their_time() -> None:
    arrivals = Arrivals()
    arrivals.add(range(0, 2 * (MAX_GAPS + 10), 2), now=0.0)
    assert len(arrivals.settle(seen_before=-1.0)) == 9
    assert len(arrivals.settle(seen_before=1.0)) == MAX_GAPS


def test_losses_of_one_reason_add_up_until_they_are_taken() -> None:
    ledger = Ledger()
    ledger.arrivals.add([5, 9], now=0.0)
    assert ledger.settle(seen_before=1.0) == 8
    ledger.lose(DropReason.EXPORT_FAILED, loss_of({9: None}))
    ledger.lose(DropReason.EXPORT_FAILED, loss_of([12, 10, 11]))
    assert ledger.take() == {
        DropReason.QUEUE_FULL: Loss(8, 0, 8),
        DropReason.EXPORT_FAILED: Loss(4, 9, 12),
    }
    assert ledger.take() == {}
