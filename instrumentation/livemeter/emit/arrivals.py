"""Which numbered records came by, which did not, and what that makes as loss. Pure; the caller has the clock.

Threads that emit at the same time may overtake each other by a few records. So a gap is a loss only when it
has stood for a while, or when nothing can come any more.
"""

import bisect
from collections.abc import Collection
from dataclasses import dataclass, field
from operator import attrgetter

from livemeter.vocabulary import DropReason

MAX_GAPS = 4096
"""Gaps that may stand open; when there are more the oldest are losses at once."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Numbers that have not come by, both ends included, and when that was first seen (seconds)."""

    first: int
    last: int
    since: float


@dataclass(frozen=True, slots=True)
class Loss:
    """How many records were lost, and the numbers of the first and the last of them."""

    count: int
    first: int
    last: int

    def __add__(self, other: "Loss") -> "Loss":
        return Loss(self.count + other.count, min(self.first, other.first), max(self.last, other.last))


class Arrivals:
    """The numbers of one emitter, counted up from 0, as they come by."""

    def __init__(self) -> None:
        self._next = 0
        self._gaps: list[Gap] = []

    def add(self, numbers: Collection[int], now: float) -> None:
        """Take note of numbers that came by together, in whatever order."""
        for number in sorted(numbers):
            if number == self._next:
                self._next += 1
            elif number > self._next:
                self._gaps.append(Gap(self._next, number - 1, now))
                self._next = number + 1
            else:
                self._fill(number)

    def _fill(self, number: int) -> None:
        index = bisect.bisect_right(self._gaps, number, key=attrgetter("first")) - 1
        if index < 0 or number > self._gaps[index].last:
            return
        gap = self._gaps[index]
        halves = Gap(gap.first, number - 1, gap.since), Gap(number + 1, gap.last, gap.since)
        self._gaps[index : index + 1] = [half for half in halves if half.first <= half.last]

    def settle(self, seen_before: float) -> list[Gap]:
        """Return and forget the gaps that were first seen before that time, and those that are too many."""
        settled = [gap for gap in self._gaps if gap.since < seen_before]
        if settled:
            self._gaps = [gap for gap in self._gaps if gap.since >= seen_before]
        too_many = max(len(self._gaps) - MAX_GAPS, 0)
        settled += self._gaps[:too_many]
        del self._gaps[:too_many]
        return settled


@dataclass(slots=True)
class Ledger:
    """One emitter's account: what came by, and what was lost and is not reported yet."""

    arrivals: Arrivals = field(default_factory=Arrivals)
    losses: dict[DropReason, Loss] = field(default_factory=dict[DropReason, Loss])

    def lose(self, reason: DropReason, loss: Loss) -> None:
        """Add a loss to those that wait to be reported."""
        known = self.losses.get(reason)
        self.losses[reason] = known + loss if known else loss

    def settle(self, seen_before: float) -> int:
        """Turn gaps that were first seen before that time into losses, and return how many records."""
        gaps = self.arrivals.settle(seen_before)
        for gap in gaps:
            self.lose(DropReason.QUEUE_FULL, Loss(gap.last - gap.first + 1, gap.first, gap.last))
        return sum(gap.last - gap.first + 1 for gap in gaps)

    def take(self) -> dict[DropReason, Loss]:
        """Return what waits to be reported and forget it."""
        losses, self.losses = self.losses, {}
        return losses


def loss_of(numbers: Collection[int]) -> Loss:
    """Return the loss of these records; there is at least one."""
    return Loss(len(numbers), min(numbers), max(numbers))
