"""Many at a time, or everybody held back: inserts, while something looks at all tables at once. Pure."""

import threading
from collections.abc import Generator
from contextlib import contextmanager


class Pause:
    """Work that can be held back; safe from any thread. A thread must not pause within its own work."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._running = 0
        self._pauses = 0

    @contextmanager
    def one(self) -> Generator[None]:
        """Do a piece of work; waits while there is a pause."""
        with self._changed:
            self._changed.wait_for(lambda: not self._pauses)
            self._running += 1
        try:
            yield
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()

    @contextmanager
    def all(self) -> Generator[None]:
        """Hold everybody back; begins when what is under way has ended."""
        with self._changed:
            # First: what comes while we wait would keep us waiting.
            self._pauses += 1
            self._changed.wait_for(lambda: not self._running)
        try:
            yield
        finally:
            with self._changed:
                self._pauses -= 1
                self._changed.notify_all()
