"""A store behind HTTP: against the collector's own endpoint, made to insert as a server does."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import chdb
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Message, Receive, Scope, Send

from livemeter_collector.query.gateway import create_sql_app
from livemeter_collector.store.contract import PoisonError, Signal, Store, StoreError, StoreUnavailableError
from livemeter_collector.store.insert import INSERT_SETTINGS
from livemeter_collector.store.open import ENGINE_DIRECTORY, open_server
from livemeter_collector.store.server import ServerStore
from tests.collector.otlp_messages import logs_request
from tests.collector.serving import serving

TRANSPORT = {"database", "query_id", "session_id", "wait_end_of_query", "query"}

_connect = cast(Callable[[str], Any], chdb.connect)


class WritableServer:
    """The collector's endpoint, but INSERT runs on the engine of this process with the URL's settings."""

    def __init__(self, store: Store, engine: Path, schemas: Path) -> None:
        self._reading = create_sql_app(store)
        self._engine = str(engine)
        self._schemas = schemas
        self.answer_next: Response | None = None
        """In place of the next insert."""
        self.inserts: list[dict[str, str]] = []
        self.reads: list[dict[str, str]] = []
        self._running: dict[str, asyncio.Task[None]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        body = await request.body()
        url = dict(request.query_params)
        if body.startswith(b"INSERT"):
            await self._insert(body, url)(scope, receive, send)
            return
        if body.startswith(b"KILL"):
            self._running[url["param_id"]].cancel()
            await PlainTextResponse("")(scope, receive, send)
            return
        if b"FROM system.settings" in body:
            # To a reader every setting is fixed; to whoever may write, none is.
            body = body.replace(b"readonly", b"toUInt8(0) AS readonly")
        self.reads.append(url)
        self._running[url.get("query_id", "")] = asyncio.ensure_future(self._read(body, scope, receive, send))
        with contextlib.suppress(asyncio.CancelledError):
            await self._running[url.get("query_id", "")]

    async def _read(self, body: bytes, scope: Scope, receive: Receive, send: Send) -> None:
        messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def again() -> Message:
            return messages.pop() if messages else await receive()

        await self._reading(scope, again, send)

    def _insert(self, body: bytes, settings: dict[str, str]) -> Response:
        if self.answer_next is not None:
            answer, self.answer_next = self.answer_next, None
            return answer
        self.inserts.append(settings)
        head, _, data = body.partition(b"\n")
        statement, _, output_format = head.decode().rpartition(" FORMAT ")
        engine_settings = self._with_schema_file(settings)
        assigned = ", ".join(f"{name} = {quoted(value)}" for name, value in engine_settings.items())
        connection = _connect(self._engine)
        try:
            with connection.send_insert(f"{statement} SETTINGS {assigned}", output_format) as insert:
                insert.append(data)
                insert.finish()
        except RuntimeError as error:
            text = str(error).partition("failed: ")[2]
            return failed(text, int(text.split()[1].rstrip(".")))
        finally:
            connection.close()
        return PlainTextResponse("")

    def _with_schema_file(self, settings: dict[str, str]) -> dict[str, str]:
        """Give the engine the schema's text as a file; a server keeps it so in a place of its own."""
        engine_settings = {name: value for name, value in settings.items() if name not in TRANSPORT}
        assert engine_settings.pop("format_schema_source") == "string"
        message = engine_settings.pop("format_schema_message_name")
        schema = self._schemas / f"{message}.proto"
        schema.write_text(engine_settings["format_schema"])
        return engine_settings | {"format_schema": f"{schema}:{message}"}


def quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def failed(text: str, code: int, status: int = 500) -> Response:
    return PlainTextResponse(text, status, {"X-ClickHouse-Exception-Code": str(code)})


@pytest.fixture(scope="module")
def server(store: Store, data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> WritableServer:
    return WritableServer(store, data_dir / ENGINE_DIRECTORY, tmp_path_factory.mktemp("schemas"))


@pytest.fixture(scope="module")
def port(server: WritableServer) -> Iterator[int]:
    with serving(server) as port:
        yield port


@pytest.fixture
def remote(port: int) -> Iterator[Store]:
    with contextlib.closing(open_server(f"http://somebody:secret@127.0.0.1:{port}/")) as opened:
        yield opened


def test_inserts_arrive_once_for_each_token(remote: Store, unique: str) -> None:
    body = logs_request(["a", "\n\n;"], unique).SerializeToString()
    for token in ("1", "2", "1"):
        remote.insert_otlp(Signal.LOGS, body, unique + token)
    remote.insert_otlp(Signal.LOGS, b"", unique)
    sql = "SELECT Body FROM logs WHERE ServiceName = {s:String} ORDER BY Body"
    assert remote.query(sql, {"s": unique}).rows == (("\n\n;",), ("\n\n;",), ("a",), ("a",))


def test_every_setting_that_counts_goes_with_the_insert(
    remote: Store, server: WritableServer, unique: str
) -> None:
    remote.insert_otlp(Signal.LOGS, logs_request(["a"], unique).SerializeToString(), unique)
    sent = server.inserts[-1]
    assert {name: sent.get(name) for name in INSERT_SETTINGS} == INSERT_SETTINGS
    assert sent["insert_deduplication_token"] == unique
    assert sent["format_schema_source"] == "string"


def test_damaged_bytes_are_poison(remote: Store) -> None:
    with pytest.raises(PoisonError):
        remote.insert_otlp(Signal.LOGS, b"\xff" * 50, "damaged")


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (failed("Code: 252. DB::Exception: Too many parts (TOO_MANY_PARTS)", 252), StoreUnavailableError),
        (failed("Code: 241. DB::Exception: Memory (MEMORY_LIMIT_EXCEEDED)", 241), StoreUnavailableError),
        (
            failed("Code: 202. DB::Exception: Many (TOO_MANY_SIMULTANEOUS_QUERIES)", 202),
            StoreUnavailableError,
        ),
        (failed("Code: 242. DB::Exception: Read only (TABLE_IS_READ_ONLY)", 242), StoreUnavailableError),
        (failed("Code: 33. DB::Exception: Cannot read (CANNOT_READ_ALL_DATA)", 33), PoisonError),
        (failed("Code: 60. DB::Exception: No table (UNKNOWN_TABLE)", 60, 404), StoreError),
        (failed("Code: 497. DB::Exception: Not yours (ACCESS_DENIED)", 497, 403), StoreError),
    ],
)
def test_a_failed_insert_says_whether_it_may_be_tried_again(
    remote: Store, server: WritableServer, answer: Response, kind: type[StoreError]
) -> None:
    server.answer_next = answer
    with pytest.raises(StoreError) as caught:
        remote.insert_otlp(Signal.LOGS, logs_request(["a"]).SerializeToString(), "t")
    assert type(caught.value) is kind
    assert caught.value.code == int(answer.headers["X-ClickHouse-Exception-Code"])
    assert "\n" not in str(caught.value)
    assert "http" not in str(caught.value)


