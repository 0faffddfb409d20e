"""How many readers may use the engine at once, first come, first served.

Ungated, fifty readers slow ingestion down twentyfold; a gate of one costs it a fifth, a gate of two a third.
asyncio's semaphore is fair: who waits longest is next, and who leaves the queue is forgotten.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager


class GateFullError(Exception):
    """Too many readers are waiting already."""


class Gate:
    """Places for readers, and a bounded queue in front of them. For one event loop."""

    def __init__(self, places: int, most_waiting: int) -> None:
        self._places = asyncio.Semaphore(places)
        self._most_waiting = most_waiting
        self._waiting = 0

    @asynccontextmanager
    async def place(self) -> AsyncGenerator[None]:
        """Wait for a place and hold it; cancelling gives it up at once, waiting or holding.

        Raises:
            GateFullError: the queue is full.
        """
        if self._waiting >= self._most_waiting:
            raise GateFullError
        self._waiting += 1
        try:
            await self._places.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._places.release()
