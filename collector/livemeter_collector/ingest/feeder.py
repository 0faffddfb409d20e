"""From a sealed segment to durable rows: one insert, or as many as it takes to find what cannot be read.

Blocking; runs in a thread. The same segment is always stored as the same bytes under the same token, so that
it counts once however often it is tried.
"""

import hashlib
import time
from collections.abc import Sequence
from typing import Protocol

from livemeter_collector.ingest.request import shorten
from livemeter_collector.journal.dead_letters import DeadLetter
from livemeter_collector.journal.journal import Journal
from livemeter_collector.journal.record import Place
from livemeter_collector.journal.segment import Segment
from livemeter_collector.journal.state import Amount
from livemeter_collector.store.contract import PoisonError, Store

MAX_DEATHS = 3
"""As many processes may crash with a segment in the store's hands before it is suspected.

Only crashes count. A process that is killed has some segment in its hands nearly every time, and that says
nothing of it; and what is suspected may have been stored already.
"""


class SetsAside(Protocol):
    """Where requests go that the store cannot read."""

    def set_aside(self, letter: DeadLetter) -> None:
        """Keep a request with the reason; durable when it returns, and once however often it is called."""
        ...


class Feeder:
    """Stores segments. One at a time of each signal."""

    def __init__(self, store: Store, journal: Journal, dead_letters: SetsAside) -> None:
        self._store = store
        self._journal = journal
        self._dead_letters = dead_letters

    def feed(self, segment: Segment) -> Amount:
        """Store a segment and remove it; return how much of it was set aside instead.

        Raises:
            StoreError: the store does not take it now; the same call may succeed later.
            OSError: the disk is full; the same.
        """
        data, contents = segment.read()
        if segment.deaths >= MAX_DEATHS:
            reason = f"the collector crashed {MAX_DEATHS} times while the batch that held it was being stored"
            set_aside = self._bury(segment, data, contents.places, reason)
        else:
            segment.begin_try()
            try:
                set_aside = self._store_part(segment, data, contents.places)
            finally:
                segment.end_try()
        digests = [(place.digest, place.accepted_at_ns) for place in contents.places]
        self._journal.remove(segment, digests, set_aside)
        return set_aside

    def _store_part(self, segment: Segment, data: bytes, places: Sequence[Place]) -> Amount:
        """Store requests that stand side by side; by halves, if one of them cannot be read."""
        part = data if len(places) == segment.requests else data[places[0].start : places[-1].end]
        try:
            self._store.insert_otlp(
                segment.preamble.signal, part, insert_token(places), self._origin(segment, places)
            )
        except PoisonError as error:
            if len(places) == 1:
                return self._bury(segment, data, places, f"the store cannot read this request: {error}")
            middle = len(places) // 2
            return self._store_part(segment, data, places[:middle]) + self._store_part(
                segment, data, places[middle:]
            )
        return Amount()

    def _bury(self, segment: Segment, data: bytes, places: Sequence[Place], reason: str) -> Amount:
        for place in places:
            self._dead_letters.set_aside(
                DeadLetter(
                    segment.preamble.signal,
                    data[place.body : place.end],
                    place.records,
                    shorten(reason),
                    place.accepted_at_ns,
                    time.time_ns(),
                )
            )
        return amount_of(places)

    def _origin(self, segment: Segment, places: Sequence[Place]) -> str:
        amount = amount_of(places)
        return (
            f"journal=1 collector={self._journal.collector_id} segment={segment.preamble.number}"
            f" requests={amount.requests} records={amount.records}"
        )


def amount_of(places: Sequence[Place]) -> Amount:
    """Return how much requests are together."""
    return Amount(
        len(places),
        sum(place.records for place in places),
        sum(place.end - place.body for place in places),
    )


def insert_token(places: Sequence[Place]) -> str:
    """Name an insert by what it holds: the same requests are stored once, and others never pass for them.

    A request sent again on purpose has its bytes and another time of acceptance, and is another insert.
    """
    told = hashlib.sha256()
    for place in places:
        told.update(place.digest)
        told.update(place.accepted_at_ns.to_bytes(8, "little"))
    return told.hexdigest()[:32]
