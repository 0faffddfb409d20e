"""Sessions at random: everything that servers, networks and applications do to an account, often."""

import random
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from tests.accounting.truth import (
    Answered,
    Asked,
    Closing,
    Connection,
    Counts,
    Details,
    Ended,
    Heard,
    Interrupted,
    Late,
    Leaving,
    Made,
    Named,
    Part,
    Paused,
    Period,
    Reported,
    Said,
    Searched,
    Session,
    Spelling,
    Spoke,
    Step,
    Told,
)

HOUR_MS = 3_600_000
PLATFORMS = ("gemini_api", "vertex_ai")
TIERS = ("standard", "priority", "flex", "provisioned")
MODALITIES = ("TEXT", "AUDIO", "IMAGE", "VIDEO", "DOCUMENT", "MODALITY_UNSPECIFIED")
ODD_MODALITIES = ("SCENT", "UNATTRIBUTED", "")
TRAFFIC = (
    "",
    "ON_DEMAND",
    "ON_DEMAND_PRIORITY",
    "ON_DEMAND_FLEX",
    "ON_DEMAND_OFFPEAK",
    "PROVISIONED_THROUGHPUT",
    "TRAFFIC_TYPE_UNSPECIFIED",
)
SERVICE = ("", "standard", "priority", "PRIORITY", "flex", "Flex", "unspecified")
WORDS = ("Hi", "Grüß Gott", "Как дела?", "はい", "…", "x" * 4, "y" * 61)
CLOSES = (
    (1000, "client", "", True),
    (1000, "server", "", True),
    (1001, "server", "going away", True),
    (1008, "server", "policy violation", True),
    (1011, "server", "internal error", True),
    (None, "none", "", False),
)
REFUSALS = ((1008, "server", "not now", True), (1011, "server", "", True), (None, "none", "", False))
LARGEST = 2**53 - 1
"""The largest count that the observer takes."""


