"""What the command line reads through, with real processes holding, leaving and crashing on the directory."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from livemeter_collector.query import reader as reader_module
from livemeter_collector.query.gateway import create_sql_app
from livemeter_collector.query.reader import open_reader
from livemeter_collector.store.contract import Store, StoreError, StoreUnavailableError
from livemeter_collector.store.lock import DirectoryLock, announce
from tests.collector.conftest import ROOT
from tests.collector.serving import serving

FILL = """
import sys
from pathlib import Path
from livemeter_collector.store.contract import Signal
from livemeter_collector.store.migrate import migrate
from livemeter_collector.store.open import open_embedded
from tests.collector.otlp_messages import logs_request
data = Path(sys.argv[1])
store = open_embedded(data)
migrate(store)
store.insert_otlp(Signal.LOGS, logs_request(["written"], "reader").SerializeToString(), "t")
"""

COLLECT = (
    FILL
    + """
from livemeter_collector.query.gateway import create_sql_app
from livemeter_collector.store.lock import announce
from tests.collector.serving import serving
with serving(create_sql_app(store)) as port:
    announce(data, f"http://127.0.0.1:{port}")
    print("ready", flush=True)
    sys.stdin.read()
"""
)

READ = """
import sys
from pathlib import Path
from livemeter_collector.query.reader import open_reader
from livemeter_collector.store.contract import StoreError
try:
    with open_reader(Path(sys.argv[1]), None) as reader:
        sql = "SELECT Body FROM logs WHERE ServiceName = {s:String}"
        for body, in reader.query(sql, {"s": "reader"}).rows:
            print(body)
        print(b"".join(reader.stream("SELECT 1 AS a", "JSONEachRow")).decode(), end="")
        print("logs" in {row[0] for row in reader.query("SHOW TABLES").rows}, "chdb" in sys.modules)
except StoreError as error:
    print(type(error).__name__, error)
"""


EMPTY = """
import sys
from pathlib import Path
from livemeter_collector.store.open import open_embedded
open_embedded(Path(sys.argv[1])).close()
"""


@contextmanager
def collector(data: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the directory and serves SQL."""
    command = [sys.executable, "-c", COLLECT, str(data)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process


def test_the_directory_is_read_whoever_has_it(python: Callable[..., str], tmp_path: Path) -> None:
    data = tmp_path / "data"
    with collector(data) as process:
        # Through the collector, without an engine of one's own.
        assert python(READ, data) == 'written\n{"a":1}\nTrue False\n'
        process.send_signal(signal.SIGKILL)
        process.wait()
    # The collector crashed; its announcement is still there and counts for nothing.
    assert (data / "collector.json").exists()
    assert python(READ, data) == 'written\n{"a":1}\nTrue True\n'


def test_two_readers_at_once_take_turns(python: Callable[..., str], tmp_path: Path) -> None:
    data = tmp_path / "data"
    python(FILL, data)
    command = [sys.executable, "-c", READ, str(data)]
    readers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) for _ in range(2)]
    answers = [process.communicate(timeout=60)[0] for process in readers]
    assert answers == ['written\n{"a":1}\nTrue True\n'] * 2


def test_no_directory_and_no_data_are_said_to_be_missing(tmp_path: Path) -> None:
    for data in (tmp_path / "none", tmp_path):
        with pytest.raises(StoreError, match=f"^no livemeter data in {data}: run `livemeter up` first"):
            open_reader(data, None)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(StoreError, match="nowhere to read from"):
        open_reader(None, None)


def test_an_engine_without_our_tables_is_no_data(python: Callable[..., str], tmp_path: Path) -> None:
    python(EMPTY, tmp_path / "data")
    assert python(READ, tmp_path / "data").startswith("StoreError there is no livemeter data here")


def test_data_of_another_version_is_told_from_ours(python: Callable[..., str], tmp_path: Path) -> None:
    data = tmp_path / "data"
    newer = (
        FILL
        + """
store.command("INSERT INTO schema_migrations (number, name, checksum) VALUES (9999, 'later', 'x')")
store.close()
"""
    )
    python(newer, data)
    assert python(READ, data).startswith(
        "NewerSchemaError written by a newer version of livemeter (schema 9999, "
    )


def test_a_directory_held_by_someone_who_does_not_answer_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader_module, "_TRY_FOR_S", 0.1)
    (tmp_path / "clickhouse").mkdir()
    lock = DirectoryLock(tmp_path)
    try:
        with pytest.raises(StoreError, match="another livemeter process uses"):
            open_reader(tmp_path, None)
        announce(tmp_path, "http://127.0.0.1:1")
        with pytest.raises(StoreUnavailableError, match=r"cannot reach ClickHouse at http://127\.0\.0\.1:1"):
            open_reader(tmp_path, None)
    finally:
        lock.release()


def test_a_server_is_read_by_its_address(store: Store) -> None:
    with serving(create_sql_app(store)) as port, open_reader(None, f"http://127.0.0.1:{port}") as reader:
        assert reader.query("SELECT {n:UInt8} AS n", {"n": 5}).rows == ((5,),)
        assert b"".join(reader.stream("SELECT 1", "CSV")) == b"1\n"
        with pytest.raises(StoreError):
            reader.query("DROP TABLE logs")
