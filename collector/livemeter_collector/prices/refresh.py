"""The prices of a running collector: models as they turn up, the user's file as it is edited.

A name that was not known at the start need not wait for the next one. A file that becomes wrong costs nothing
but a warning: the last prices that were good stay.
"""

import asyncio
import logging
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

from livemeter.accounts.price_file import PriceFileError
from livemeter.accounts.rates import Price
from livemeter_collector.prices.load import Loaded, load_prices
from livemeter_collector.prices.overrides import read_file
from livemeter_collector.store.contract import Store, StoreError

INTERVAL_S = 60.0
"""A look costs two SELECTs; prices are written only when there is something new."""

_LOG = logging.getLogger("livemeter.collector")


class PriceBook:
    """A store's prices and the file that wins over the published ones. Calls block, from any thread."""

    def __init__(self, store: Store, file: Path | None = None, every_s: float = INTERVAL_S) -> None:
        self.file = file
        self.every_s = every_s
        self._store = store
        self._last_good: Iterable[Price] | None = None
        self._warned_of = ""
        self._lock = threading.Lock()

    def load(self) -> Loaded:
        """Load the prices anew and say what changed; the dictionary is reloaded in any case.

        Raises:
            PriceFileError: the file cannot be used; nothing was loaded.
            StoreError: the store cannot be asked or written.
        """
        with self._lock:
            return load_prices(self._store, self._read(), reload=True)

    def keep_up(self) -> None:
        """Load what is new. With a file that cannot be used, the prices stay as they were, with a warning.

        Raises:
            StoreError: the store cannot be asked or written.
        """
        with self._lock:
            try:
                self._read()
            except PriceFileError as error:
                self._warn(str(error))
            # Never read well by this process: what the store has of an earlier one stays.
            if self._last_good is not None:
                load_prices(self._store, self._last_good)

    def _read(self) -> Iterable[Price]:
        overrides = self._last_good = read_file(self.file)
        self._warned_of = ""
        return overrides

    def _warn(self, reason: str) -> None:
        if reason != self._warned_of:
            _LOG.warning("the prices stay as they were: %s", reason)
            self._warned_of = reason


async def keep_priced(book: PriceBook) -> NoReturn:
    """Load prices again and again, until cancelled. A store that is away now is asked again later."""
    while True:
        await asyncio.sleep(book.every_s)
        try:
            await asyncio.to_thread(book.keep_up)
        except StoreError:
            continue
