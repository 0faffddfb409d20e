"""The rules of accounting, applied to what happened. Plain Python: nothing of Livemeter is imported.

What the views must say follows from the truth alone: no turn and no pass is taken over from the observer, no
figure from SQL. Money is exact: prices have at most twelve decimals for a million tokens.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal, localcontext
from fractions import Fraction

from tests.accounting.truth import (
    Answered,
    Asked,
    Connection,
    Counts,
    Ended,
    Heard,
    Interrupted,
    Late,
    Leaving,
    Made,
    Named,
    Part,
    Paused,
    PriceTable,
    Reported,
    Said,
    Searched,
    Session,
    Spoke,
    Step,
    Told,
)

TOKENS_PER_AUDIO_S = 25
BYTES_PER_TRANSCRIPT_TOKEN = 4
UNATTRIBUTED = "UNATTRIBUTED"
MANY_DIGITS = 80

Money = tuple[Decimal, Decimal, Decimal]
"""As expected, at least, at most."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of ``live_usage``, and of ``live_costs`` if it is billable."""

    connection_id: str
    model: str
    platform: str
    at_ms: int
    turn: int
    number: int
    """Of the pass; 0 for what a turn costs beside its passes."""
    kind: str
    modality: str
    quantity: int
    carried: int
    source: str
    tier: str
    billable: bool = True
    previous_prompt: int | None = None
    first_after_resume: bool = False
    each: Money | None = None
    """The price of one token or query; None: not known."""

    @property
    def is_input(self) -> bool:
        return self.kind in ("prompt", "tool_use_prompt", "cached")

    def usd(self, which: int = 0) -> Decimal | None:
        return None if self.each is None else times(self.quantity, self.each[which])

    @property
    def carried_usd(self) -> Decimal | None:
        return None if self.each is None else times(self.carried, self.each[0])


@dataclass(frozen=True, slots=True)
class Turn:
    """A row of ``live_turns``."""

    connection_id: str
    turn: int
    has_output: bool
    interrupted: bool
    end_reason: str
    has_usage: bool
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: Decimal | None
    unpriced_quantity: int


@dataclass(frozen=True, slots=True)
class Line:
    """A row of ``live_session_costs``."""

    unit: str
    quantity: int
    carried: int
    usd: Decimal | None
    usd_low: Decimal | None
    usd_high: Decimal | None
    unpriced_quantity: int


@dataclass(frozen=True, slots=True)
class Totals:
    """The figures of a row of ``live_sessions``."""

    model: str
    platform: str
    started_ms: int
    status: str
    connections: int
    reconnects: int
    turns: int
    tool_calls: int
    interruptions: int
    go_aways: int
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: Decimal | None
    cost_low_usd: Decimal | None
    cost_high_usd: Decimal | None
    carried_cost_usd: Decimal | None
    unpriced_quantity: int
    usage_coverage: float | None
    context_lost: bool | None


@dataclass(frozen=True, slots=True)
class Account:
    """All that the views must say of one session."""

    rows: list[Row]
    turns: list[Turn]
    lines: dict[tuple[str, str], Line]
    totals: Totals


def times(quantity: int, price: Decimal) -> Decimal:
    """Multiply without rounding."""
    with localcontext(prec=MANY_DIGITS):
        return quantity * price


def added(amounts: Iterable[Decimal | None]) -> Decimal | None:
    """Add what is known; None if nothing is."""
    known = [amount for amount in amounts if amount is not None]
    with localcontext(prec=MANY_DIGITS):
        return sum(known, Decimal(0)) if known else None


# Rules 1 to 4: what a usage frame tells, by modality.


def told_by_modality(part: Part) -> dict[str, int]:
    """Add up what the details tell; the only one without a count has the rest of the total."""
    told: dict[str, int] = defaultdict(int)
    without_count: list[str] = []
    for modality, tokens in part.details or ():
        if tokens is None:
            without_count.append(modality or "MODALITY_UNSPECIFIED")
        else:
            told[modality or "MODALITY_UNSPECIFIED"] += tokens
    if len(without_count) == 1:
        told[without_count[0]] += max(0, (part.total or 0) - sum(told.values()))
    return told


