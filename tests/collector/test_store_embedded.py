"""The embedded engine: what a call answers, what it never leaves behind, and what survives."""

import datetime as dt
import itertools
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path

import pytest

from livemeter_collector.store.contract import PoisonError, Scalar, Signal, Store, StoreError
from tests.collector.otlp_messages import logs_request

FAILS_WHILE_RUNNING = "SELECT number, throwIf(number = 200000, 'halfway') FROM numbers(300000)"
"""By then it has put rows out, which chDB prepends to the next answer on the same connection."""


def bodies(store: Store, service: str) -> list[str]:
    answer = store.query(
        "SELECT Body FROM logs WHERE ServiceName = {service:String} ORDER BY Body", {"service": service}
    )
    return [str(row[0]) for row in answer.rows]


def test_durability_and_memory_settings_are_in_force(store: Store) -> None:
    merge_tree = {
        row[0]: row[1] for row in store.query("SELECT name, value FROM system.merge_tree_settings").rows
    }
    assert merge_tree["fsync_after_insert"] == "1"
    assert merge_tree["fsync_part_directory"] == "1"
    assert merge_tree["min_rows_to_fsync_after_merge"] == "1"
    assert merge_tree["old_parts_lifetime"] == "480"
    server = {row[0]: row[1] for row in store.query("SELECT name, value FROM system.server_settings").rows}
    assert 0 < int(str(server["max_server_memory_usage"])) <= 2 * 1024**3
    assert server["background_pool_size"] == "2"
    assert server["mark_cache_size"] == str(64 * 1024**2)


def test_values_come_as_python_types_and_times_as_utc(store: Store) -> None:
    table = store.query(
        "SELECT 1 AS i, 'x' AS s, toDecimal128('0.000000000000000001', 18) AS d,"
        " toDateTime64('2026-01-02 03:04:05.678901', 9) AS t, map('a', 1) AS m, [1, 2] AS a, NULL AS n"
    )
    assert table.columns == ("i", "s", "d", "t", "m", "a", "n")
    moment = dt.datetime(2026, 1, 2, 3, 4, 5, 678901, dt.UTC)
    assert table.rows == ((1, "x", Decimal("0.000000000000000001"), moment, {"a": 1}, [1, 2], None),)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("String", "it's \\ a\ttab\nand a line {x:String} ; -- ü"),
        ("Array(String)", ["a'b", "\\", "\n\t", "", "]"]),
        ("Array(Nullable(String))", ["NULL", None]),
        ("Nullable(String)", None),
        ("UInt64", 2**64 - 1),
        ("Float64", -1.5),
        ("Bool", True),
    ],
)
def test_parameters_arrive_as_they_were(store: Store, kind: str, value: Scalar | Sequence[Scalar]) -> None:
    sql = f"SELECT {{value:{kind}}}"
    assert store.query(sql, {"value": value}).rows[0][0] == value
    streamed = b"".join(
        store.stream(f"SELECT {{value:{kind}}} = {{again:{kind}}}", "TSV", {"value": value, "again": value})
    )
    assert streamed in {b"1\n", b"true\n", b"\\N\n"}


def test_an_answer_without_rows_has_its_columns(store: Store) -> None:
    assert store.query("SELECT 1 AS a, 'x' AS b WHERE 0;").columns == ("a", "b")
    native = b"".join(store.stream("SELECT 1 AS a, 'x' AS b WHERE 0", "Native"))
    assert native == b"\x02\x00\x01a\x05UInt8\x01b\x06String"


def test_a_failed_query_leaves_nothing_in_later_answers(store: Store) -> None:
    for _ in range(3):
        with pytest.raises(StoreError, match="halfway"):
            store.query(FAILS_WHILE_RUNNING)
        assert store.query("SELECT 1").rows == ((1,),)
        with pytest.raises(StoreError, match="halfway"):
            store.command(FAILS_WHILE_RUNNING)
        assert b"".join(store.stream("SELECT 2", "TSV")) == b"2\n"
        for name in ("TSV", "JSONCompact"):
            with pytest.raises(StoreError, match="halfway"):
                b"".join(store.stream(FAILS_WHILE_RUNNING, name))
            assert b"".join(store.stream("SELECT 3", "TSV")) == b"3\n"
            assert store.query("SELECT 4").rows == ((4,),)


def test_errors_are_one_line_with_the_engines_code(store: Store) -> None:
    with pytest.raises(StoreError) as caught:
        store.query("SELECT * FROM no_such_table")
    assert caught.value.code == 60
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith("(UNKNOWN_TABLE)")


