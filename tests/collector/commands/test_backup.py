"""Backups of a real engine, taken while it is written to and restored elsewhere."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from livemeter.cli.main import main
from livemeter_collector.control import (
    SOCKET,
    ControlServer,
    ask_for_backup,
    bind_control,
    connect,
    create_control_app,
    withdraw_control,
)
from livemeter_collector.store.archive import BackupError, copy_verified, entries_of, new_backup
from livemeter_collector.store.backup import BackedStore, staged_backup
from livemeter_collector.store.contract import Parameters, Signal, Store, StoreError, Table
from livemeter_collector.store.pause import Pause
from tests.collector.memory_store import MemoryStore
from tests.collector.otlp_messages import logs_request
from tests.collector.serving import Answer, ask, serving

ROOT = Path(__file__).parents[3]

# Inserts numbered records until it is killed, says each number when it is stored, and answers backups.
COLLECTOR = """
import asyncio, os, sys, threading
from pathlib import Path
from livemeter_collector.control import ControlServer
from livemeter_collector.store.contract import Signal
from livemeter_collector.store.migrate import migrate
from livemeter_collector.store.open import open_embedded
from tests.collector.otlp_messages import logs_request

data, load = Path(sys.argv[1]), sys.argv[2] == "load"
store = open_embedded(data)
migrate(store)

def insert():
    number = 0
    while load or number < 3:
        body = logs_request([f"record {number}"], "service").SerializeToString()
        store.insert_otlp(Signal.LOGS, body, f"token {number}")
        print(number, flush=True)
        number += 1

async def serve():
    server = ControlServer(store, data)
    asyncio.get_running_loop().run_in_executor(None, insert)
    await server.run_until_told()

asyncio.run(serve())
"""

# Opens a data directory, stores the first records once more under their tokens, and tells what there is.
REPLAY = """
import json, sys
from pathlib import Path
from livemeter_collector.store.contract import Signal
from livemeter_collector.store.migrate import migrate
from livemeter_collector.store.open import open_embedded
from tests.collector.otlp_messages import logs_request

store = open_embedded(Path(sys.argv[1]))
done = migrate(store)
def bodies():
    rows = store.query("SELECT Body FROM logs WHERE ServiceName = 'service'").rows
    return sorted(int(body.rpartition(" ")[2]) for (body,) in rows)
before = bodies()
for number in range(int(sys.argv[2])):
    body = logs_request([f"record {number}"], "service").SerializeToString()
    store.insert_otlp(Signal.LOGS, body, f"token {number}")
print(json.dumps({"done": done, "before": before, "after": bodies()}))
store.close()
"""

# Leaves a journal of two segments, one in the tables as well, and backs the directory up.
JOURNAL = """
import contextlib, sys, time
from pathlib import Path
from livemeter_collector.ingest.feeder import insert_token
from livemeter_collector.journal.journal import Journal
from livemeter_collector.journal.record import Entry, digest_of
from livemeter_collector.store.archive import copy_verified, new_backup
from livemeter_collector.store.backup import staged_backup
from livemeter_collector.store.contract import Signal
from livemeter_collector.store.migrate import migrate, read_schema
from livemeter_collector.store.open import open_embedded
from tests.collector.otlp_messages import logs_request

data, target = map(Path, sys.argv[1:])
store = open_embedded(data)
migrate(store)
journal = Journal(data / "journal", read_schema().number)
def append(body):
    request = logs_request([body], "service").SerializeToString()
    journal.append(Signal.LOGS, [Entry(request, 1, time.time_ns(), digest_of(request))])
append("stored")
content, contents = journal.seal(Signal.LOGS).read()
store.insert_otlp(Signal.LOGS, content, insert_token(contents.places))
append("waiting")
with new_backup(target) as sink, staged_backup(store, data) as made:
    copy_verified(made.entries, sink)
store.close()
"""

# Stores what the journal of a restored directory holds, as the collector does when it starts.
FEED = """
import json, sys
from pathlib import Path
from livemeter_collector.ingest.feeder import Feeder
from livemeter_collector.journal.dead_letters import DeadLetters
from livemeter_collector.journal.journal import Journal
from livemeter_collector.store.contract import Signal
from livemeter_collector.store.migrate import read_schema
from livemeter_collector.store.open import open_embedded

data = Path(sys.argv[1])
store = open_embedded(data)
def bodies():
    rows = store.query("SELECT Body FROM logs WHERE ServiceName = 'service' ORDER BY Body").rows
    return [body for (body,) in rows]
