"""What a session has used and cost so far: one running account, equal to what SQL says of the session.

Sums only: a session of any length takes the same memory. The rules are those of the views
``live_session_costs`` and ``live_sessions``.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from livemeter.accounts.lines import Kind, UsageLine, tier_of, turn_lines, usage_lines
from livemeter.accounts.prices import PriceList, UnitPrice, dollars
from livemeter.accounts.rates import Tier
from livemeter.observer.facts import TurnEnded, UsageReported

_NS_PER_S = 1_000_000_000
_MAX_OPEN_CONNECTIONS = 64

_INPUTS = {Kind.PROMPT, Kind.TOOL_USE_PROMPT, Kind.CACHED}
_OWN_ROWS = {Kind.TRANSCRIPTION: "TRANSCRIPTION", Kind.GROUNDING: "GROUNDING"}


@dataclass(frozen=True, slots=True)
class Spend:
    """A row of ``live_session_costs``: what a session used of one modality in one direction.

    ``quantity`` counts tokens, or queries where ``unit`` is ``query``; ``carried`` is the part of it that
    was in the context before. The money is in USD and None where nothing of it has a price.
    """

    unit: str
    quantity: int
    carried: int
    usd: Decimal | None
    usd_low: Decimal | None
    usd_high: Decimal | None
    unpriced_quantity: int


@dataclass(frozen=True, slots=True)
class Figures:
    """What ``live_sessions`` and ``live_session_costs`` say of a session, as of now. None is not known.

    ``spend`` is by direction (``input``, ``output``) and modality, with ``TRANSCRIPTION`` and
    ``GROUNDING`` as outputs of their own. Tokens and money are None where the model made output and no
    usage frame came; money also where nothing has a price. What lacks a price beside priced things is no
    part of the cost and counted in ``unpriced_quantity``. Money is in USD; ``usage_coverage`` is the share,
    0 to 1, of turns with model output that got a usage frame, None before the first of them.
    """

    turns: int
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: Decimal | None
    cost_low_usd: Decimal | None
    cost_high_usd: Decimal | None
    carried_cost_usd: Decimal | None
    unpriced_quantity: int
    usage_coverage: float | None
    spend: Mapping[tuple[str, str], Spend]


@dataclass(slots=True)
class _Sum:
    """Quantities, and attodollars of what has a price."""

    unit: str = ""
    quantity: int = 0
    carried: int = 0
    unpriced: int = 0
    is_priced: bool = False
    usd: int = 0
    low: int = 0
    high: int = 0
    carried_usd: int = 0

    def add(self, line: UsageLine, price: UnitPrice | None) -> None:
        quantity, carried = line.quantity, line.carried
        self.quantity += quantity
        self.carried += carried
        if price is None:
            self.unpriced += quantity
            return
        self.is_priced = True
        self.usd += quantity * price.usd
        self.low += quantity * price.low
        self.high += quantity * price.high
        self.carried_usd += carried * price.usd

    def money(self, attodollars: int) -> Decimal | None:
        return dollars(attodollars) if self.is_priced else None


@dataclass(slots=True)
class _LastTurns:
    """The turn that a connection's last usage frame was for, and the one that ended without any."""

    used: int | None = None
    waiting: int | None = None


class _Coverage:
    """How many turns with output there were, and how many of them got a usage frame.

    Turns of a connection end in the order of their numbers, and a usage frame is of the open turn or of
    the last that ended: two numbers a connection are all that need be kept. Connections of a session may
    number their turns alike, so a number names a turn with its connection only.
    """

    def __init__(self) -> None:
        self.with_output = 0
        self.covered = 0
        self.is_told = False
        self._connections: OrderedDict[str, _LastTurns] = OrderedDict()

    def used(self, connection_id: str, turn: int) -> None:
        self.is_told = True
        last = self._last(connection_id)
        last.used = turn
        if last.waiting == turn:
            self.covered += 1
            last.waiting = None

    def ended(self, connection_id: str, turn: int, *, has_output: bool) -> None:
        last = self._last(connection_id)
        is_covered = last.used == turn
        self.with_output += has_output
        self.covered += has_output and is_covered
        last.waiting = turn if has_output and not is_covered else None

    def _last(self, connection_id: str) -> _LastTurns:
        last = self._connections.setdefault(connection_id, _LastTurns())
        self._connections.move_to_end(connection_id)
        if len(self._connections) > _MAX_OPEN_CONNECTIONS:
            self._connections.popitem(last=False)
        return last