def split(part: Part, audio_ms: int) -> list[tuple[str, int, str]]:
    """Return a total as (modality, tokens, source), in the order of the details, the remainder last."""
    total, told = part.total or 0, told_by_modality(part)
    if told:
        own_remainder = told.pop(UNATTRIBUTED, 0)
        rest = max(0, total - sum(told.values()) - own_remainder)
        parts = [(modality, tokens, "reported") for modality, tokens in told.items()]
        parts.append((UNATTRIBUTED, own_remainder + rest, "reported"))
    else:
        heard = round(Fraction(audio_ms * TOKENS_PER_AUDIO_S, 1000))
        audio = min(total, heard)
        parts = [
            ("AUDIO", audio, "derived"),
            (UNATTRIBUTED, total - audio, "derived" if heard else "reported"),
        ]
    return [each for each in parts if each[1]]


def context_of(counts: Counts) -> dict[str, int]:
    """Return what the next prompt finds in the context: this pass's prompt and response (rule 7)."""
    context: dict[str, int] = defaultdict(int)
    for part in (counts.prompt, counts.response):
        told = told_by_modality(part)
        for modality, tokens in told.items():
            context[modality] += tokens
        context[UNATTRIBUTED] += max(0, (part.total or 0) - sum(told.values()))
    return context


def tier_of(counts: Counts) -> str:
    traffic, service = counts.traffic_type, counts.service_tier.lower()
    if traffic == "PROVISIONED_THROUGHPUT":
        return "provisioned"
    if traffic == "ON_DEMAND_PRIORITY" or service == "priority":
        return "priority"
    is_flex = traffic in ("ON_DEMAND_FLEX", "ON_DEMAND_OFFPEAK") or service == "flex"
    return "flex" if is_flex else "standard"


# Rule 8: what it costs.


class Prices:
    """The price in force at a time."""

    def __init__(self, table: PriceTable) -> None:
        self._table = table

    def each(self, row: Row) -> Money | None:
        """Return what one token or query of a row costs."""
        key = (row.model, row.platform, row.tier)
        modality = {"MODALITY_UNSPECIFIED": "TEXT", "DOCUMENT": "IMAGE"}.get(row.modality, row.modality)
        if row.kind == "grounding":
            return self._of(key, "grounding", "QUERY", row.at_ms)
        if row.kind == "cached":
            discounted = self._of(key, "cached_input", modality, row.at_ms)
            if discounted is not None:
                return discounted
        return self._of(key, "input" if row.is_input else "output", modality, row.at_ms)

    def _of(self, key: tuple[str, str, str], direction: str, modality: str, at_ms: int) -> Money | None:
        holding = [
            period
            for period in self._table
            if (period.model, period.platform, period.tier) == key
            and period.direction == direction
            and period.from_s <= at_ms // 1000 < period.to_s
        ]
        if not holding:
            return None
        usd = max(holding, key=lambda period: period.from_s).usd
        # What nobody attributed is priced as text, between the cheapest and the dearest that there is.
        priced_as = "TEXT" if modality == UNATTRIBUTED and direction in ("input", "output") else modality
        if priced_as not in usd:
            return None
        known = (usd[priced_as],) * 3
        if priced_as != modality or direction == "grounding":
            known = (usd[priced_as], min(usd.values()), max(usd.values()))
        return (known[0].scaleb(-6), known[1].scaleb(-6), known[2].scaleb(-6))


# What happened in which exchange.


@dataclass
class Exchange:
    """One exchange as it went."""

    turn: int
    audio_ms: int = 0
    """What the model said since the last usage frame of the exchange."""
    has_output: bool = False
    interrupted: bool = False
    bytes_in: int = 0
    bytes_out: int = 0
    queries: set[str] = field(default_factory=set[str])


@dataclass
class Known:
    """What a process knows of a session: its own turns and passes, and the context as far as it was told."""

    turns: int = 0
    passes: int = 0
    prompt: int | None = None
    context: Mapping[str, int] = field(default_factory=dict[str, int])
    audio_ms: int = 0