def test_questions_are_answered_as_by_the_engine_itself(remote: Store, store: Store) -> None:
    sql = (
        "SELECT toDateTime64('2026-01-02 03:04:05.678', 9) AS t, toDecimal64('1.5', 9) AS d,"
        " map('a', [1]) AS m, {s:String} AS s, {a:Array(String)} AS a"
    )
    parameters = {"s": "tab\tline\nback\\slash 'quote'", "a": ["it's", "\\"]}
    assert remote.query(sql, parameters) == store.query(sql, parameters)
    assert remote.query("SELECT 1 AS none WHERE 0") == store.query("SELECT 1 AS none WHERE 0")
    for output_format in ("TSV", "JSON", "Native"):
        there = b"".join(remote.stream("SELECT 1 AS a, {s:String} AS s", output_format, parameters))
        here = b"".join(store.stream("SELECT 1 AS a, {s:String} AS s", output_format, parameters))
        assert output_format == "JSON" or there == here
    system = remote.stream("SELECT currentDatabase()", "TSV", settings={"database": "system"})
    assert b"".join(system) == b"system\n"


def test_whatever_reads_is_sent_as_read_only(remote: Store, server: WritableServer) -> None:
    """The server is what refuses a statement that writes; this one would answer it either way."""
    server.reads.clear()
    remote.query("SELECT 1")
    b"".join(remote.stream("SELECT 1", "TSV"))

    assert [sent.get("readonly") for sent in server.reads] == ["1", "1"]


def test_a_large_answer_streams_and_a_late_failure_is_told(remote: Store) -> None:
    expected = b"".join(b"%d\n" % number for number in range(300_000))
    assert b"".join(remote.stream("SELECT number FROM numbers(300000)", "TSV")) == expected
    received: list[bytes] = []
    fails = "SELECT number, throwIf(number = 500000, 'halfway') FROM numbers(1000000)"
    with pytest.raises(StoreError) as caught:
        received.extend(remote.stream(fails, "TSV"))
    assert caught.value.code == 395
    assert str(caught.value).startswith("halfway")
    assert received[0].startswith(b"0\t0\n")
    assert b"__exception__" not in b"".join(received)


def test_errors_are_the_servers_own_line(remote: Store) -> None:
    for ask in (remote.query, remote.command):
        with pytest.raises(StoreError) as caught:
            ask("SELECT nothing")
        assert caught.value.code == 47
        assert str(caught.value).startswith("Unknown expression identifier")
        assert "secret" not in str(caught.value)


def test_closing_a_stream_does_not_wait_for_the_query(remote: Store, store: Store) -> None:
    stream = remote.stream("SELECT count() FROM numbers(1000000000000) WHERE number != 4713", "TSV")
    ended: list[StoreError] = []

    def wait() -> None:
        try:
            next(stream)
        except StoreError as error:
            ended.append(error)

    running = "SELECT count() FROM system.processes WHERE query LIKE '%47' || '13%'"
    waiting = threading.Thread(target=wait)
    waiting.start()
    while store.query(running).rows == ((0,),):
        time.sleep(0.01)
    stream.close()
    waiting.join(timeout=10)
    assert len(ended) == 1
    while store.query(running).rows != ((0,),):
        time.sleep(0.01)


def test_a_closed_store_says_so(remote: Store) -> None:
    remote.close()
    remote.close()
    with pytest.raises(StoreError, match="the store is closed"):
        remote.query("SELECT 1")
    with pytest.raises(StoreError, match="the store is closed"):
        next(remote.stream("SELECT 1", "TSV"))


def test_nobody_there_is_one_line_without_the_password() -> None:
    with pytest.raises(StoreUnavailableError) as caught:
        open_server("http://somebody:secret@127.0.0.1:1")
    assert (
        str(caught.value)
        == "cannot reach ClickHouse at http://127.0.0.1:1 (Connection refused): is it running?"
    )


@pytest.mark.parametrize(
    "url", ["127.0.0.1:8123", "clickhouse://127.0.0.1", "http://", "nonsense", "http://h:port"]
)
def test_what_is_no_address_is_said_to_be_none(url: str) -> None:
    with pytest.raises(StoreError, match="not a ClickHouse address"):
        open_server(url)


def test_a_server_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """It accepts connections and then says nothing."""
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(StoreUnavailableError, match="no answer in time"),
    ):
        ServerStore(f"http://127.0.0.1:{silent.getsockname()[1]}", answer_timeout_s=1)
