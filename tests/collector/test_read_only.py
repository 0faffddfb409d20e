"""What a stream refuses: every way out of the database that ClickHouse would leave open to a reader.

Each statement runs on the real engine with a file to steal, a place to write to, and a listener that counts
connections; none of the three may notice anything.
"""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from livemeter_collector.store.contract import Store, StoreError
from livemeter_collector.store.guard import refuse_unsafe


class Outside:
    """A secret file, an empty directory, and a port on which nobody should knock."""

    def __init__(self, directory: Path) -> None:
        self.secret = directory / "secret.csv"
        self.secret.write_text("hush,1\n")
        self.empty = directory / "empty"
        self.empty.mkdir()
        self.knocks = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self._listen)
        self.thread.start()

    def _listen(self) -> None:
        while True:
            connection, _ = self.listener.accept()
            with connection:
                if connection.recv(1) == b"\x00":
                    return
                self.knocks += 1

    def close(self) -> None:
        with socket.create_connection(("127.0.0.1", self.port)) as connection:
            connection.sendall(b"\x00")
        self.thread.join()
        self.listener.close()


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    outside = Outside(tmp_path_factory.mktemp("outside"))
    yield outside
    outside.close()


REFUSED = [
    # The scalar function that reads any file, called, quoted, passed by name, hidden.
    "SELECT file('{secret}')",
    "SELECT `file`('{secret}')",
    "SELECT \"fi\\x6ce\"('{secret}')",
    "SELECT/**/file\n('{secret}')",
    "SELECT arrayMap(file, ['{secret}'])",
    "SELECT arrayMap(`file`, ['{secret}'])",
    "SELECT * APPLY(file) FROM (SELECT '{secret}' AS x)",
    "SELECT * APPLY file FROM (SELECT '{secret}' AS x)",
    "SELECT COLUMNS('x') APPLY(y -> file(y)) FROM (SELECT '{secret}' AS x)",
    "SELECT 1 AS `a'b`, file('{secret}') AS `c'd`",
    "SELECT $$'$$, file('{secret}'), $$'$$",
    "WITH file('{secret}') AS x SELECT x",
    "SELECT 1 ORDER BY file('{secret}')",
    "SELECT 1 WHERE 'hush,1' IN (SELECT file('{secret}'))",
    "EXPLAIN SELECT file('{secret}')",
    # Table functions: files, processes, the network; selected, described, explained, on the right of IN.
    "SELECT * FROM file('{secret}')",
    "SELECT * FROM `{secret}`",
    "SELECT * FROM '{secret}'",
    "SELECT 1 WHERE 'hush' IN file('{secret}')",
    "DESCRIBE file('{secret}')",
    "DESC TABLE file('{secret}', CSV)",
    "DESCRIBE (SELECT * FROM file('{secret}'))",
    "EXPLAIN SELECT * FROM file('{secret}')",
    "SELECT * FROM filesystem('{empty}')",
    "SELECT * FROM fileCluster('default', '{secret}')",
    "SELECT * FROM icebergLocal('{empty}')",
    "SELECT * FROM deltaLakeLocal('{empty}')",
    "SELECT * FROM sqlite('{empty}/made.db', 't')",
    "SELECT * FROM executable('cat', TSV, 'a String')",
    "SELECT * FROM python('secret')",
    "SELECT * FROM Python(secret)",
    "SELECT * FROM url('http://127.0.0.1:{port}/', CSV, 'a String')",
    "SELECT * FROM url('http://127.0.0.1:{port}/')",
    "SELECT * FROM URL('http://127.0.0.1:{port}/')",
    "SELECT * FROM `url`('http://127.0.0.1:{port}/')",
    "DESCRIBE TABLE url('http://127.0.0.1:{port}/')",
    "SELECT * FROM s3('http://127.0.0.1:{port}/bucket/x.csv')",
    "DESCRIBE s3('http://127.0.0.1:{port}/bucket/x.csv', CSV)",
    "SELECT * FROM remote('127.0.0.1:{port}', system.one)",
    "SELECT * FROM mysql('127.0.0.1:{port}', 'a', 'b', 'c', 'd')",
    "SELECT * FROM postgresql('127.0.0.1:{port}', 'a', 'b', 'c', 'd')",
    "SELECT * FROM redis('127.0.0.1:{port}', 'a', 'a String')",
    "SELECT * FROM mongodb('127.0.0.1:{port}', 'a', 'b', 'c', 'd', 'a String')",
    "SELECT * FROM (SELECT * FROM (SELECT * FROM url('http://127.0.0.1:{port}/')))",
    "SELECT 1 UNION ALL SELECT * FROM url('http://127.0.0.1:{port}/', CSV, 'a UInt8')",
    "SELECT * FROM format(CSV, '1,2')",
    "SELECT * FROM dictionary('livemeter.model_price')",
    # Writing, by every statement that starts with something harmless or not.
    "SELECT 1 INTO OUTFILE '{empty}/a.csv'",
    "SELECT 1 INTO/**/OUTFILE '{empty}/b.csv' TRUNCATE FORMAT CSV",
    "SELECT 1 UNION ALL SELECT 2 INTO OUTFILE '{empty}/c.csv'",
    "INSERT INTO logs (Body) VALUES ('x')",
    "INSERT INTO FUNCTION file('{empty}/d.csv') SELECT 1",
    "WITH 1 AS x INSERT INTO logs (Body) SELECT toString(x)",
    "SELECT 1 PARALLEL WITH SYSTEM STOP MERGES",
    "BACKUP TABLE logs TO File('{empty}/backup')",
    "CREATE TABLE made (a UInt8) ENGINE = MergeTree ORDER BY a",
    "CREATE TABLE made (a String) ENGINE = URL('http://127.0.0.1:{port}/', CSV)",
    "CREATE TEMPORARY TABLE made (a UInt8)",
    "CREATE FUNCTION made AS x -> x",
    "CREATE VIEW made AS SELECT file('{secret}')",
    "ALTER TABLE logs DELETE WHERE 1",
    "DELETE FROM logs WHERE 1",
    "UPDATE logs SET Body = '' WHERE 1",
    "DROP TABLE logs",
    "TRUNCATE TABLE logs",
    "OPTIMIZE TABLE logs",
    "RENAME TABLE logs TO gone",
    "EXCHANGE TABLES logs AND otel_logs",
    "ATTACH TABLE made FROM '{empty}' (a UInt8) ENGINE = MergeTree ORDER BY a",
    "DETACH TABLE logs",
    "UNDROP TABLE made",
    "CREATE DATABASE made",
    # Meddling with others and with the limits.
    "SYSTEM STOP MERGES",
    "SYSTEM RELOAD DICTIONARIES",
    "SYSTEM SHUTDOWN",
    "KILL QUERY WHERE 1",
    "SET max_execution_time = 0",
    "SET readonly = 0",
    "SELECT 1 SETTINGS readonly = 0",
    "SELECT 1 SETTINGS max_memory_usage = 1",
    "SELECT 1 SETTINGS allow_introspection_functions = 1",
    "USE system",
    "GRANT ALL ON *.* TO default",
    "CREATE USER made",
    "CHECK TABLE logs",
    "BEGIN TRANSACTION",
    "EXECUTE AS default SELECT 1",
    # Two at once.
    "SELECT 1; SELECT 2",
    "SELECT 1; DROP TABLE logs",
    "SELECT 1;;SYSTEM STOP MERGES",
    "",
    "-- nothing",
]