class Ledger:
    """One session's account. Safe from any thread: its connections may live in several.

    A fact is priced when it comes, by the prices in force at its time. The facts of a connection must
    come in their order, each of them once.
    """

    def __init__(self, prices: PriceList) -> None:
        self._prices = prices
        self._lock = threading.Lock()
        self._spend: dict[tuple[str, str], _Sum] = {}
        self._input_tokens = 0
        self._output_tokens = 0
        self._turns = 0
        self._coverage = _Coverage()

    def usage(self, fact: UsageReported, model: str, platform: str, connection_id: str = "") -> None:
        """Add a usage frame. A repeat adds nothing.

        Args:
            fact: what the observer made of the frame.
            model: the bare name of the connection's model.
            platform: ``gemini_api`` or ``vertex_ai``.
            connection_id: whose turn it is; needed where connections of the session overlap.
        """
        if fact.repeat:
            return
        lines = usage_lines(fact)
        with self._lock:
            self._add(lines, model, platform, tier_of(fact.usage), fact.at_ns)
            # A frame without a single token tells of no pass.
            if lines and fact.pass_number:
                self._coverage.used(connection_id, fact.turn)

    def turn(self, fact: TurnEnded, model: str, platform: str, connection_id: str = "") -> None:
        """Add the end of a turn, with its transcription and grounding. Arguments as for ``usage``."""
        lines = turn_lines(fact)
        with self._lock:
            self._turns += 1
            self._add(lines, model, platform, Tier.STANDARD, fact.at_ns)
            self._coverage.ended(connection_id, fact.turn, has_output=fact.has_output)

    def snapshot(self) -> Figures:
        """Return the account as it stands."""
        with self._lock:
            total = _total(self._spend.values())
            coverage = self._coverage
            is_unused = not self._spend
            is_unseen = coverage.with_output > 0 and not coverage.is_told
            # Nothing used costs nothing, unless there was output: then somebody did not tell.
            total.is_priced |= is_unused and not is_unseen
            return Figures(
                turns=self._turns,
                input_tokens=None if is_unseen else self._input_tokens,
                output_tokens=None if is_unseen else self._output_tokens,
                cost_usd=total.money(total.usd),
                cost_low_usd=total.money(total.low),
                cost_high_usd=total.money(total.high),
                carried_cost_usd=total.money(total.carried_usd),
                unpriced_quantity=total.unpriced,
                usage_coverage=coverage.covered / coverage.with_output if coverage.with_output else None,
                spend={key: _spend(each) for key, each in self._spend.items()},
            )

    def _add(self, lines: Iterable[UsageLine], model: str, platform: str, tier: str, at_ns: int) -> None:
        at_s = at_ns // _NS_PER_S
        for line in lines:
            direction = "input" if line.kind in _INPUTS else "output"
            key = (direction, _OWN_ROWS.get(line.kind, line.modality))
            spend = self._spend.get(key)
            if spend is None:
                spend = self._spend[key] = _Sum(line.unit)
            spend.add(line, self._prices.of(line, model, platform, tier, at_s))
            if direction == "input":
                self._input_tokens += line.quantity
            elif line.kind not in _OWN_ROWS:
                self._output_tokens += line.quantity


def _total(sums: Iterable[_Sum]) -> _Sum:
    total = _Sum()
    for each in sums:
        total.is_priced |= each.is_priced
        total.unpriced += each.unpriced
        total.usd += each.usd
        total.low += each.low
        total.high += each.high
        total.carried_usd += each.carried_usd
    return total


def _spend(each: _Sum) -> Spend:
    return Spend(
        unit=each.unit,
        quantity=each.quantity,
        carried=each.carried,
        usd=each.money(each.usd),
        usd_low=each.money(each.low),
        usd_high=each.money(each.high),
        unpriced_quantity=each.unpriced,
    )