class Chance:
    """Draws whole sessions; ``tag`` is what all ids begin with, ``now_ms`` the time of the test."""

    odd_modalities: tuple[str, ...] = ODD_MODALITIES

    def __init__(self, dice: random.Random, tag: str, now_ms: int, processes: int) -> None:
        self.dice = dice
        self.tag = tag
        self.now_ms = now_ms
        self.processes = processes
        self.models = [f"{tag}-model-{number}" for number in range(4)]
        self._ids = 0

    def happens(self, share: float) -> bool:
        return self.dice.random() < share

    # Prices.

    def price_table(self) -> list[Period]:
        """Prices of all models but the last, some of them with a change or two inside the window."""
        return [
            period
            for model in self.models[:-1]
            for platform in PLATFORMS
            for tier in TIERS
            for direction in ("input", "output", "cached_input", "grounding")
            if self._is_priced(tier, direction)
            for period in self._periods(model, platform, tier, direction)
        ]

    def _is_priced(self, tier: str, direction: str) -> bool:
        share = {"standard": 0.95, "priority": 0.6, "flex": 0.6, "provisioned": 0.2}[tier]
        return self.happens(share * {"cached_input": 0.4, "grounding": 0.8}.get(direction, 1))

    def _periods(self, model: str, platform: str, tier: str, direction: str) -> list[Period]:
        hours = self.now_ms // HOUR_MS
        # Some have a gap between them.
        edges = sorted(self.dice.sample(range(hours - 7, hours + 4), self.dice.randint(0, 3)))
        begins = [0, *edges]
        ends = [*edges, 2**32 // 3600 - 1]
        return [
            Period(model, platform, tier, direction, start * 3600, end * 3600, self._prices(direction))
            for start, end in zip(begins, ends, strict=True)
            if self.happens(0.95)
        ]

    def _prices(self, direction: str) -> dict[str, Decimal]:
        if direction == "grounding":
            first = {"FIRST_QUERY": Decimal(0)} if self.happens(0.5) else {}
            return {"QUERY": self._price(), **first}
        modalities = self.dice.sample(MODALITIES[:4], self.dice.choice((1, 3, 4, 4)))
        if self.happens(0.9):
            modalities.append("TEXT")
        return {modality: self._price() for modality in modalities}

    def _price(self) -> Decimal:
        exponent = self.dice.choice((0, -2, -2, -12))
        return Decimal(self.dice.randint(0, 2100)).scaleb(exponent)

    # Sessions.

    def session(self) -> Session:
        """One session: mostly a connection or two, sometimes a chain of them through several processes."""
        is_named = self.happens(0.5)
        name = f"{self.tag}-{self._number()}" if is_named else ""
        talk = Talk(self, name, self._start_ms())
        for _ in range(self.dice.choice((1, 1, 1, 2, 2, 3, 5))):
            if not talk.connection():
                break
        return Session(tuple(talk.connections), name)

    def _start_ms(self) -> int:
        # Nothing ends near now, so that what is active and what is lost does not depend on the machine.
        hours = self.dice.choice((-6, -5.5, -5, 0.5, 1))
        return self.now_ms + round(hours * HOUR_MS) + self.dice.randint(0, HOUR_MS // 4)

    def connection_id(self) -> str:
        return f"{self.tag}{self._number():0{32 - len(self.tag)}x}"

    def _number(self) -> int:
        self._ids += 1
        return self._ids

    # What a server tells.

    def counts(self, *, is_whole: bool = False) -> Counts:
        """What a usage frame tells; ``is_whole``: a prompt whose size nobody can doubt."""
        prompt = self._part(MODALITIES)
        if is_whole:
            total = self.dice.choice((25, 500, 999, 4000))
            prompt = Part(total, self._details(total, MODALITIES) if self.happens(0.8) else None)
        cached = self.cached(prompt, is_inside=is_whole)
        return Counts(
            prompt=prompt,
            response=self._part(("TEXT", "AUDIO", "AUDIO", "VIDEO")),
            tool_use=self._part(("TEXT", "DOCUMENT")) if self.happens(0.3) else Part(),
            cached=cached,
            thoughts=self.dice.choice((None, None, 0, 136)),
            total=self.dice.choice((None, 0, 564, LARGEST)),
            traffic_type=self.dice.choice(TRAFFIC) if self.happens(0.4) else "",
            service_tier=self.dice.choice(SERVICE) if self.happens(0.4) else "",
        )

    def _part(self, modalities: Sequence[str]) -> Part:
        total = self.dice.choice((None, 0, 1, 28, 100, 999, 3501, 131_072, self.dice.randint(1, 9999)))
        if self.happens(0.01):
            total = LARGEST
        way = self.dice.random()
        if way < 0.25:
            return Part(total, self.dice.choice((None, ())))
        odd = self.happens(0.1)
        details = self._details(total or 0, (*modalities, *self.odd_modalities) if odd else modalities)
        if way < 0.4:
            return Part(total, self._without_a_count(details))
        if way < 0.5:
            more = (self.dice.choice(modalities), self.dice.randint(0, 2000))
            return Part(total, (*details, more))
        return Part(total, details)

    def _details(self, total: int, modalities: Sequence[str]) -> Details:
        """Details that add up to a total, or fall short of it."""
        left = self.dice.choice((total, total, self.dice.randint(0, total)))
        names = self.dice.sample(list(modalities), self.dice.randint(1, min(3, len(modalities))))
        details: list[tuple[str, int | None]] = []
        for place, name in enumerate(names):
            tokens = left if place == len(names) - 1 else self.dice.randint(0, left)
            details.append((name, tokens))
            left -= tokens
        return tuple(details)

    def _without_a_count(self, details: Details) -> Details:
        missing = self.dice.sample(range(len(details)), self.dice.choice((1, 1, len(details))))
        return tuple((name, None if place in missing else n) for place, (name, n) in enumerate(details))

    def cached(self, prompt: Part, *, is_inside: bool) -> Part:
        """What of a prompt was cached; ``is_inside``: and adds up."""
        if self.happens(0.7):
            return Part()
        return self._cached_inside(prompt) if is_inside else self._cached(prompt)

    def _cached(self, prompt: Part) -> Part:
        total = self.dice.choice((None, 7, prompt.total or 0, min(LARGEST, 2 * (prompt.total or 0))))
        some = tuple((name, n // 2 if n else n) for name, n in prompt.details or ())
        whole = sum(n or 0 for _, n in some)
        return Part(*self.dice.choice(((total, None), (whole, some), (total, some), (5, (("SCENT", 5),)))))

    def _cached_inside(self, prompt: Part) -> Part:
        some = tuple((name, (n or 0) // 2) for name, n in prompt.details or ())
        whole = sum(n for _, n in some)
        return self.dice.choice((Part(25), Part(whole, some), Part(min(25, whole))))

    def spelling(self) -> Spelling:
        return Spelling(self.happens(0.5), self.happens(0.5), self.happens(0.1))


class Talk:
    """One session in the making, with the clock of whoever runs it."""

    def __init__(self, chance: Chance, name: str, start_ms: int) -> None:
        self.chance = chance
        self.dice = chance.dice
        self.name = name
        self.now_ms = start_ms
        self.connections: list[Connection] = []
        self.model = self.dice.choice(chance.models)
        self.platform = self.dice.choice(PLATFORMS)
        self._processes = list(range(chance.processes))
        self._process = self.dice.choice(self._processes)
        self._steps: list[Step] = []
        self._exchanges = 0
        self._calls = 0
        self._last: Counts | None = None
        self._dialled_ms = 0
        self._is_first_told = False
        # What another process may go on from is what nobody can doubt.
        self._is_plain = self.dice.random() < 0.5

    # Connections.

    def connection(self) -> bool:
        """Add a connection; say whether another one may follow."""
        earlier = [place for place, one in enumerate(self.connections) if not one.refused_at]
        if not self.connections:
            resumes = None
        elif earlier and not (self.name and self.dice.random() < 0.2):
            resumes = earlier[-1]
        elif self.name:
            resumes = None
        else:
            return False
        self._move_on(resumes)
        self._wait(1, 60_000)
        if self.connections and self.dice.random() < 0.15 and (resumes is not None or self.name):
            self._refused(resumes)
            return True
        self._talked(resumes)
        return True

    def _move_on(self, resumes: int | None) -> None:
        """Let another process take over, maybe one of before; always if this one was killed."""
        if self.connections and self.connections[-1].closing is None:
            self._processes.remove(self._process)
            self._process = self.dice.choice(self._processes)
        elif self.connections and self._is_plain and self.dice.random() < 0.3:
            self._process = self.dice.choice(self._processes)
        if resumes is None and self.connections and self.dice.random() < 0.3:
            self.model = self.dice.choice(self.chance.models)

    def _refused(self, resumes: int | None) -> None:
        self._dialled_ms = dialled_ms = self._wait(1, 2000)
        at = "setup" if resumes is not None and not self.name else self.dice.choice(("setup", "handshake"))
        closing = Closing(self._wait(1, 400), *self.dice.choice(REFUSALS))
        if at == "handshake":
            closing, resumes = replace(closing, code=None, by="none", is_clean=False), None
        elif resumes is None:
            at = "handshake"
        self.connections.append(self._made(dialled_ms, (), closing, resumes, at))

    def _talked(self, resumes: int | None) -> None:
        self._steps, self._last = [], None
        self._dialled_ms = self._wait(1, 2000)
        dialled_ms = self._dialled_ms
        self._is_first_told = resumes is not None
        is_late = bool(self.name) and not self.connections and self.dice.random() < 0.2
        if is_late:
            self._steps.append(Named(self._wait(1, 50)))
        for _ in range(self.dice.choice((0, 1, 1, 2, 3, 4))):
            self._exchange()
        closing = self._ended_somehow()
        made = self._made(dialled_ms, tuple(self._steps), closing, resumes, "")
        self.connections.append(replace(made, is_named=bool(self.name) and not is_late))

    def _made(
        self,
        dialled_ms: int,
        steps: tuple[Step, ...],
        closing: Closing | None,
        resumes: int | None,
        refused: str,
    ) -> Connection:
        return Connection(
            id=self.chance.connection_id(),
            process=self._process,
            dialled_ms=dialled_ms,
            model=self.model,
            platform=self.platform,
            steps=steps,
            closing=closing,
            resumes=resumes,
            refused_at=refused,
            compression=self.dice.random() < 0.3,
            is_named=bool(self.name),
        )

    def _ended_somehow(self) -> Closing | None:
        if self.dice.random() < 0.2:
            self._steps.append(Leaving(self._wait(0, 500)))
        if self.dice.random() < 0.25:
            # A last exchange that is cut short.
            self._exchange(is_cut=True)
        at_ms = self._wait(1, 500)
        can_move_on = len(self._processes) > 1 and self._is_plain
        return (
            None if can_move_on and self.dice.random() < 0.15 else Closing(at_ms, *self.dice.choice(CLOSES))
        )

    def _wait(self, least_ms: int, most_ms: int) -> int:
        self.now_ms += self.dice.randint(least_ms, most_ms)
        if self._steps and self.dice.random() < 0.02:
            # Somebody sets the clock; never back before the dial, which says what came first.
            jump_ms = self.dice.randint(-600_000, 600_000)
            self.now_ms = max(self.now_ms + jump_ms, self._dialled_ms + 1)
        return self.now_ms

    # Exchanges.

    def _exchange(self, *, is_cut: bool = False) -> None:
        self._exchanges += 1
        number = self._exchanges
        self._listens()
        if self.dice.random() < 0.7:
            self._steps.append(
                Asked(self._wait(0, 300), number, self.dice.choice(("content", "text", "activity")))
            )
            self._transcripts(Heard, number)
            if not is_cut and self.dice.random() < 0.07:
                # Nothing is answered, and something billed.
                self._end(number, self._told(), is_bundled=self.dice.random() < 0.5)
                return
        passes = self.dice.choice((1, 1, 1, 2, 3))
        for place in range(passes):
            is_last = place == passes - 1
            self._generation(number, is_last=is_last, is_cut=is_cut)

    def _generation(self, number: int, *, is_last: bool, is_cut: bool) -> None:
        told = self._told() if self.dice.random() < 0.8 else None
        ends = is_last and not is_cut
        places = ("alone", "with output", *(("with end", "trailing", "trailing") if ends else ()))
        place = self.dice.choice(places) if told else ""
        call = self._outputs(number, told if place == "with output" else None, may_call=not ends)
        if place == "alone" and told:
            self._report(number, told)
        elif place == "with output" and told:
            self._copies(number, told)
        if call and not is_cut:
            self._steps.append(Answered(self._wait(0, 300), number, call))
        if ends:
            self._end(
                number, told if place in ("with end", "trailing") else None, is_bundled=place == "with end"
            )

    def _outputs(self, number: int, told: Told | None, *, may_call: bool) -> str:
        """What the model makes in one generation; return the call that it ends with, if it does."""
        if self.dice.random() < 0.5:
            self._steps.append(self._output(number))
            self._searched(number)
            self._transcripts(Said, number)
        if may_call:
            self._calls += 1
            last = Made(self._wait(0, 50), number, "call", call=f"call-{self._calls}")
        else:
            last = self._output(number)
        # A bundled usage frame is the last thing of its generation.
        self._steps.append(replace(last, told=told))
        return last.call

    def _searched(self, number: int) -> None:
        for _ in range(self.dice.choice((0, 0, 0, 0, 1, 2))):
            queries = tuple(self.dice.choices(("weather", "время", "time"), k=self.dice.randint(1, 3)))
            self._steps.append(Searched(self._wait(0, 50), number, queries))

    def _output(self, number: int) -> Made:
        if self.dice.random() < 0.1:
            self._steps.append(Paused(self._wait(0, 50), number))
        what = self.dice.choice(("audio", "audio", "words", "thought"))
        audio_ms = self.dice.choice((20, 40, 60, 100, 500, 1234)) if what == "audio" else 0
        return Made(self._wait(0, 300), number, what, audio_ms)

    def _end(self, number: int, told: Told | None, *, is_bundled: bool) -> None:
        if self.dice.random() < 0.15:
            self._steps.append(Interrupted(self._wait(0, 50), number))
        self._steps.append(Ended(self._wait(0, 50), number, told if is_bundled else None))
        if told and is_bundled:
            self._copies(number, told)
        elif told:
            if self.dice.random() < 0.3:
                self._listens()
            self._report(number, told)
        if self.dice.random() < 0.05:
            self._steps.append(Late(self._wait(0, 50), self.dice.choice(WORDS)))

    def _listens(self) -> None:
        if self.dice.random() < 0.5:
            audio_ms = self.dice.choice((20, 40, 100, 1000, 4020))
            self._steps.append(Spoke(self._wait(0, 300), audio_ms))

    def _transcripts(self, kind: type[Heard] | type[Said], number: int) -> None:
        for _ in range(self.dice.choice((0, 0, 1, 2))):
            self._steps.append(kind(self._wait(0, 50), number, self.dice.choice(WORDS)))

    # Usage frames.

    def _told(self) -> Told:
        counts = self.chance.counts(is_whole=self._is_first_told or self._is_plain)
        if self._last is not None and self.dice.random() < 0.1:
            # Another generation with the very same figures; there is output before it.
            counts = self._last
        self._last, self._is_first_told = counts, False
        return Told(counts, spelling=self.chance.spelling())

    def _report(self, number: int, told: Told) -> None:
        self._steps.append(Reported(self._wait(0, 100), number, told))
        self._copies(number, told)
        if self.dice.random() < 0.05:
            # A few more tokens, without anything in between.
            more = Told(self.chance.counts(is_whole=True), spelling=self.chance.spelling())
            if more.counts != told.counts:
                self._last = more.counts
                self._steps.append(Reported(self._wait(0, 100), number, more))

    def _copies(self, number: int, told: Told) -> None:
        for _ in range(self.dice.choice((0, 0, 0, 1, 2))):
            if self.dice.random() < 0.3:
                self._listens()
            copy = replace(told, is_copy=True, spelling=self.chance.spelling())
            self._steps.append(Reported(self._wait(0, 100), number, copy))