def test_large_answers_come_block_by_block(store: Store) -> None:
    chunks = list(store.stream("SELECT number FROM numbers(300000)", "TabSeparated"))
    assert len(chunks) > 1
    assert b"".join(chunks).splitlines() == [str(number).encode() for number in range(300000)]


def test_formats_with_a_head_come_as_one_document(store: Store) -> None:
    answer = b"".join(store.stream("SELECT number AS n FROM numbers(300000)", "CSVWithNames"))
    assert answer.count(b'"n"') == 1
    assert answer.count(b"\n") == 300001


def test_a_stream_that_is_not_read_to_its_end_can_be_closed(store: Store) -> None:
    stream = store.stream("SELECT number FROM system.numbers", "TSV")
    assert next(stream).startswith(b"0\n1\n")
    stream.close()
    stream.close()
    assert list(stream) == []


def test_closing_a_stream_ends_a_query_that_another_thread_waits_for(store: Store) -> None:
    stream = store.stream("SELECT count() FROM numbers(1000000000000)", "TSV")
    ended: list[StoreError] = []

    def wait() -> None:
        try:
            next(stream)
        except StoreError as error:
            ended.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    while not store.query(
        "SELECT 1 FROM system.processes WHERE query LIKE '%1000000000000%' AND is_initial_query"
    ).rows:
        pass
    stream.close()
    waiting.join(timeout=10)
    assert [error.code for error in ended] == [394]


@pytest.mark.parametrize(
    ("sql", "limits", "code"),
    [
        ("SELECT count() FROM numbers(1000000000000)", {"max_execution_time": "0.2"}, 159),
        ("SELECT groupArray(number) FROM numbers(10000000)", {"max_memory_usage": "10000000"}, 241),
        ("SELECT number FROM numbers(1000)", {"max_result_rows": "10"}, 396),
        ("SELECT 1 SETTINGS max_result_rows = 0", {"max_result_rows": "10"}, 164),
        ("SELECT 1", {"max_result_rows = 0, readonly": "0"}, 164),
    ],
)
def test_streams_keep_to_their_limits(store: Store, sql: str, limits: dict[str, str], code: int) -> None:
    with pytest.raises(StoreError) as caught:
        b"".join(store.stream(sql, "TSV", settings=limits))
    assert caught.value.code == code


def test_a_stream_reads_the_database_it_is_told(store: Store) -> None:
    assert b"".join(store.stream("SELECT currentDatabase()", "TSV")) == b"livemeter\n"
    there = store.stream("SELECT currentDatabase()", "TSV", settings={"database": "system"})
    assert b"".join(there) == b"system\n"


def test_the_same_token_is_stored_once(store: Store, unique: str) -> None:
    body = logs_request(["a", "b"], unique).SerializeToString()
    for token in ("1", "2", "1", "2"):
        store.insert_otlp(Signal.LOGS, body, unique + token)
    assert bodies(store, unique) == ["a", "a", "b", "b"]


def test_concatenated_requests_are_one_insert(store: Store, unique: str) -> None:
    requests = [logs_request([body], unique).SerializeToString() for body in "abc"]
    store.insert_otlp(Signal.LOGS, b"".join(requests), unique)
    assert bodies(store, unique) == ["a", "b", "c"]


def test_an_empty_request_is_stored_as_nothing(store: Store) -> None:
    store.insert_otlp(Signal.LOGS, b"", "empty")


@pytest.mark.parametrize(
    "body", ["\n\n", ";", "a;SELECT 1", "'", "\\", "\x00", "\r\n\r\n;\n\n", "ü\U0001f600"]
)
def test_bytes_that_mean_something_to_sql_are_only_bytes(store: Store, unique: str, body: str) -> None:
    store.insert_otlp(Signal.LOGS, logs_request([body, "after"], unique).SerializeToString(), unique)
    assert sorted(bodies(store, unique)) == sorted([body, "after"])


@pytest.mark.parametrize(
    "damaged",
    [
        b"\xff" * 100,
        b'{"resourceLogs": []}',
        b"\x1f\x8b\x08\x00\x00\x00\x00\x00",
        logs_request(["whole"] * 10).SerializeToString()[:-3],
        logs_request(["whole"]).SerializeToString() + b"\x00",
        b"\x0a\x80\x80\x80\x80\x10",
    ],
)
def test_damaged_bytes_are_poison_and_nothing_of_them_is_stored(store: Store, damaged: bytes) -> None:
    before = store.query("SELECT count() FROM logs").rows
    with pytest.raises(PoisonError) as caught:
        store.insert_otlp(Signal.LOGS, damaged, "damaged")
    assert "\n" not in str(caught.value)
    assert store.query("SELECT count() FROM logs").rows == before


