"""The SQL endpoint as its clients see it: over a real server, with plain HTTP and with clickhouse-connect."""

import asyncio
import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from decimal import Decimal

import clickhouse_connect
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError, StreamFailureError

from livemeter_collector.query.formats import split_plain_clause, split_written_clause
from livemeter_collector.query.gate import Gate, GateFullError
from livemeter_collector.query.gateway import create_sql_app
from livemeter_collector.query.sql_request import QueryLimits
from livemeter_collector.store.contract import Signal, Store
from tests.collector.otlp_messages import logs_request
from tests.collector.serving import Answer, ask, serving

ENDLESS = "SELECT count() FROM numbers(1000000000000)"
FAILS_LATE = "SELECT number, throwIf(number = 500000, 'halfway') FROM numbers(1000000)"


@pytest.fixture(scope="module")
def port(store: Store) -> Iterator[int]:
    """An endpoint as the collector has it."""
    with serving(create_sql_app(store)) as port:
        yield port


@pytest.fixture(scope="module")
def narrow_port(store: Store) -> Iterator[int]:
    """An endpoint with one place for readers and tight limits."""
    limits = QueryLimits(max_execution_time=20, max_result_rows=1000, max_memory_usage=100_000_000)
    with serving(create_sql_app(store, limits, readers=1)) as port:
        yield port


def running(store: Store, text: str) -> bool:
    sql = (
        "SELECT count() FROM system.processes"
        " WHERE position(query, {text:String}) > 0 AND query NOT LIKE '%system.processes%'"
    )
    return bool(store.query(sql, {"text": text}).rows[0][0])


def test_ping_and_the_bare_address_say_ok(port: int) -> None:
    for answer in (ask(port, path="/ping"), ask(port)):
        assert (answer.status, answer.body) == (200, b"Ok.\n")
    assert ask(port, path="/nowhere").status == 404
    assert ask(port, method="DELETE").status == 405


@pytest.mark.parametrize(
    "answer",
    [
        lambda port: ask(port, "SELECT 1 AS a, 'x' AS b"),
        lambda port: ask(port, body=b"SELECT 1 AS a, 'x' AS b"),
        lambda port: ask(port, "SELECT 1 AS a,", b"'x' AS b"),
        lambda port: ask(port, "SELECT 1 AS a, 'x' AS b", b""),
        lambda port: ask(
            port,
            body=b"SELECT 1 AS a, 'x' AS b",
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        ),
    ],
)
def test_a_statement_is_in_the_url_the_body_or_both(port: int, answer: Callable[[int], Answer]) -> None:
    got = answer(port)
    assert (got.status, got.body) == (200, b"1\tx\n")


@pytest.mark.parametrize(
    ("sql", "url", "headers", "output_format", "body"),
    [
        ("SELECT 1 AS a", {}, {}, "TabSeparated", b"1\n"),
        ("SELECT 1 AS a", {"default_format": "JSONEachRow"}, {}, "JSONEachRow", b'{"a":1}\n'),
        (
            "SELECT 1 AS a",
            {"default_format": "CSV"},
            {"X-ClickHouse-Format": "JSONEachRow"},
            "JSONEachRow",
            b'{"a":1}\n',
        ),
        (
            "SELECT 1 AS a FORMAT CSVWithNames",
            {},
            {"X-ClickHouse-Format": "JSONEachRow"},
            "CSVWithNames",
            b'"a"\n1\n',
        ),
        ("SELECT 1 AS a\n format JSONEachRow ;\n", {}, {}, "JSONEachRow", b'{"a":1}\n'),
        ("SELECT 1 AS a FORMAT JSONEachRow -- as asked", {}, {}, "JSONEachRow", b'{"a":1}\n'),
        ("SELECT 1 AS a -- FORMAT CSV", {}, {}, "TabSeparated", b"1\n"),
        ("SELECT 'FORMAT CSV' AS a FORMAT TSVRaw", {}, {}, "TSVRaw", b"FORMAT CSV\n"),
        ("SELECT format('{}', 'FORMAT') AS a FORMAT JSONEachRow", {}, {}, "JSONEachRow", b'{"a":"FORMAT"}\n'),
        ("SELECT format('{}', 'x')", {}, {}, "TabSeparated", b"x\n"),
    ],
)
def test_the_clause_beats_the_header_beats_the_default(
    port: int, sql: str, url: dict[str, str], headers: dict[str, str], output_format: str, body: bytes
) -> None:
    answer = ask(port, body=sql.encode(), headers=headers, **url)
    assert (answer.status, answer.body) == (200, body)
    assert answer.headers["x-clickhouse-format"] == output_format


