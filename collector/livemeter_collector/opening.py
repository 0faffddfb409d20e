"""Opening the store on a server that may be away: once before anybody is served, then until it is there.

A server that cannot be reached, or is overloaded, is waited for. One that refuses us at the start does so for
a reason that waiting does not mend; later, when telemetry comes already, it is waited for as well.
"""

import asyncio
import logging
from collections.abc import Callable

from livemeter_collector.store.awaited import AwaitedStore
from livemeter_collector.store.contract import StoreError, StoreUnavailableError
from livemeter_collector.store.errors import PASSING_FOR_INSERTS

FIRST_S = 10.0
"""How long senders wait for the first attempt. Making all tables may take longer; a refusal does not."""

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 5.0
_LOG = logging.getLogger("livemeter.collector")


class Opening:
    """The attempts to open one store, on one event loop."""

    def __init__(self, store: AwaitedStore) -> None:
        """Begin the first attempt."""
        self._store = store
        self._attempt = asyncio.ensure_future(store.open())
        self._told = ""
        self.trouble = "the store is being opened"
        """Why it is not there; empty if it is."""

    async def first(self, within_s: float = FIRST_S) -> None:
        """Return when the store is there, or has to be waited for.

        Raises:
            StoreError: the server refuses us.
        """
        await asyncio.wait({self._attempt}, timeout=within_s)
        if not self._attempt.done():
            return
        try:
            self._attempt.result()
        except StoreError as error:
            if not _may_pass(error):
                raise
            self.trouble = str(error)
        else:
            self.trouble = ""

    async def finish(self, on_trouble: Callable[[str], None]) -> None:
        """Try again until the store is there; the log says so once, and once more when it is."""
        pause_s = _FIRST_PAUSE_S
        while not await self._succeeds():
            on_trouble(self.trouble)
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            self._attempt = asyncio.ensure_future(self._store.open())
        if self._told:
            _LOG.warning("the store is there, and takes what was kept in the journal")

    def give_up(self) -> None:
        """Wait no longer."""
        self._attempt.cancel()

    async def _succeeds(self) -> bool:
        try:
            await self._attempt
        except StoreError as error:
            self.trouble = str(error)
            self._tell(error)
            return False
        self.trouble = ""
        return True

    def _tell(self, error: StoreError) -> None:
        # Away, and then refusing us, are two things to know; the hundredth attempt is none.
        kind = "is away" if _may_pass(error) else "cannot be opened"
        if kind != self._told:
            _LOG.warning("the store %s, and telemetry is kept in the journal: %s", kind, error)
        self._told = kind


def _may_pass(error: StoreError) -> bool:
    # What is asked of a server here is never too much for it at another time.
    return isinstance(error, StoreUnavailableError) or error.code in PASSING_FOR_INSERTS
