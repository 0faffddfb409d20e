"""What the collector has done since it started, as numbers that can be compared with the store's.

Plain data; counts only, it decides nothing.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Tally:
    """How much of something: requests, the records in them, their bytes (protobuf, uncompressed)."""

    requests: int = 0
    records: int = 0
    bytes: int = 0

    def plus(self, records: int, size_bytes: int, requests: int = 1) -> "Tally":
        """Return this tally with one more request in it, or with several."""
        return Tally(self.requests + requests, self.records + records, self.bytes + size_bytes)


@dataclass(frozen=True, slots=True)
class Counters:
    """One signal's tallies.

    Every request ends in exactly one of accepted, repeated, refused and malformed, but for those whose sender
    hung up before the answer.
    """

    accepted: Tally = Tally()
    """Acknowledged: the sender was told that its records are kept (or had sent none)."""
    repeated: Tally = Tally()
    """Acknowledged again: the same bytes had been accepted before, and count once."""
    refused: Tally = Tally()
    """Told to come again: the journal was full, or could not be written."""
    malformed: Tally = Tally()
    """Told never to come again. Records are 0 where the bytes could not even be counted."""
    stored: Tally = Tally()
    """In the store: its insert returned for them."""
    set_aside: Tally = Tally()
    """Among the dead letters: the store cannot read them."""


@dataclass(frozen=True, slots=True)
class InsertTimes:
    """Wall time of inserts that succeeded, as a histogram: ``counts[i]`` took up to ``BOUNDS_S[i]`` seconds.

    The last count is of those beyond all bounds.
    """

    counts: tuple[int, ...] = ()
    sum_s: float = 0.0


BOUNDS_S = (0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


@dataclass(frozen=True, slots=True)
class SignalState:
    """One signal's way from the door to the store, at one moment."""

    counters: Counters = Counters()
    journal: Tally = Tally()
    """Accepted, not yet stored or set aside."""
    oldest_s: float = 0.0
    """Age of the oldest request in the journal, in seconds; 0 if there is none."""
    insert_times: InsertTimes = field(default_factory=InsertTimes)
    failed_inserts: int = 0
    """Inserts that will be repeated."""
    trouble: str = ""
    """Why the store takes nothing at the moment, in one line; empty if it does."""


@dataclass(frozen=True, slots=True)
class JournalState:
    """The journal as a whole."""

    bytes: int = 0
    limit_bytes: int = 0
    free_bytes: int = 0
    """Free space on the journal's disk."""
    reason_to_refuse: str = ""
    """Why it takes no request at the moment; empty if it does."""