def test_formats_with_a_frame_are_whole_documents(port: int) -> None:
    answer = ask(port, "SELECT number AS n FROM numbers(200000) FORMAT JSON")
    assert answer.headers["content-type"] == "application/json; charset=UTF-8"
    assert len(json.loads(answer.body)["data"]) == 200_000


def test_a_comment_of_the_readers_reaches_the_views_that_look_at_it(port: int) -> None:
    asked = "SELECT livemeter_origin('settle'), livemeter_origin('settle_to')"
    assert ask(port, asked, log_comment="settle=all settle_to=ff").body == b"all\tff\n"
    # A quote is a part of it, and no way out of it.
    assert ask(port, asked, log_comment="settle=it's\\ settle_to=0").body == b"it\\'s\\\\\t0\n"
    assert ask(port, asked).body == b"\t\n"


def test_parameters_come_in_clickhouses_escaped_form(port: int) -> None:
    answer = ask(
        port,
        "SELECT {s:String} AS s, {a:Array(String)} AS a, {n:UInt8} + 1 AS n FORMAT JSONEachRow",
        param_s="tab\\tline\\nback\\\\slash",
        param_a="['it\\'s', 'b']",
        param_n="7",
    )
    assert json.loads(answer.body) == {"s": "tab\tline\nback\\slash", "a": ["it's", "b"], "n": 8}


def test_the_database_can_be_chosen(port: int) -> None:
    assert ask(port, "SELECT currentDatabase()").body == b"livemeter\n"
    assert ask(port, "SELECT currentDatabase()", database="system").body == b"system\n"
    assert (
        ask(port, "SELECT currentDatabase()", headers={"X-ClickHouse-Database": "system"}).body == b"system\n"
    )
    assert ask(port, "SELECT 1", database="nowhere").status == 404


@pytest.mark.parametrize(
    ("sql", "url", "status", "code"),
    [
        ("SELEC 1", {}, 400, "62"),
        ("SELECT 1; SELECT 2", {}, 400, "62"),
        ("  ", {}, 400, "62"),
        ("SELECT toUInt8('x')", {}, 400, "6"),
        ("SELECT {a:UInt8}", {}, 400, "456"),
        ("SELECT {a:UInt8}", {"param_a": "x"}, 400, "457"),
        ("SELECT 1 + 'x'", {}, 400, "43"),
        ("SELECT nothing", {}, 404, "47"),
        ("SELECT * FROM nothing", {}, 404, "60"),
        ("SELECT no_such_function(1)", {}, 404, "46"),
        ("SELECT 1 FORMAT Nothing", {}, 404, "73"),
        ("SELECT 1", {"default_format": "TSV SETTINGS readonly=0"}, 404, "73"),
        ("DROP TABLE logs", {}, 403, "164"),
        ("SELECT file('/etc/hostname')", {}, 403, "164"),
        ("SELECT 1 INTO OUTFILE '/tmp/never'", {}, 403, "164"),
        ("INSERT INTO logs (Body) VALUES ('x')", {}, 403, "164"),
        (ENDLESS, {"max_execution_time": "0.2"}, 408, "159"),
        ("SELECT groupArray(number) FROM numbers(100000000)", {"max_memory_usage": "20000000"}, 500, "241"),
        ("SELECT number FROM numbers(100)", {"max_result_rows": "10"}, 500, "396"),
        ("SELECT 1", {"max_result_rows": "many"}, 400, "72"),
        ("SELECT 1", {"compress": "1"}, 501, "48"),
        ("SELECT 1", {"decompress": "1"}, 501, "48"),
    ],
)
def test_errors_have_clickhouses_status_code_and_text(
    port: int, sql: str, url: dict[str, str], status: int, code: str
) -> None:
    answer = ask(port, body=sql.encode(), headers=None, **url)
    assert (answer.status, answer.headers.get("x-clickhouse-exception-code")) == (status, code)
    assert answer.body.startswith(f"Code: {code}. DB::Exception: ".encode())
    assert answer.body.count(b"\n") == 1


