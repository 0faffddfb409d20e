"""The chunks of an answer whose query can be ended while another thread waits for a chunk. Pure."""

import threading
from collections.abc import Callable, Generator

_AGAIN_S = 0.05


class QueryStream:
    """A generator of chunks with a ``close`` that does not wait for the query's own end."""

    def __init__(self, chunks: Generator[bytes], stop: Callable[[], None]) -> None:
        """``stop`` makes the generator's current step end soon; it may come too early or too late."""
        self._chunks = chunks
        self._stop = stop
        self._working = threading.Lock()
        self._closed = False

    def __iter__(self) -> "QueryStream":
        return self

    def __next__(self) -> bytes:
        with self._working:
            if self._closed:
                raise StopIteration
            return next(self._chunks)

    def close(self) -> None:
        """Stop the query and release what it holds."""
        self._closed = True
        # Again and again, because the query may not have begun when it is stopped for the first time.
        while not self._working.acquire(timeout=_AGAIN_S):
            self._stop()
        try:
            self._chunks.close()
        finally:
            self._working.release()
