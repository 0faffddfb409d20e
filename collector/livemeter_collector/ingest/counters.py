"""What the writer has done since it started, as numbers that can be compared with the store's.

Plain data; counts only, it decides nothing.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tally:
    """How much of something: requests, the records in them, their bytes (protobuf, uncompressed)."""

    requests: int = 0
    records: int = 0
    bytes: int = 0

    def plus(self, records: int, size_bytes: int) -> "Tally":
        """Return this tally with one more request in it."""
        return Tally(self.requests + 1, self.records + records, self.bytes + size_bytes)


@dataclass(frozen=True, slots=True)
class Counters:
    """One signal's tallies.

    Every request ends in exactly one of accepted, refused and malformed, but for those whose sender hung up
    before the answer: they are in none, whether they were stored or not.
    """

    accepted: Tally = Tally()
    """Acknowledged: the sender was told that its records are stored (or had sent none)."""
    refused: Tally = Tally()
    """Told to come again: the queue was full, or the store did not take them in time."""
    malformed: Tally = Tally()
    """Told never to come again. Records are 0 where the bytes could not even be counted."""
    inserted: Tally = Tally()
    """Stored: the store returned for them."""
