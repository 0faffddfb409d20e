"""What an older version left in its journal, stored under the rules it was accepted under.

Blocking; runs before the database is brought up to date. Landing tables and their schemas never change in
place: a later version that needs other ones gives them other names.
"""

import time
from collections.abc import Callable

from livemeter_collector.ingest.feeder import Feeder, SetsAside
from livemeter_collector.journal.journal import Journal
from livemeter_collector.store.contract import Store, StoreError, StoreUnavailableError

TRY_FOR_S = 30.0
_PAUSE_S = 0.5


def replay_older(store: Store, journal: Journal, dead_letters: SetsAside, rules: int) -> int:
    """Store the segments that were written before migration ``rules``; return how many there were.

    Raises:
        StoreError: the store does not take them; everything is still in the journal.
    """
    older = [
        segment
        for segments in journal.left.values()
        for segment in segments
        if segment.preamble.rules < rules
    ]
    feeder = Feeder(store, journal, dead_letters)
    for segment in older:
        _patiently(lambda segment=segment: feeder.feed(segment))  # type: ignore[misc]
        journal.left[segment.preamble.signal].remove(segment)
    return len(older)


def _patiently(work: Callable[[], object]) -> None:
    give_up = time.monotonic() + TRY_FOR_S
    while True:
        try:
            work()
        except StoreUnavailableError:
            if time.monotonic() > give_up:
                raise
            time.sleep(_PAUSE_S)
        except OSError as error:
            raise StoreError(f"the journal cannot be written: {error.strerror}") from error
        else:
            return
