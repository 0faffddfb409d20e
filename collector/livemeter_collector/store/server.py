"""A ClickHouse server over HTTP, or anything that speaks like one: a collector's own SQL endpoint does.

Every call is one request with its own settings and no session, so that one client serves all threads.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# clickhouse-connect is typed in part.

import contextlib
import re
import threading
import uuid
from collections.abc import Callable, Generator, Mapping
from typing import cast
from urllib.parse import SplitResult, unquote, urlsplit

from clickhouse_connect import get_client
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError
from clickhouse_connect.driver.httputil import get_pool_manager
from urllib3 import HTTPResponse
from urllib3.exceptions import HTTPError

from livemeter_collector.store.connecting import connect_error, unreachable
from livemeter_collector.store.contract import (
    DATABASE,
    ByteStream,
    Parameters,
    Signal,
    StoreError,
    StoreUnavailableError,
    Table,
)
from livemeter_collector.store.errors import query_error
from livemeter_collector.store.insert import (
    FORMAT,
    INSERT_SETTINGS,
    insert_settings,
    message_of,
    schema_of,
    table_of,
)
from livemeter_collector.store.stream import QueryStream
from livemeter_collector.store.tables import ask, bindable, store_error

CONNECT_TIMEOUT_S = 5
ANSWER_TIMEOUT_S = 60
_COMMENT = "log_comment"
_CHUNK_BYTES = 256 * 1024
# The most that a server writes about an exception in the middle of an answer.
_EXCEPTION_BYTES = 20 * 1024
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class ServerStore:
    """A ``Store`` behind a URL; see the contract for the calls."""

    def __init__(self, url: str, answer_timeout_s: int = ANSWER_TIMEOUT_S) -> None:
        """Connect to ``http[s]://[user:password@]host[:port]``.

        Raises:
            StoreUnavailableError: nothing answers there.
            StoreError: it answers, but not like ClickHouse, or refuses us.
        """
        self._where = _without_password(url)
        self._closed = threading.Event()
        try:
            self._client = _connect(url, answer_timeout_s)
        except ClickHouseError as error:
            raise connect_error(error, self._where) from error
        except HTTPError as error:
            raise unreachable(self._where, "the connection failed") from error
        self._known_settings = frozenset(self._client.server_settings) & INSERT_SETTINGS.keys()

    def insert_otlp(self, signal: Signal, body: bytes, token: str, origin: str = "") -> None:
        """Insert one or several concatenated requests and return when the server has stored them."""
        if not body:
            return
        settings = self._changeable(insert_settings(token, self._known_settings, origin)) | {
            "format_schema_source": "string",
            "format_schema": schema_of(signal),
            "format_schema_message_name": message_of(signal),
        }
        with self._errors(inserting=True):
            self._client.raw_insert(
                f"{DATABASE}.{table_of(signal)}", insert_block=body, fmt=FORMAT, settings=settings
            )

    def command(self, sql: str, parameters: Parameters | None = None) -> None:
        """Run a statement that answers nothing."""
        # The one statement that cannot name our database as the request's is the one that makes it.
        inside = not sql.lstrip().upper().startswith("CREATE DATABASE")
        with self._errors():
            self._client.command(sql, parameters=bindable(parameters), use_database=inside)

    def query(self, sql: str, parameters: Parameters | None = None) -> Table:
        """Answer a SELECT as Python values, read-only; times are aware, in UTC."""
        with self._errors():
            return ask(self._client, sql, parameters, self._changeable({"readonly": "1"}))

    def stream(
        self,
        sql: str,
        output_format: str,
        parameters: Parameters | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> ByteStream:
        """Answer a SELECT as bytes, read-only, as they arrive."""
        query_id = str(uuid.uuid4())
        limits = self._changeable({**(settings or {}), "readonly": "1"})
        comment = {name: value for name, value in (settings or {}).items() if name == _COMMENT}
        opened: list[HTTPResponse] = []

        def request() -> HTTPResponse:
            # clickhouse-connect would put its own database over the one among the settings.
            transport = {"database": DATABASE} | limits | {"query_id": query_id} | comment
            raw = self._client.raw_stream(
                sql, bindable(parameters), transport, output_format, use_database=False
            )
            opened.append(cast("HTTPResponse", raw))
            return opened[0]

        def stop() -> None:
            # Before the server has answered there is no response to shut, only a query to kill.
            with contextlib.suppress(ClickHouseError, HTTPError):
                self._client.command("KILL QUERY WHERE query_id = {id:String} ASYNC", {"id": query_id})
            for response in opened:
                response.shutdown()

        return QueryStream(self._chunks(request), stop)

    def close(self) -> None:
        """Close the connections; what is in flight ends with an error."""
        if not self._closed.is_set():
            self._closed.set()
            # urllib3-future, where it has taken urllib3's place, keeps its pools in another way than the
            # client closes them; they end with the process.
            with contextlib.suppress(AttributeError):
                self._client.close()

    def _chunks(self, request: Callable[[], HTTPResponse]) -> Generator[bytes]:
        with self._errors(), contextlib.closing(request()) as response:
            yield from _without_exception(response)

    @contextlib.contextmanager
    def _errors(self, *, inserting: bool = False) -> Generator[None]:
        if self._closed.is_set():
            raise StoreError("the store is closed")
        try:
            yield
        except ClickHouseError as error:
            raise self._told(store_error(error, inserting=inserting)) from error
        except HTTPError as error:
            raise self._told(StoreUnavailableError("the connection failed")) from error

    def _told(self, error: StoreError) -> StoreError:
        if isinstance(error, StoreUnavailableError) and error.code is None:
            return unreachable(self._where, str(error))
        return error

    def _changeable(self, settings: Mapping[str, str]) -> dict[str, str]:
        """Leave out what the server's profile for this user has fixed."""
        fixed = {name for name, setting in self._client.server_settings.items() if setting.readonly}
        return {name: value for name, value in settings.items() if name not in fixed}