def test_bodies_that_are_no_statement_are_refused(port: int) -> None:
    assert ask(port, body=b"\xff\xfe SELECT 1").status == 400
    assert ask(port, body=b"SELECT 1", headers={"Content-Encoding": "gzip"}).status == 501
    assert (
        ask(port, body=b"--x\r\n", headers={"Content-Type": "multipart/form-data; boundary=x"}).status == 501
    )
    assert ask(port, body=b"SELECT 1 -- " + b"x" * 2_000_000).status == 413


def test_what_the_url_says_beyond_the_question_is_ignored(port: int) -> None:
    noise = {
        "session_id": "s",
        "wait_end_of_query": "1",
        "send_progress_in_http_headers": "1",
        "role": "x",
        "quota_key": "q",
    }
    noise |= {
        "client_protocol_version": "54460",
        "async_insert": "1",
        "readonly": "0",
        "allow_ddl": "1",
        "compress": "0",
    }
    answer = ask(port, "SELECT getSetting('readonly')", None, None, query_id="my-id", **noise)
    assert (answer.status, answer.body) == (200, b"1\n")
    assert answer.headers["x-clickhouse-query-id"] == "my-id"
    assert "\n" not in ask(port, "SELECT 1", query_id="a\r\nSet-Cookie: b").headers["x-clickhouse-query-id"]


def test_limits_can_be_lowered_and_not_raised(narrow_port: int) -> None:
    names = ("max_execution_time", "max_result_rows", "max_memory_usage")
    sql = "SELECT " + ", ".join(f"getSetting('{name}')" for name in names)
    assert ask(narrow_port, sql).body == b"20\t1000\t100000000\n"
    lowered = ask(narrow_port, sql, max_execution_time="5", max_result_rows="7", max_memory_usage="90000000")
    assert lowered.body == b"5\t7\t90000000\n"
    raised = ask(narrow_port, sql, max_execution_time="600", max_result_rows="0", max_memory_usage="1e30")
    assert raised.body == b"20\t1000\t100000000\n"
    fewer = ask(
        narrow_port,
        "SELECT number FROM numbers(9)",
        max_result_rows="3",
        result_overflow_mode="break",
        max_block_size="1",
    )
    assert fewer.status == 200


def test_an_error_in_the_middle_is_written_behind_what_was_sent(port: int) -> None:
    answer = ask(port, FAILS_LATE, default_format="TSV")
    assert answer.status == 200
    assert answer.body.startswith(b"0\t0\n1\t0\n")
    tag = answer.headers["x-clickhouse-exception-tag"].encode()
    _, mark, rest = answer.body.partition(b"\r\n__exception__\r\n" + tag + b"\r\n")
    assert mark
    message, _, end = rest.partition(b"\n")
    assert message.startswith(b"Code: 395. DB::Exception: halfway")
    assert end == str(len(message)).encode() + b" " + tag + b"\r\n__exception__\r\n"