def test_threads_insert_and_read_at_the_same_time(store: Store, unique: str) -> None:
    failures: list[BaseException] = []

    def work(worker: int) -> None:
        try:
            for number in range(5):
                name = f"{worker}-{number}"
                body = logs_request([name], unique).SerializeToString()
                store.insert_otlp(Signal.LOGS, body, unique + name)
                assert store.query("SELECT {n:UInt32}", {"n": number}).rows == ((number,),)
                assert b"".join(store.stream("SELECT 5", "TSV")) == b"5\n"
        except BaseException as error:  # noqa: BLE001 - told to the test, which fails of it
            failures.append(error)

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert bodies(store, unique) == [
        f"{worker}-{number}" for worker, number in itertools.product(range(4), range(5))
    ]


def test_a_closed_store_says_so_and_closes_twice(python: Callable[..., str], tmp_path: Path) -> None:
    told = python(
        """
import sys
from pathlib import Path
from livemeter_collector.store.contract import StoreError
from livemeter_collector.store.open import open_embedded
store = open_embedded(Path(sys.argv[1]))
unfinished = store.stream("SELECT number FROM system.numbers", "TSV")
next(unfinished)
store.close()
store.close()
calls = store.query, store.command, lambda sql: next(store.stream(sql, "TSV"))
for call in calls:
    try:
        call("SELECT 1")
    except StoreError as error:
        print(error)
print(list(unfinished))
open_embedded(Path(sys.argv[1])).close()
""",
        tmp_path / "data",
    )
    assert told.splitlines() == ["the store is closed"] * 3 + ["[]"]


def test_one_process_has_the_directory_and_a_second_is_told(
    python: Callable[..., str], store: Store, data_dir: Path
) -> None:
    told = python(
        """
import sys
from pathlib import Path
from livemeter_collector.store.contract import DirectoryHeldError
from livemeter_collector.store.open import open_embedded
try:
    open_embedded(Path(sys.argv[1]))
except DirectoryHeldError as error:
    print(error)
""",
        data_dir,
    )
    assert (
        told == f"another livemeter process uses {data_dir}: stop it, or name another directory with --data\n"
    )


def test_a_forked_child_is_refused_instead_of_hanging(python: Callable[..., str], tmp_path: Path) -> None:
    told = python(
        """
import os, sys, warnings
from pathlib import Path
from livemeter_collector.store.contract import StoreError
from livemeter_collector.store.open import open_embedded
warnings.simplefilter("ignore")
store = open_embedded(Path(sys.argv[1]))
child = os.fork()
if child == 0:
    for call in (lambda: store.query("SELECT 1"), lambda: next(store.stream("SELECT 1", "TSV"))):
        try:
            call()
        except StoreError as error:
            print(error, flush=True)
    os._exit(0)
os.waitpid(child, 0)
print(store.query("SELECT 1").rows)
store.close()
""",
        tmp_path / "data",
    )
    refusal = "the embedded engine cannot be used in a forked process: start a new one (spawn)"
    assert told.splitlines() == [refusal, refusal, "((1,),)"]


INSERT_FOR_EVER = """
import sys
from pathlib import Path
from livemeter_collector.store.contract import Signal
from livemeter_collector.store.migrate import migrate
from livemeter_collector.store.open import open_embedded
from tests.collector.otlp_messages import logs_request
store = open_embedded(Path(sys.argv[1]))
migrate(store)
for number in range(1000):
    store.insert_otlp(Signal.LOGS, logs_request([f"{number:04d}"], "crash").SerializeToString(), str(number))
    print(number, flush=True)
"""

REPLAY_AND_COUNT = """
import sys
from pathlib import Path
from livemeter_collector.store.contract import Signal
from livemeter_collector.store.open import open_embedded
from tests.collector.otlp_messages import logs_request
store = open_embedded(Path(sys.argv[1]))
count = "SELECT count(), uniqExact(Body) FROM logs WHERE ServiceName = 'crash'"
print(*store.query(count).rows[0])
for number in range(int(sys.argv[2])):
    store.insert_otlp(Signal.LOGS, logs_request([f"{number:04d}"], "crash").SerializeToString(), str(number))
print(*store.query(count).rows[0])
store.close()
"""


