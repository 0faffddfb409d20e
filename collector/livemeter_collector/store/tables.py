"""What clickhouse-connect answers and raises, as the contract has it; alike for the engine and a server."""

# pyright: reportUnknownMemberType=false
# clickhouse-connect is typed in part.

import logging
from typing import Any

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, Error, OperationalError
from urllib3.exceptions import ConnectTimeoutError, ReadTimeoutError

from livemeter_collector.store.contract import (
    EscapedText,
    Parameters,
    StoreError,
    StoreUnavailableError,
    Table,
)
from livemeter_collector.store.errors import insert_error, query_error
from livemeter_collector.store.parameters import unescaped

# The client logs what it raises; who calls us is told once.
logging.getLogger("clickhouse_connect").addHandler(logging.NullHandler())


def ask(
    client: Client, sql: str, parameters: Parameters | None, settings: dict[str, str] | None = None
) -> Table:
    """Answer a SELECT; times are aware, in UTC. Raises ClickHouseError."""
    result = client.query(
        sql, parameters=bindable(parameters), settings=settings, query_tz="UTC", tz_mode="aware"
    )
    return Table(tuple(result.column_names), tuple(tuple(row) for row in result.result_rows))


def bindable(parameters: Parameters | None) -> dict[str, Any]:
    """Return the parameters as clickhouse-connect takes them: it escapes texts itself."""
    return {
        name: unescaped(value) if isinstance(value, EscapedText) else value
        for name, value in (parameters or {}).items()
    }


def store_error(error: ClickHouseError, *, inserting: bool = False) -> StoreError:
    """Return the contract's exception for one of the client's."""
    code = error.code if isinstance(error, Error) else None
    if code is None and isinstance(error, OperationalError):
        return StoreUnavailableError(_reason(error))
    text = str(error).partition(" (for url ")[0]
    return insert_error(text, code) if inserting else query_error(text, code)


def _reason(error: BaseException) -> str:
    """Return the operating system's word for it; the client's own text quotes the whole request."""
    chain: list[BaseException] = []
    inner: BaseException | None = error
    while inner is not None:
        chain.append(inner)
        inner = inner.__cause__ or inner.__context__
    for link in reversed(chain):
        if isinstance(link, OSError) and link.strerror:
            return link.strerror
    timeouts = TimeoutError | ReadTimeoutError | ConnectTimeoutError
    return (
        "no answer in time" if any(isinstance(link, timeouts) for link in chain) else "the connection failed"
    )