@dataclass
class Telling:
    """One connection as it is told."""

    connection: Connection
    known: Known
    rows: list[Row] = field(default_factory=list[Row])
    turns: list[Turn] = field(default_factory=list[Turn])
    exchanges: dict[int, Exchange] = field(default_factory=dict[int, Exchange])
    open_calls: set[str] = field(default_factory=set[str])
    calls: int = 0
    open: int | None = None
    late_bytes: int = 0
    prompts: list[int] = field(default_factory=list[int])
    """Prompts of passes, as told."""
    found_prompt: int | None = None
    """The prompt before its own first one."""
    awaits_first: bool = False
    has_told: bool = False

    def step(self, step: Step) -> None:
        """Take note of what happened next."""
        if isinstance(step, Spoke):
            self.known.audio_ms += step.audio_ms
        elif isinstance(step, Late):
            self.late_bytes += len(step.text.encode())
        elif not isinstance(step, Reported | Ended | Leaving | Named):
            self._goes_on(self._in(step.exchange), step)
        if isinstance(step, Reported | Made | Ended) and step.told is not None:
            self._told(step.told, self.exchanges[step.exchange], step.at_ms)
        if isinstance(step, Ended):
            exchange = self.exchanges[step.exchange]
            self._ended(exchange, "interrupted" if exchange.interrupted else "complete", step.at_ms)

    def _goes_on(
        self,
        exchange: Exchange,
        step: Asked | Answered | Heard | Made | Said | Searched | Paused | Interrupted,
    ) -> None:
        match step:
            case Answered():
                self.open_calls.discard(step.call)
                self.calls += 1
            case Heard():
                exchange.bytes_in += len(step.text.encode())
            case Said():
                exchange.bytes_out += len(step.text.encode())
            case Searched():
                exchange.queries.update(step.queries)
            case Interrupted():
                exchange.interrupted = True
            case Made():
                self._made(exchange, step)
            case _:
                pass

    def close(self) -> None:
        """Take note of the end: what was open then is a turn that it cut short."""
        closing = self.connection.closing
        if closing is None:
            return
        self.calls += len(self.open_calls)
        if self.open is not None:
            self._ended(self.exchanges[self.open], "connection_closed", closing.at_ms)
        elif self.late_bytes:
            self._ended(Exchange(self.known.turns + 1), "connection_closed", closing.at_ms)

    def _in(self, exchange: int) -> Exchange:
        if exchange not in self.exchanges:
            self.exchanges[exchange] = Exchange(self.known.turns + 1)
            self.open = exchange
        return self.exchanges[exchange]

    def _made(self, exchange: Exchange, made: Made) -> None:
        exchange.has_output = True
        exchange.audio_ms += made.audio_ms
        self.known.audio_ms += made.audio_ms
        if made.what == "call":
            self.open_calls.add(made.call)

    def _told(self, told: Told, exchange: Exchange, at_ms: int) -> None:
        known, counts = self.known, told.counts
        if not told.is_copy:
            known.passes += 1
        is_first = self.awaits_first and not told.is_copy
        row = Row(
            connection_id=self.connection.id,
            model=self.connection.model,
            platform=self.connection.platform,
            at_ms=at_ms,
            turn=exchange.turn,
            number=known.passes,
            kind="",
            modality="",
            quantity=0,
            carried=0,
            source="",
            tier=tier_of(counts),
            billable=not told.is_copy,
            previous_prompt=known.prompt,
            first_after_resume=is_first,
        )
        for kind, modality, tokens, source, carried in self._tokens(counts, exchange.audio_ms):
            self.rows.append(
                replace(row, kind=kind, modality=modality, quantity=tokens, source=source, carried=carried)
            )
        if not told.is_copy:
            self._counted(counts, exchange)

    def _counted(self, counts: Counts, exchange: Exchange) -> None:
        exchange.audio_ms = 0
        if not self.has_told:
            self.found_prompt = self.known.prompt
        self.has_told, self.awaits_first = True, False
        self.known.context = context_of(counts)
        if counts.prompt.total is not None:
            self.known.prompt = counts.prompt.total
            self.prompts.append(counts.prompt.total)

    def _tokens(self, counts: Counts, own_audio_ms: int) -> Iterator[tuple[str, str, int, str, int]]:
        heard_before_ms = self.known.audio_ms - own_audio_ms
        yield from prompt_tokens(counts, heard_before_ms, self.known.context)
        for modality, tokens, source in split(counts.cached, 0):
            yield "cached", modality, tokens, source, tokens
        for modality, tokens, source in split(counts.tool_use, 0):
            yield "tool_use_prompt", modality, tokens, source, 0
        for modality, tokens, source in split(counts.response, own_audio_ms):
            yield "response", modality, tokens, source, 0
        if counts.thoughts:
            yield "thoughts", "TEXT", counts.thoughts, "reported", 0

    def _ended(self, exchange: Exchange, reason: str, at_ms: int) -> None:
        self.open = None
        self.known.turns = exchange.turn
        exchange.bytes_out += self.late_bytes
        self.late_bytes = 0
        words = sum(
            -(-each // BYTES_PER_TRANSCRIPT_TOKEN) for each in (exchange.bytes_in, exchange.bytes_out)
        )
        row = Row(
            connection_id=self.connection.id,
            model=self.connection.model,
            platform=self.connection.platform,
            at_ms=at_ms,
            turn=exchange.turn,
            number=0,
            kind="",
            modality="",
            quantity=0,
            carried=0,
            source="reported",
            tier="standard",
        )
        if words:
            self.rows.append(
                replace(row, kind="transcription", modality="TEXT", quantity=words, source="estimated")
            )
        if exchange.queries:
            self.rows.append(replace(row, kind="grounding", quantity=len(exchange.queries)))
        # Its figures are known when all has been told: a usage frame may trail.
        self.turns.append(
            Turn(
                self.connection.id,
                exchange.turn,
                exchange.has_output,
                exchange.interrupted,
                reason,
                has_usage=False,
                input_tokens=None,
                output_tokens=None,
                cost_usd=None,
                unpriced_quantity=0,
            )
        )


def prompt_tokens(
    counts: Counts, audio_ms: int, context: Mapping[str, int]
) -> Iterator[tuple[str, str, int, str, int]]:
    """Yield the prompt without what was cached: first what the details tell of that, the rest in order.

    Of a modality's tokens as many were carried as the context had; those that were cached are the first.
    """
    whole, cached_by = split(counts.prompt, audio_ms), told_by_modality(counts.cached)
    told = [min(tokens, cached_by.get(modality, 0)) for modality, tokens, _ in whole]
    untold = max(0, (counts.cached.total or 0) - sum(told))
    for (modality, tokens, source), cached in zip(whole, told, strict=True):
        more = min(untold, tokens - cached)
        untold -= more
        left = tokens - cached - more
        if left:
            carried = min(tokens, context.get(modality, 0)) - (cached + more)
            yield "prompt", modality, left, source, max(0, carried)


# A session of them.


def account(session: Session, prices: Prices, now_ms: int) -> Account:
    """Return what the views must say of a session, now."""
    tellings = _told(session)
    rows = [replace(row, each=prices.each(row)) for telling in tellings for row in telling.rows]
    billed = [row for row in rows if row.billable]
    turns = [_with_figures(turn, billed) for telling in tellings for turn in telling.turns]
    return Account(rows, turns, _lines(billed), _totals(session, tellings, turns, billed, now_ms))


def _told(session: Session) -> list[Telling]:
    """Tell the connections one after the other, each with what its process knows of the session."""
    tellings: list[Telling] = []
    known_by: list[Known] = []
    of_process: dict[int, Known] = {}
    for connection in session.connections:
        resumed = connection.resumes
        knows_handle = resumed is not None and session.connections[resumed].process == connection.process
        if knows_handle and resumed is not None:
            known = known_by[resumed]
        elif session.name and connection.is_named and connection.process in of_process:
            known = of_process[connection.process]
        else:
            known = of_process[connection.process] = Known()
        if not knows_handle and not connection.refused_at:
            # A fresh start has an empty context; of what another process had, this one knows nothing.
            known.prompt, known.context, known.audio_ms = None, {}, 0
        known_by.append(known)
        telling = Telling(connection, known, awaits_first=resumed is not None)
        for step in connection.steps:
            telling.step(step)
        telling.close()
        tellings.append(telling)
    return tellings


def _with_figures(turn: Turn, billed: list[Row]) -> Turn:
    own = [row for row in billed if (row.connection_id, row.turn) == (turn.connection_id, turn.turn)]
    has_usage = any(row.number for row in own)
    return replace(
        turn,
        has_usage=has_usage,
        input_tokens=_input_tokens(own) if has_usage else None,
        output_tokens=_output_tokens(own) if has_usage else None,
        cost_usd=added(row.usd() for row in own),
        unpriced_quantity=_unpriced(own),
    )


def _input_tokens(rows: Iterable[Row]) -> int:
    return sum(row.quantity for row in rows if row.is_input)


def _output_tokens(rows: Iterable[Row]) -> int:
    return sum(row.quantity for row in rows if row.kind in ("response", "thoughts"))


def _unpriced(rows: Iterable[Row]) -> int:
    return sum(row.quantity for row in rows if row.each is None)


def _lines(billed: list[Row]) -> dict[tuple[str, str], Line]:
    groups: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in billed:
        own = {"transcription": "TRANSCRIPTION", "grounding": "GROUNDING"}.get(row.kind, row.modality)
        groups["input" if row.is_input else "output", own].append(row)
    return {
        key: Line(
            unit="query" if key[1] == "GROUNDING" else "token",
            quantity=sum(row.quantity for row in rows),
            carried=sum(row.carried for row in rows),
            usd=added(row.usd() for row in rows),
            usd_low=added(row.usd(1) for row in rows),
            usd_high=added(row.usd(2) for row in rows),
            unpriced_quantity=_unpriced(rows),
        )
        for key, rows in groups.items()
    }


def _totals(
    session: Session, tellings: list[Telling], turns: list[Turn], billed: list[Row], now_ms: int
) -> Totals:
    last = session.connections[-1]
    asked = [one for one in session.connections if one.refused_at != "handshake"]
    with_output = [turn for turn in turns if turn.has_output]
    covered = sum(turn.has_usage for turn in with_output)
    # The model made output, and no usage frame ever came: what was used is not known.
    is_unseen = bool(with_output) and not any(row.number for row in billed)
    nothing = None if is_unseen else Decimal(0)
    return Totals(
        # A dial that was refused has not said which model it would have asked for.
        model=asked[-1].model if asked else "",
        platform=last.platform,
        started_ms=min(connection.dialled_ms for connection in session.connections),
        status=_status(session, now_ms),
        connections=len(session.connections),
        reconnects=len(session.connections) - 1,
        turns=len(turns),
        tool_calls=sum(telling.calls for telling in tellings),
        interruptions=sum(turn.interrupted for turn in turns),
        go_aways=len({telling.connection.id for telling in tellings if _was_leaving(telling)}),
        input_tokens=None if is_unseen else _input_tokens(billed),
        output_tokens=None if is_unseen else _output_tokens(billed),
        cost_usd=added(row.usd() for row in billed) if billed else nothing,
        cost_low_usd=added(row.usd(1) for row in billed) if billed else nothing,
        cost_high_usd=added(row.usd(2) for row in billed) if billed else nothing,
        carried_cost_usd=added(row.carried_usd for row in billed) if billed else nothing,
        unpriced_quantity=_unpriced(billed),
        usage_coverage=covered / len(with_output) if with_output else None,
        context_lost=_context_lost(session, tellings),
    )


def _was_leaving(telling: Telling) -> bool:
    return any(isinstance(step, Leaving) for step in telling.connection.steps)


def _status(session: Session, now_ms: int) -> str:
    last = session.connections[-1]
    if last.closing is None:
        latest_ms = max(
            [connection.dialled_ms for connection in session.connections]
            + [step.at_ms for connection in session.connections for step in connection.steps]
            + [connection.closing.at_ms for connection in session.connections if connection.closing]
        )
        return "active" if latest_ms > now_ms - 120_000 else "lost"
    is_goodbye = last.closing.code in (1000, 1001) and not last.refused_at
    return "ended" if is_goodbye or last.closing.by == "client" else "failed"


def _context_lost(session: Session, tellings: list[Telling]) -> bool | None:
    """Whether a prompt shrank after a resume without compression; None when of some resume nobody knows.

    A connection that was refused has lost nothing.
    """
    answers: list[bool | None] = []
    for telling in tellings:
        resumed = telling.connection.resumes
        if resumed is None or telling.connection.refused_at:
            continue
        before = telling.found_prompt
        if before is None and tellings[resumed].prompts:
            # Another process had the session before, and told its last prompt.
            before = tellings[resumed].prompts[-1]
        if before is None or not telling.prompts:
            answers.append(None)
        else:
            answers.append(telling.prompts[0] < before and not telling.connection.compression)
    if True in answers:
        return True
    return None if None in answers else False