@pytest.mark.parametrize("statement", REFUSED)
@pytest.mark.parametrize("output_format", ["TSV", "JSON"])
def test_a_stream_refuses(store: Store, outside: Outside, statement: str, output_format: str) -> None:
    sql = statement.format(secret=outside.secret, empty=outside.empty, port=outside.port)
    # The very first chunk: nothing may come before the refusal.
    with pytest.raises(StoreError) as caught:
        next(store.stream(sql, output_format))
    assert "hush" not in str(caught.value)
    assert list(outside.empty.iterdir()) == []
    assert outside.knocks == 0


def test_a_function_cannot_be_named_by_a_parameter(store: Store, outside: Outside) -> None:
    for name in ("file", "FILE", "url", "livemeter.file", "`file`"):
        with pytest.raises(StoreError) as caught:
            b"".join(
                store.stream(f"SELECT arrayMap({{f:Identifier}}, ['{outside.secret}'])", "TSV", {"f": name})
            )
        assert "hush" not in str(caught.value)


def test_nothing_was_changed_by_any_of_it(store: Store) -> None:
    names = {row[0] for row in store.query("SHOW TABLES").rows}
    assert {"logs", "otel_logs"} <= names
    assert not names & {"made", "gone"}
    assert store.query("SELECT count() FROM system.functions WHERE name = 'made'").rows == ((0,),)


