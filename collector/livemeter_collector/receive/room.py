"""A bound on the bytes that a door holds at one time, whoever sent them."""

from collections.abc import Generator
from contextlib import contextmanager

from livemeter_collector.ingest.request import RefusedError

HELD_BYTES = 256 * 1024 * 1024
"""The most that bodies may take together: a few of the largest, very many usual ones."""


class Room:
    """How many bytes are held; on one event loop."""

    def __init__(self, most_bytes: int = HELD_BYTES) -> None:
        self._most_bytes = most_bytes
        self._held_bytes = 0

    def take(self, size_bytes: int) -> None:
        """Hold so many bytes more. An empty room takes any size, or a large request could never pass.

        Raises:
            RefusedError: there is no room for them.
        """
        if self._held_bytes and self._held_bytes + size_bytes > self._most_bytes:
            raise RefusedError("the collector is reading too many requests at once")
        self._held_bytes += size_bytes

    def give_back(self, size_bytes: int) -> None:
        """Let go of bytes that were taken."""
        self._held_bytes -= size_bytes

    @contextmanager
    def held(self, size_bytes: int) -> Generator[None]:
        """Hold bytes for a while; raises as ``take`` does."""
        self.take(size_bytes)
        try:
            yield
        finally:
            self.give_back(size_bytes)
