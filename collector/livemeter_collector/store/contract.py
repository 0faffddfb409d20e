"""What the collector asks of a ClickHouse, embedded or remote: the one seam between service and engine.

Calls block and are safe from any thread. Nothing here imports an engine or a client library.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

DATABASE = "livemeter"
"""The database that holds every table and view."""

Scalar = str | int | float | bool | None
Parameters = Mapping[str, Scalar | Sequence[Scalar]]
"""Query parameters, bound by name to ``{name:Type}`` in the SQL."""


class EscapedText(str):
    """A parameter's value in the escaped form that HTTP clients send; it is passed on as it is."""

    __slots__ = ()


class Signal(StrEnum):
    """The three OTLP signals, by their name in paths and table names."""

    LOGS = "logs"
    TRACES = "traces"
    METRICS = "metrics"


class StoreError(Exception):
    """A statement failed; the text is the engine's own first line."""

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        """ClickHouse's error code (60 is UNKNOWN_TABLE), when the engine gave one."""


class StoreUnavailableError(StoreError):
    """The engine cannot be reached or is overloaded: the same statement may succeed later."""


class PoisonError(StoreError):
    """The engine refuses these bytes and would refuse them again."""


class DirectoryHeldError(StoreError):
    """Another process holds the data directory."""


class NewerSchemaError(StoreError):
    """A newer version of Livemeter wrote this database."""


@dataclass(frozen=True, slots=True)
class Table:
    """A query's answer: column names and rows of Python values (Decimal for money)."""

    columns: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]


class ByteStream(Iterator[bytes], Protocol):
    """The chunks of an answer; closing it before its end stops the query behind it."""

    def close(self) -> None:
        """Stop the query and release what it holds; blocks until it has ended. Closing twice is harmless."""
        ...


class Store(Protocol):
    """One ClickHouse."""

    def insert_otlp(self, signal: Signal, body: bytes, token: str, origin: str = "") -> None:
        """Insert one or several concatenated ``Export*ServiceRequest`` messages and return when durable.

        ``token`` identifies the content: the same token is stored once however often it is sent. ``origin``
        says where the content comes from; the views of the ledger find it in the setting ``log_comment``.

        Raises:
            PoisonError: the engine cannot read the bytes; nothing was stored.
            StoreUnavailableError: try the same bytes with the same token again.
        """
        ...

    def command(self, sql: str, parameters: Parameters | None = None) -> None:
        """Run a statement that answers nothing (DDL, INSERT ... VALUES, SYSTEM)."""
        ...

    def query(self, sql: str, parameters: Parameters | None = None) -> Table:
        """Answer a SELECT as Python values."""
        ...

    def stream(
        self,
        sql: str,
        output_format: str,
        parameters: Parameters | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> ByteStream:
        """Answer a SELECT as bytes in a ClickHouse format, read-only, under the given limits.

        The setting ``database`` is the default database, ``livemeter`` if it is not given. Nothing runs
        before the first chunk is asked for. ``close`` may be called from any thread, also while another
        waits for a chunk: it ends the query.

        Raises:
            StoreError: from the iterator, also in the middle.
        """
        ...

    def close(self) -> None:
        """Release everything; further calls raise StoreError. Closing twice is harmless."""
        ...