before = bodies()
journal = Journal(data / "journal", read_schema().number)
left = list(journal.left[Signal.LOGS])
feeder = Feeder(store, journal, DeadLetters(data / "dead-letters"))
for segment in left:
    feeder.feed(segment)
files = [path.name for path in (data / "journal").glob("*/*")]
print(json.dumps({"left": len(left), "before": before, "after": bodies(), "files": files}))
store.close()
"""

Python = Callable[..., str]


class Collector:
    """A process that holds a directory and inserts into it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.stored = -1

    def store_until(self, number: int) -> None:
        """Read what it says until it has stored a record."""
        assert self.process.stdout is not None
        while self.stored < number:
            line = self.process.stdout.readline()
            assert line, "the collector ended"
            self.stored = int(line)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(timeout=10)


@contextlib.contextmanager
def collector(data: Path, load: str = "load") -> Iterator[Collector]:
    command = [sys.executable, "-c", COLLECTOR, str(data), load]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}
    ) as process:
        running = Collector(process)
        try:
            running.store_until(2)
            yield running
        finally:
            running.kill()


def livemeter(*words: object) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own: chDB opens one directory in each."""
    return subprocess.run(
        [sys.executable, "-m", "livemeter.cli", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def succeeds(*words: object) -> str:
    done = livemeter(*words)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def gone(path: Path) -> None:
    """Wait until another process has removed it."""
    deadline = time.monotonic() + 10
    while path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def refused(capfd: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run a command that ends before it needs an engine, and return its one line."""

    def run(*words: object) -> str:
        assert main([str(word) for word in words]) == 1
        out, err = capfd.readouterr()
        assert (out, err[:11], err.count("\n")) == ("", "livemeter: ", 1)
        return err

    return run