def test_what_was_answered_survives_a_kill_and_a_replay_adds_nothing(
    python: Callable[..., str], tmp_path: Path
) -> None:
    command = [sys.executable, "-c", INSERT_FOR_EVER, str(tmp_path / "data")]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        answered = sum(1 for _ in itertools.islice(process.stdout, 6))
        process.send_signal(signal.SIGKILL)
    before, after = (
        tuple(map(int, line.split()))
        for line in python(REPLAY_AND_COUNT, tmp_path / "data", answered + 2).splitlines()
    )
    assert before[0] == before[1] >= answered
    assert after == (max(before[0], answered + 2),) * 2


def test_the_engines_memory_is_capped(python: Callable[..., str], tmp_path: Path) -> None:
    told = python(
        """
import sys
from pathlib import Path
from livemeter_collector.store.contract import StoreError
from livemeter_collector.store.embedded import EmbeddedStore
store = EmbeddedStore(Path(sys.argv[1]), memory_bytes=700 * 1024**2)
try:
    store.query("SELECT length(groupArray(number)) FROM numbers(200000000)")
except StoreError as error:
    print(error.code, "700.00 MiB" in str(error))
print(store.query("SELECT 1").rows)
store.close()
""",
        tmp_path / "data",
    )
    assert told.splitlines() == ["241 True", "((1,),)"]


def test_times_do_not_depend_on_the_machines_zone(python: Callable[..., str], tmp_path: Path) -> None:
    told = python(
        """
import sys
from pathlib import Path
from livemeter_collector.store.open import open_embedded
store = open_embedded(Path(sys.argv[1]))
print(store.query("SELECT toDateTime64(0, 3), toString(toDateTime(0)), timezone()").rows[0])
print(b"".join(store.stream("SELECT toDateTime(0), timezone()", "TSV")))
store.close()
""",
        tmp_path / "data",
        TZ="America/New_York",
    )
    epoch = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    assert told.splitlines() == [
        repr((epoch, "1970-01-01 00:00:00", "UTC")),
        repr(b"1970-01-01 00:00:00\tUTC\n"),
    ]


def test_unusual_paths_work_and_nothing_is_written_beside_the_data(
    python: Callable[..., str], tmp_path: Path
) -> None:
    told = python(
        """
import os, sys
from pathlib import Path
from livemeter_collector.store.contract import Signal, StoreError
from livemeter_collector.store.migrate import migrate
from livemeter_collector.store.open import open_embedded
from tests.collector.otlp_messages import logs_request
data = Path(sys.argv[1])
store = open_embedded(data)
migrate(store)
store.insert_otlp(Signal.LOGS, logs_request(["a"]).SerializeToString(), "a")
print(store.query("SELECT count() FROM logs").rows[0][0], sorted(os.listdir(data)), os.listdir())
store.close()
try:
    open_embedded(data.parent / "what?")
except StoreError as error:
    print("question mark" in str(error), os.listdir())
""",
        tmp_path / "a b=%20&é#'x",
    )
    assert told.splitlines() == ["1 ['clickhouse', 'lock'] []", "True []"]


def test_a_store_opened_for_reading_writes_nothing(python: Callable[..., str], tmp_path: Path) -> None:
    told = python(
        """
import sys
from pathlib import Path
from livemeter_collector.store.contract import StoreError
from livemeter_collector.store.open import open_embedded
data = Path(sys.argv[1])
try:
    open_embedded(data, read_only=True)
except StoreError as error:
    print(error, data.exists())
store = open_embedded(data)
store.command("CREATE TABLE t (a UInt8) ENGINE = MergeTree ORDER BY a")
store.close()
store = open_embedded(data, read_only=True)
print(store.query("SELECT count() FROM t").rows, store.query("SELECT * FROM t").columns)
for sql in ("INSERT INTO t VALUES (1)", "DROP TABLE t", "SET max_threads = 1"):
    for call in (store.command, store.query):
        try:
            call(sql)
        except StoreError as error:
            print(error.code)
store.close()
""",
        tmp_path / "data",
    )
    lines = told.splitlines()
    assert lines[0].startswith("no livemeter data in ")
    assert lines[0].endswith("False")
    assert lines[1:] == ["((0,),) ('a',)"] + ["164"] * 6
