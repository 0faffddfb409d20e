"""A store that may not be there yet: until it has come, every call fails as if it could not be reached.

Whoever waits for it tries to open it again and again; everybody else has it from the start.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Mapping

from livemeter_collector.store.contract import (
    ByteStream,
    Parameters,
    Signal,
    Store,
    StoreError,
    StoreUnavailableError,
    Table,
)


class AwaitedStore:
    """A ``Store`` in place of one that is still to be opened; see the contract for the calls."""

    def __init__(self, open_store: Callable[[], Store]) -> None:
        """Open nothing yet; ``open_store`` blocks and raises StoreError."""
        self._open_store = open_store
        self._lock = threading.Lock()
        self._store: Store | None = None
        self._closed = False
        self._trouble = "the store is being opened"

    async def open(self) -> None:
        """Try once; when it returns, the store is there.

        The thread that tries is one that the process does not wait for when it ends: a server that says
        nothing keeps it for a minute. Whoever is cancelled meanwhile leaves it to its work; what it opens
        after ``close`` is closed at once.

        Raises:
            StoreError: it could not be opened.
        """
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        outcome: list[StoreError | None] = []

        def work() -> None:
            try:
                outcome.append(self._try())
            finally:
                # Nobody is told when the loop is gone.
                with contextlib.suppress(RuntimeError):
                    loop.call_soon_threadsafe(ended.set)

        threading.Thread(target=work, name="livemeter-open", daemon=True).start()
        await ended.wait()
        if not outcome:
            raise RuntimeError("opening the store ended of a bug, which its thread has told")
        if outcome[0] is not None:
            raise outcome[0]

    def insert_otlp(self, signal: Signal, body: bytes, token: str, origin: str = "") -> None:
        """Insert, if the store is there."""
        self._there().insert_otlp(signal, body, token, origin)

    def command(self, sql: str, parameters: Parameters | None = None) -> None:
        """Run a statement, if the store is there."""
        self._there().command(sql, parameters)

    def query(self, sql: str, parameters: Parameters | None = None) -> Table:
        """Answer a SELECT, if the store is there."""
        return self._there().query(sql, parameters)

    def stream(
        self,
        sql: str,
        output_format: str,
        parameters: Parameters | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> ByteStream:
        """Answer a SELECT as bytes, if the store is there."""
        return self._there().stream(sql, output_format, parameters, settings)

    def close(self) -> None:
        """Close the store, also one that is still being opened."""
        with self._lock:
            self._closed = True
            store = self._store
        if store is not None:
            store.close()

    def _there(self) -> Store:
        if self._store is None:
            raise StoreUnavailableError(self._trouble)
        return self._store

    def _try(self) -> StoreError | None:
        try:
            store = self._open_store()
        except StoreError as error:
            self._trouble = str(error)
            return error
        with self._lock:
            if not self._closed:
                self._store = store
                return None
        store.close()
        return StoreError("the store is closed")