ALLOWED = [
    ("SELECT 1", "1"),
    ("  -- a comment\n SELECT 1 -- another\n;", "1"),
    ("(SELECT 1)", "1"),
    ("WITH 2 AS x SELECT x", "2"),
    ("WITH t AS (SELECT 1 AS n) SELECT n FROM t", "1"),
    ("FROM numbers(1) SELECT number", "0"),
    ("SELECT 1 UNION ALL SELECT 1", "1\n1"),
    ("SELECT 'file', 'INTO OUTFILE', 'url(1)'", "file\tINTO OUTFILE\turl(1)"),
    ("SELECT format('{}', 'x')", "x"),
    ("SELECT map('file', 1)['file']", "1"),
    ("SELECT count() FROM numbers(3)", "3"),
    ("SELECT * FROM values('a UInt8', 7)", "7"),
    ("SELECT * FROM view(SELECT 3)", "3"),
    ("SELECT * FROM generate_series(1, 1)", "1"),
    ("SELECT 1 WHERE 1 IN (SELECT 1)", "1"),
    ("SELECT 1 AS url, 2 AS input, url + input", "1\t2\t3"),
    ("EXISTS TABLE logs", "1"),
    ("SELECT currentDatabase()", "livemeter"),
]


@pytest.mark.parametrize(("sql", "expected"), ALLOWED)
def test_a_stream_answers(store: Store, sql: str, expected: str) -> None:
    assert b"".join(store.stream(sql, "TSV")).decode() == f"{expected}\n"


@pytest.mark.parametrize(
    "sql",
    [
        "SHOW TABLES",
        "SHOW DATABASES",
        "SHOW CREATE TABLE logs",
        "SHOW COLUMNS FROM logs",
        "DESCRIBE TABLE logs",
        "DESC logs",
        "DESCRIBE (SELECT 1)",
        "EXPLAIN SELECT 1",
        "EXPLAIN AST SELECT 1",
        "SELECT name FROM system.columns LIMIT 1",
    ],
)
def test_a_stream_tells_what_there_is(store: Store, sql: str) -> None:
    assert b"".join(store.stream(sql, "TSV"))


def test_parameters_may_say_anything_and_name_our_own_tables(store: Store) -> None:
    assert b"".join(store.stream("SELECT {v:String}", "TSV", {"v": "file"})) == b"file\n"
    assert b"".join(store.stream("SELECT count() >= 0 FROM {t:Identifier}", "TSV", {"t": "logs"})) == b"1\n"
    qualified = {"d": "livemeter", "t": "logs"}
    assert (
        b"".join(store.stream("SELECT count() >= 0 FROM {d:Identifier}.{t:Identifier}", "TSV", qualified))
        == b"1\n"
    )


def test_a_table_function_that_is_new_to_us_is_refused() -> None:
    with pytest.raises(StoreError, match="teleport is not allowed"):
        refuse_unsafe("SELECT * FROM teleport('x')", {}, {"numbers", "teleport"})
    refuse_unsafe("SELECT * FROM numbers(3)", {}, {"numbers", "teleport"})