@pytest.fixture(scope="module")
def backup(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup of three records, a journal and a dead letter."""
    directory = tmp_path_factory.mktemp("backup")
    data = directory / "data"
    (data / "journal" / "logs").mkdir(parents=True)
    (data / "journal" / "state.json").write_text("{}")
    (data / "journal" / "seen").write_bytes(b"seen")
    (data / "journal" / "logs" / "00000000000000000007.pb").write_bytes(b"segment")
    (data / "journal" / "logs" / "00000000000000000007.tries").write_bytes(b".")
    (data / "dead-letters").mkdir()
    (data / "dead-letters" / "letter").write_bytes(b"letter")
    with collector(data, "three records"):
        succeeds("backup", directory / "made.tar", "--data", data)
        gone(data / "backup.work")
    return directory / "made.tar"


def test_a_backup_under_load_holds_what_was_stored_before_and_restores_elsewhere(
    tmp_path: Path, python: Python
) -> None:
    data, target, elsewhere = tmp_path / "data", tmp_path / "made.tar", tmp_path / "else where"
    with collector(data) as running:
        stored_before = running.stored
        succeeds("backup", target, "--data", data)
        running.store_until(running.stored + 3)
        running.kill()
    shutil.rmtree(data)
    succeeds("restore", target, "--data", elsewhere)
    there = json.loads(python(REPLAY, elsewhere, stored_before + 2))
    assert there["done"] == [], "every table, view and function came along"
    count = len(there["before"])
    assert count > stored_before
    assert there["before"] == list(range(count)), "no record is missing or there twice"
    # One more than was stored for sure: a journal replays what is there and what is not.
    assert there["after"] == list(range(max(count, stored_before + 2))), "a replayed token is stored once"
    assert sorted(each.name for each in elsewhere.iterdir()) == ["clickhouse", "lock"]


def test_what_the_journal_holds_is_stored_once_after_a_restore_stored_before_or_not(
    tmp_path: Path, python: Python
) -> None:
    """A segment that was stored and not yet removed, and one that is still written to."""
    python(JOURNAL, tmp_path / "data", tmp_path / "made.tar")
    succeeds("restore", tmp_path / "made.tar", "--data", tmp_path / "elsewhere")
    fed = json.loads(python(FEED, tmp_path / "elsewhere"))
    assert fed == {
        "left": 2,
        "before": ["stored"],
        "after": ["stored", "waiting"],
        "files": [],
    }


@pytest.mark.parametrize("name", ["made.zip", "MADE.ZIP", "made", "made.backup"])
def test_every_form_has_the_same_files(backup: Path, tmp_path: Path, name: str) -> None:
    with new_backup(tmp_path / name) as sink:
        told: list[int] = []
        manifest = copy_verified(entries_of(backup), sink, told.append)
    assert (tmp_path / name).is_dir() == (not name.lower().endswith(".zip"))
    with new_backup(tmp_path / "again.tar") as sink:
        assert copy_verified(entries_of(tmp_path / name), sink) == manifest
    with tarfile.open(backup) as first, tarfile.open(tmp_path / "again.tar") as second:
        files = {each.name: each.size for each in first}
        assert {each.name: each.size for each in second} == files
    assert sum(told) == sum(files.values())


def test_the_journal_and_the_dead_letters_come_along(backup: Path, tmp_path: Path) -> None:
    succeeds("restore", backup, "--data", tmp_path / "data")
    journal = tmp_path / "data" / "journal"
    assert (journal / "state.json").read_text() == "{}"
    assert (journal / "seen").read_bytes() == b"seen"
    assert (journal / "logs" / "00000000000000000007.pb").read_bytes() == b"segment"
    assert [each.name for each in (journal / "logs").iterdir()] == ["00000000000000000007.pb"], (
        "an attempt of another process is none of this one"
    )
    assert (tmp_path / "data" / "dead-letters" / "letter").read_bytes() == b"letter"


def test_every_question_has_the_same_answer_after_a_restore(data_at_rest: Path, tmp_path: Path) -> None:
    """Also: without a collector the command opens the directory itself."""
    said = json.loads(succeeds("backup", tmp_path / "made.tar", "--data", data_at_rest, "--json"))
    assert said["backup"] == str(tmp_path / "made.tar")
    assert said["files"] > 100
    told = json.loads(succeeds("restore", tmp_path / "made.tar", "--data", tmp_path / "data", "--json"))
    assert told == {**{key: said[key] for key in said if key != "backup"}, "data": str(tmp_path / "data")}
    for question in ("sessions", "costs", "closes"):
        asked = succeeds(question, "--json", "--data", data_at_rest)
        assert succeeds(question, "--json", "--data", tmp_path / "data") == asked
        assert len(json.loads(asked)) > 0


def test_only_its_owner_may_read_a_backup_or_ask_for_one(backup: Path, tmp_path: Path) -> None:
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    listener = bind_control(tmp_path)
    assert stat.S_IMODE((tmp_path / SOCKET).stat().st_mode) == 0o600
    listener.close()


def test_the_socket_of_a_crashed_collector_is_replaced_however_long_its_path(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    bind_control(deep).close()
    with contextlib.closing(bind_control(deep)):
        assert (deep / SOCKET).is_socket()


def test_a_target_that_is_there_is_never_overwritten(
    refused: Callable[..., str], backup: Path, data_at_rest: Path, tmp_path: Path
) -> None:
    before = backup.read_bytes()
    assert f"{backup} is there already" in refused("backup", backup, "--data", data_at_rest)
    assert backup.read_bytes() == before
    (tmp_path / "directory").mkdir()
    assert "is there already" in refused("backup", tmp_path / "directory", "--data", data_at_rest)


def test_a_target_that_cannot_be_written_leaves_nothing(
    refused: Callable[..., str], data_at_rest: Path, tmp_path: Path
) -> None:
    line = refused("backup", tmp_path / "no" / "made.tar", "--data", data_at_rest)
    assert "No such file or directory" in line
    assert list(tmp_path.iterdir()) == []


def test_without_data_there_is_no_backup(refused: Callable[..., str], tmp_path: Path) -> None:
    line = refused("backup", tmp_path / "made.tar", "--data", tmp_path / "data")
    assert f"no livemeter data in {tmp_path / 'data'}" in line
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_is_not_empty_is_not_restored_to(
    refused: Callable[..., str], backup: Path, tmp_path: Path
) -> None:
    (tmp_path / "something").write_text("of somebody")
    assert f"{tmp_path} is not empty" in refused("restore", backup, "--data", tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == ["something"]


def test_an_empty_directory_is_restored_to(backup: Path, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    assert "restored what was backed up at 20" in succeeds("restore", backup, "--data", tmp_path / "data")


def damaged(backup: Path, kind: str, directory: Path) -> Path:
    made = directory / "damaged.tar"
    data = bytearray(backup.read_bytes())
    with tarfile.open(backup) as tar:
        names = tar.getnames()
        part = next(each for each in tar if each.name.endswith("data.bin"))
        inside = part.offset_data
    if kind == "a changed byte":
        data[inside] ^= 1
    elif kind == "cut short":
        del data[len(data) // 2 :]
    elif kind == "cut between files":
        del data[part.offset :]
    elif kind == "nothing":
        data.clear()
    elif kind == "no archive":
        data[:] = b"PK but not really"
    elif kind == "a missing file":
        length = part.offset_data + -(-part.size // 512) * 512
        del data[part.offset : length]
    assert names[-1] == "manifest.json"
    made.write_bytes(data)
    return made


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("a changed byte", "data.bin is not as it was written"),
        ("cut short", "not complete"),
        ("cut between files", "it has no manifest.json"),
        ("nothing", "damaged or not complete"),
        ("no archive", "damaged or not complete"),
        ("a missing file", "data.bin is missing"),
    ],
)
def test_a_damaged_backup_is_told_and_nothing_is_restored(
    refused: Callable[..., str], backup: Path, tmp_path: Path, kind: str, said: str
) -> None:
    made = damaged(backup, kind, tmp_path)
    line = refused("restore", made, "--data", tmp_path / "data")
    assert "damaged" in line or "not complete" in line
    assert said in line
    assert [each.name for each in tmp_path.iterdir()] == ["damaged.tar"]


def test_a_backup_that_leaves_its_directory_is_refused(refused: Callable[..., str], tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("{}")
    with tarfile.open(tmp_path / "made.tar", "w") as tar:
        tar.add(outside, arcname="../../outside2")
    assert "is no name of a file in it" in refused(
        "restore", tmp_path / "made.tar", "--data", tmp_path / "a" / "data"
    )
    assert not (tmp_path / "outside2").exists()


def test_a_backup_that_is_not_there_is_told(refused: Callable[..., str], tmp_path: Path) -> None:
    assert f"there is no backup at {tmp_path / 'no.tar'}" in refused(
        "restore", tmp_path / "no.tar", "--data", tmp_path / "data"
    )


def test_a_backup_of_a_newer_version_is_refused(
    refused: Callable[..., str], backup: Path, tmp_path: Path
) -> None:
    with tarfile.open(backup) as tar:
        tar.extractall(tmp_path / "made", filter="data")
    manifest = tmp_path / "made" / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_bytes()) | {"schema": 9999}))
    line = refused("restore", tmp_path / "made", "--data", tmp_path / "data")
    assert "a newer livemeter" in line
    assert "schema 9999" in line


def test_a_collector_that_dies_leaves_no_backup_behind(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """What answers here sends half of a backup and ends."""
    listener = bind_control(tmp_path)
    listener.setblocking(True)

    def answer() -> None:
        peer, _ = listener.accept()
        peer.recv(65536)
        head = "HTTP/1.1 200 OK\r\nLivemeter-Backup-Bytes: 9\r\nTransfer-Encoding: chunked\r\n\r\n"
        peer.sendall(head.encode() + b"400\r\n" + bytes(100))
        peer.shutdown(socket.SHUT_RDWR)
        peer.close()

    thread = threading.Thread(target=answer)
    thread.start()
    assert main(["backup", str(tmp_path / "made.tar"), "--data", str(tmp_path)]) == 1
    thread.join(timeout=10)
    listener.close()
    assert "the collector ended before the backup was complete" in capfd.readouterr().err
    assert [each.name for each in tmp_path.iterdir()] == [SOCKET]


class _SlowStore(MemoryStore):
    """Holds inserts back like the engine, and has no answer until it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.answer = threading.Event(), threading.Event()

    def paused_inserts(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    def query(self, sql: str, parameters: Parameters | None = None) -> Table:
        self.asked.set()
        self.answer.wait(timeout=10)
        raise StoreError("no answer\nat all")


def test_one_backup_at_a_time_and_a_failure_is_one_line(tmp_path: Path) -> None:
    store = _SlowStore()
    answers: list[Answer] = []
    with serving(create_control_app(store, tmp_path, asyncio.Event())) as port:
        first = threading.Thread(target=lambda: answers.append(ask(port, path="/backup", body=b"")))
        first.start()
        assert store.asked.wait(timeout=10)
        second = ask(port, path="/backup", body=b"")
        store.answer.set()
        first.join(timeout=10)
        assert (second.status, second.body.split(b":")[0]) == (409, b"another backup is running")
        assert [(answer.status, answer.body) for answer in answers] == [(500, b"no answer at all\n")]
        assert ask(port, path="/backup").status == 405, "a backup is made by a POST"
        assert list(tmp_path.iterdir()) == []


async def test_a_backup_under_way_ends_with_the_collector(tmp_path: Path) -> None:
    """What waits for a place to write to is told, and what the backup had made is gone."""
    store = _SlowStore()
    server = ControlServer(store, tmp_path)
    running = asyncio.create_task(server.run_until_told())
    await server.ready.wait()
    collector = connect(tmp_path)
    assert collector is not None

    def ask() -> None:
        with ask_for_backup(collector):
            pass

    asking = asyncio.create_task(asyncio.to_thread(ask))
    await asyncio.to_thread(store.asked.wait, 10)
    server.should_exit = True
    store.answer.set()
    with pytest.raises(BackupError, match=r"no answer at all|the collector is stopping"):
        await asking
    await running
    withdraw_control(tmp_path)
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - pathlib's is nothing for an event loop


def test_a_server_s_data_is_backed_up_on_the_server(tmp_path: Path) -> None:
    with serving(create_control_app(MemoryStore(), tmp_path, asyncio.Event())) as port:
        answer = ask(port, path="/backup", body=b"")
    assert (answer.status, answer.body.split(b":")[0]) == (500, b"the data is on a ClickHouse server")


def test_a_full_disk_is_told_before_anything_is_written(store: Store, data_dir: Path) -> None:
    with pytest.raises(BackupError, match="too little space on the disk"):
        with staged_backup(store, data_dir, reserve_bytes=10**18):
            pass
    assert not (data_dir / "backup.work").exists()


def test_what_an_interrupted_backup_left_is_replaced(store: Store, data_dir: Path, tmp_path: Path) -> None:
    work = data_dir / "backup.work"
    (work / "database").mkdir(parents=True)
    (work / "database" / "left").write_text("over")
    with new_backup(tmp_path / "made") as sink, staged_backup(store, data_dir, reserve_bytes=0) as made:
        assert "database/left" not in copy_verified(made.entries, sink).files
    assert not work.exists()
    work.mkdir()
    bind_control(data_dir).close()
    withdraw_control(data_dir)
    assert not work.exists()


def test_the_engine_writes_backups_nowhere_else(store: Store, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="not allowed for backups"):
        store.command(f"BACKUP TABLE schema_views TO File('{tmp_path / 'made'}')")
    with pytest.raises(StoreError, match="not allowed for backups"):
        store.command("BACKUP TABLE schema_views TO File('../made')")
    assert list(tmp_path.iterdir()) == []


def test_inserts_wait_while_they_are_held_back_and_questions_do_not(store: Store, unique: str) -> None:
    body = logs_request(["late"], unique).SerializeToString()
    asked = "SELECT count() FROM logs WHERE ServiceName = {service:String}"
    assert isinstance(store, BackedStore)
    inserting = threading.Thread(target=store.insert_otlp, args=(Signal.LOGS, body, unique))
    # The first insert of a process takes longest; the one that is looked at has nothing to wait for but us.
    store.insert_otlp(Signal.LOGS, logs_request(["early"], unique).SerializeToString(), f"{unique} early")
    with store.paused_inserts():
        inserting.start()
        inserting.join(timeout=1)
        assert store.query(asked, {"service": unique}).rows == ((1,),)
        assert inserting.is_alive()
    inserting.join(timeout=10)
    assert store.query(asked, {"service": unique}).rows == ((2,),)


def test_a_pause_waits_for_work_under_way_and_holds_the_next_back() -> None:
    pause = Pause()
    told: list[str] = []
    working, go_on = threading.Event(), threading.Event()

    def work(name: str, until: threading.Event) -> None:
        with pause.one():
            working.set()
            until.wait(timeout=10)
            told.append(name)

    def look() -> None:
        with pause.all():
            second.start()
            told.append("look")

    always = threading.Event()
    always.set()
    first = threading.Thread(target=work, args=("first", go_on))
    second = threading.Thread(target=work, args=("second", always))
    looking = threading.Thread(target=look)
    first.start()
    working.wait(timeout=10)
    looking.start()
    go_on.set()
    for thread in (first, looking, second):
        thread.join(timeout=10)
    assert told == ["first", "look", "second"]