def test_an_answer_is_sent_while_it_is_found(port: int) -> None:
    """A client that reads slowly holds the query back: not everything is fetched at once."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(
            b"GET /?query=SELECT+number+FROM+system.numbers HTTP/1.1\r\nHost: localhost\r\n\r\n"
        )
        received = connection.recv(65536)
        assert received.startswith(b"HTTP/1.1 200")


def test_clickhouse_connect_reads_as_from_a_server(port: int, store: Store, unique: str) -> None:
    store.insert_otlp(Signal.LOGS, logs_request(["a", "b"], unique).SerializeToString(), unique)
    with contextlib.closing(clickhouse_connect.get_client(host="127.0.0.1", port=port)) as client:
        sql = "SELECT Body, ResourceAttributes FROM logs WHERE ServiceName = {s:String} ORDER BY Body"
        result = client.query(sql, parameters={"s": unique})
        assert result.result_rows == [("a", {"service.name": unique}), ("b", {"service.name": unique})]
        assert client.query("SELECT toDecimal64('1.5', 9) AS d").result_rows == [(Decimal("1.5"),)]
        assert client.query("SELECT 1 AS none WHERE 0").column_names == ("none",)
        assert client.query("SELECT number FROM numbers(5) LIMIT 0").column_names == ("number",)
        assert len(client.query("SELECT number FROM numbers(300000)").result_rows) == 300_000
        assert client.command("SELECT 5") == 5
        assert "logs" in str(client.command("SHOW TABLES"))
        assert client.raw_query("SELECT 1", fmt="JSONEachRow") == b'{"1":1}\n'
        assert client.ping()
        with pytest.raises(DatabaseError) as caught:
            client.query("SELECT nothing")
        assert caught.value.code == 47
        with pytest.raises(DatabaseError):
            client.command("DROP TABLE logs")
        with pytest.raises(StreamFailureError) as broken:
            _ = client.query(FAILS_LATE).result_rows
        assert broken.value.code == 395
        assert client.query("SELECT 1").result_rows == [(1,)]


def test_a_client_that_leaves_ends_its_query_and_frees_its_place(narrow_port: int, store: Store) -> None:
    sql = f"{ENDLESS} WHERE number != 4711"
    with socket.create_connection(("127.0.0.1", narrow_port)) as connection:
        connection.sendall(
            f"GET /?query={sql.replace(' ', '+')} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        )
        while not running(store, "4711"):
            time.sleep(0.01)
    # With one place, this waits until the other query has ended.
    assert ask(narrow_port, "SELECT 7").body == b"7\n"
    assert not running(store, "4711")


def test_a_client_that_leaves_the_queue_is_forgotten(narrow_port: int, store: Store) -> None:
    first: list[Answer] = []
    sql = f"{ENDLESS} WHERE number != 4712"
    holding = threading.Thread(target=lambda: first.append(ask(narrow_port, sql, max_execution_time="1")))
    holding.start()
    while not running(store, "4712"):
        time.sleep(0.01)
    with socket.create_connection(("127.0.0.1", narrow_port)) as connection:
        connection.sendall(b"GET /?query=SELECT+sleep(3) HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert ask(narrow_port, "SELECT 8").body == b"8\n"
    holding.join()
    assert first[0].status == 408


async def test_the_gate_is_first_come_first_served() -> None:
    gate = Gate(places=2, most_waiting=10)
    order: list[int] = []
    open_it = asyncio.Event()

    async def visit(number: int) -> None:
        async with gate.place():
            order.append(number)
            await open_it.wait()

    visitors = []
    for number in range(6):
        visitors.append(asyncio.create_task(visit(number)))
        await asyncio.sleep(0)
    assert order == [0, 1]
    visitors[3].cancel()
    await asyncio.sleep(0)
    open_it.set()
    await asyncio.gather(*visitors, return_exceptions=True)
    assert order == [0, 1, 2, 4, 5]


async def test_a_full_queue_turns_away() -> None:
    gate = Gate(places=1, most_waiting=1)
    async with gate.place():
        waiting = asyncio.create_task(gate.place().__aenter__())
        await asyncio.sleep(0)
        with pytest.raises(GateFullError):
            async with gate.place():
                pass
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        # Who left the queue has made room in it.
        again = asyncio.create_task(gate.place().__aenter__())
        await asyncio.sleep(0)
        assert not again.done()
        again.cancel()
        await asyncio.gather(again, return_exceptions=True)


def test_a_format_clause_is_found_without_a_parser_only_where_that_is_safe() -> None:
    assert split_plain_clause("SELECT 1 FORMAT JSON;") == ("SELECT 1 ", "JSON")
    assert split_plain_clause("SELECT 1") is None
    assert split_plain_clause("SELECT 1 -- FORMAT JSON") is None
    assert split_plain_clause("SELECT format('{}', 1) FORMAT JSON") is None
    assert split_written_clause("SELECT 1 FORMAT JSON SETTINGS a = 1") == ("SELECT 1 SETTINGS a = 1", "JSON")
    assert split_written_clause("SELECT 'x FORMAT JSON'") == ("SELECT 'x FORMAT JSON'", None)
    assert split_written_clause("SELECT `a FORMAT JSON`") == ("SELECT `a FORMAT JSON`", None)
    assert split_written_clause("SELECT 'it\\'s' FORMAT CSV") == ("SELECT 'it\\'s'", "CSV")