def _connect(url: str, answer_timeout_s: int) -> Client:
    parts = urlsplit(url)
    port = _port(parts)
    if parts.scheme not in {"http", "https"} or not parts.hostname or port is None:
        raise StoreError(f"not a ClickHouse address: {_without_password(url)}: write http://host:8123")
    # A proxy from the environment is for the world outside, not for this machine.
    pool = get_pool_manager() if parts.hostname in _LOOPBACK else None
    client = get_client(
        interface=parts.scheme,
        host=parts.hostname,
        port=port,
        username=unquote(parts.username or "default"),
        password=unquote(parts.password or ""),
        proxy_path=parts.path,
        pool_mgr=pool,
        dedicated_pool=pool is None,
        connect_timeout=CONNECT_TIMEOUT_S,
        send_receive_timeout=answer_timeout_s,
        autogenerate_session_id=False,
        tz_source="server",
    )
    # A collector takes it from readers, to whom it says that every setting is fixed.
    client.valid_transport_settings = {*client.valid_transport_settings, _COMMENT}
    # Not when connecting: there may be no such database yet.
    client.database = DATABASE
    return client


def _port(parts: SplitResult) -> int | None:
    try:
        return parts.port or (8443 if parts.scheme == "https" else 8123)
    except ValueError:
        return None


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _without_exception(response: HTTPResponse) -> Generator[bytes]:
    """Yield the body; an exception that the server wrote into it after it had begun is raised."""
    tag = response.headers.get("X-ClickHouse-Exception-Tag", "")
    mark = f"\r\n__exception__\r\n{tag}\r\n".encode()
    held = b""
    while chunk := response.read(_CHUNK_BYTES):
        held += chunk
        if len(held) > 2 * _EXCEPTION_BYTES:
            yield held[:-_EXCEPTION_BYTES]
            held = held[-_EXCEPTION_BYTES:]
    data, found, text = held.partition(mark) if tag else (held, b"", b"")
    if data:
        yield data
    if found:
        message = re.split(rf"\n\d+ {re.escape(tag)}", text.decode(errors="replace"))[0]
        raise query_error(message)
