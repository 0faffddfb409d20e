"""What the command line reads through: the data directory itself, or whoever has it.

One process at a time can have a directory. When a collector has it, its SQL endpoint is asked instead; when
nobody has it, it is opened here, read-only, for as long as the command takes. Nothing here waits without end.
"""

import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote, urlsplit

from livemeter_collector.access import TOKEN_VARIABLE
from livemeter_collector.store.contract import (
    DirectoryHeldError,
    Parameters,
    Store,
    StoreError,
    StoreUnavailableError,
    Table,
)
from livemeter_collector.store.lock import running_collector
from livemeter_collector.store.migrate import check_schema
from livemeter_collector.store.open import open_embedded, open_server

_TRY_FOR_S = 10.0
_POLL_S = 0.1


class Reader:
    """A store to read from; closes it in the end."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def query(self, sql: str, parameters: Parameters | None = None) -> Table:
        """Answer a SELECT as Python values; see ``Store.query``."""
        return self._store.query(sql, parameters)

    def stream(
        self,
        sql: str,
        output_format: str,
        parameters: Parameters | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> Iterator[bytes]:
        """Answer a SELECT as bytes in one of ClickHouse's formats; see ``Store.stream``."""
        return self._store.stream(sql, output_format, parameters, settings)

    def close(self) -> None:
        """Close the store. Closing twice is harmless."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def open_reader(data: Path | None, clickhouse: str | None) -> Reader:
    """Open a server by its URL, or else a data directory, whoever holds it.

    Raises:
        DirectoryHeldError: a process that is no collector holds the directory and does not let go.
        NewerSchemaError: a newer version of Livemeter wrote the data.
        StoreUnavailableError: nothing answers at the address.
        StoreError: there is no data, or it cannot be read.
    """
    if clickhouse is not None:
        return _checked(open_server(clickhouse))
    if data is None:
        raise StoreError("nowhere to read from: name a directory with --data or a server with --clickhouse")
    return _checked(_open_directory(data))


def _open_directory(data: Path) -> Store:
    """Ask the collector that has the directory, or open it; the two may swap places while we look."""
    deadline = time.monotonic() + _TRY_FOR_S
    while True:
        collector = running_collector(data)
        try:
            if collector is None:
                return open_embedded(data, read_only=True)
            return open_server(_with_token(collector.sql_url, os.environ.get(TOKEN_VARIABLE, "").strip()))
        except (DirectoryHeldError, StoreUnavailableError):
            if time.monotonic() > deadline:
                raise
            time.sleep(_POLL_S)


def _with_token(url: str, token: str) -> str:
    """Return the address with the collector's token as a password, if there is one."""
    parts = urlsplit(url)
    return url if not token else f"{parts.scheme}://livemeter:{quote(token, safe='')}@{parts.netloc}"


def _checked(store: Store) -> Reader:
    try:
        check_schema(store)
    except BaseException:
        store.close()
        raise
    return Reader(store)
