"""US dollars for people: rounded so that what is shown adds up, and never to nothing. Pure, decimal only.

Every amount of one table is shown with the same number of decimals, few but enough for the smallest. Parts
of a whole are rounded together (largest remainder), so that they add up to the whole as shown.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Context, Decimal, localcontext

from livemeter_collector.show.values import UNKNOWN

UNPRICED = "unpriced"

FEWEST_DECIMALS = 4
MOST_DECIMALS = 18
"""What ClickHouse keeps: Decimal(38, 18)."""

_SIGNIFICANT_DIGITS = 2
# Sums over a fleet pass the 28 digits of Python's own context.
_EXACT = Context(prec=100, rounding=ROUND_HALF_UP)


@dataclass(frozen=True, slots=True)
class Cost:
    """A cost and the range it lies in, in US dollars; None is not known.

    ``unpriced``: some of the quantity has no known price, so ``usd`` is only what the rest came to.
    """

    usd: Decimal | None
    low: Decimal | None = None
    high: Decimal | None = None
    unpriced: bool = False

    @property
    def below(self) -> Decimal:
        """How much less it may have been."""
        return _apart(self.low, self.usd)

    @property
    def above(self) -> Decimal:
        """How much more it may have been."""
        return _apart(self.usd, self.high)


def amount(value: object) -> Decimal | None:
    """Return a column's value as money.

    Raises:
        TypeError: it is a float, or no number at all: money never passes through one.
    """
    if value is None or isinstance(value, Decimal):
        return value
    if isinstance(value, int):
        return Decimal(value)
    raise TypeError(f"money must be a Decimal, not {type(value).__name__}")


def total(costs: Iterable[Cost]) -> Cost:
    """Return the exact sum of what is known; unpriced when any of them is, unknown when all are."""
    costs = list(costs)
    known = [cost for cost in costs if cost.usd is not None]
    unpriced = any(cost.unpriced for cost in costs)
    if not known:
        return Cost(None, unpriced=unpriced)
    usd = add(cost.usd for cost in known)
    below, above = add(cost.below for cost in known), add(cost.above for cost in known)
    return Cost(usd, _EXACT.subtract(usd, below), _EXACT.add(usd, above), unpriced)


def add(amounts: Iterable[Decimal | None]) -> Decimal:
    """Return the exact sum of the amounts that are known."""
    with localcontext(_EXACT):
        return sum((one for one in amounts if one is not None), Decimal(0))


def decimals_for(costs: Iterable[Cost]) -> int:
    """Return how many decimals show two digits of the smallest amount that is not zero."""
    amounts = [one for cost in costs for one in (cost.usd, cost.low, cost.high) if one]
    needed = (_SIGNIFICANT_DIGITS - 1 - one.adjusted() for one in amounts)
    return min(max([FEWEST_DECIMALS, *needed]), MOST_DECIMALS)


def dollars(usd: Decimal, decimals: int) -> str:
    """Return ``$1,234.5678``."""
    return f"${_digits(usd, decimals)}"


def apportion(parts: Sequence[Decimal], decimals: int) -> list[Decimal]:
    """Round parts so that they add up to their rounded sum, each by less than a unit of the last decimal."""
    with localcontext(_EXACT):
        unit = Decimal(1).scaleb(-decimals)
        rounded = [part.quantize(unit, ROUND_FLOOR) for part in parts]
        missing = sum(parts, Decimal(0)).quantize(unit) - sum(rounded, Decimal(0))
        remainders = [part - floor for part, floor in zip(parts, rounded, strict=True)]
        by_remainder = sorted(range(len(parts)), key=lambda place: remainders[place], reverse=True)
        for place in by_remainder[: int(missing / unit)]:
            rounded[place] += unit
        return rounded


def cost_cell(cost: Cost, decimals: int) -> str:
    """Return one cost that stands for itself."""
    return cost_cells([cost], decimals)[0]


def cost_cells(costs: Sequence[Cost], decimals: int) -> list[str]:
    """Return the parts of one whole, rounded so that they add up to ``cost_cell(total(costs), decimals)``.

    What cost exactly nothing reads ``$0``. A range is shown where it can be seen at this many decimals; it
    adds up as well, and holds its cost.
    """
    known = [cost for cost in costs if cost.usd is not None]
    shown = apportion([cost.usd for cost in known if cost.usd is not None], decimals)
    below = apportion([cost.below for cost in known], decimals)
    above = apportion([cost.above for cost in known], decimals)
    spans = iter(zip(shown, below, above, strict=True))
    return [_absent(cost) if cost.usd is None else _cell(cost, *next(spans), decimals) for cost in costs]


def aligned(cells: Sequence[str]) -> list[str]:
    """Pad cells of one column so that amounts stand beneath each other whatever follows them."""
    split = [cell.partition(" ") for cell in cells]
    amount_width = max((len(head) for head, _, _ in split), default=0)
    lines = [f"{head:>{amount_width}}{gap}{rest}" for head, gap, rest in split]
    width = max(map(len, lines), default=0)
    return [f"{line:<{width}}" for line in lines]


def _absent(cost: Cost) -> str:
    return UNPRICED if cost.unpriced else UNKNOWN


def _cell(cost: Cost, usd: Decimal, below: Decimal, above: Decimal, decimals: int) -> str:
    words = dollars(usd, decimals) if cost.usd else "$0"
    if below or above:
        low, high = max(Decimal(0), _EXACT.subtract(usd, below)), _EXACT.add(usd, above)
        words += f" ({_digits(low, decimals)}\N{EN DASH}{_digits(high, decimals)})"
    return f"{words} + {UNPRICED}" if cost.unpriced else words


def _digits(usd: Decimal, decimals: int) -> str:
    return f"{_EXACT.quantize(usd, Decimal(1).scaleb(-decimals)):,.{decimals}f}"


def _apart(lower: Decimal | None, upper: Decimal | None) -> Decimal:
    if lower is None or upper is None:
        return Decimal(0)
    return max(Decimal(0), _EXACT.subtract(upper, lower))
