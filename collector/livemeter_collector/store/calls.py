"""Calls in flight: counted, so that what they run on is not taken away under them. Pure."""

import threading
from collections.abc import Generator
from contextlib import contextmanager

from livemeter_collector.store.contract import StoreError


class CallsInFlight:
    """How many calls are running, and whether new ones may begin."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._running = 0
        self._ended = False

    @contextmanager
    def one(self) -> Generator[None]:
        """Count a call while it runs; raises StoreError once ``end`` was called."""
        with self._changed:
            if self._ended:
                raise StoreError("the store is closed")
            self._running += 1
        try:
            yield
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()

    def end(self) -> bool:
        """Let no call begin any more; return False if that was so already."""
        with self._changed:
            first = not self._ended
            self._ended = True
            return first

    def wait(self, timeout_s: float) -> None:
        """Wait until no call is running, or for so long."""
        with self._changed:
            self._changed.wait_for(lambda: self._running == 0, timeout_s)
