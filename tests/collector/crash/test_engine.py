"""What the journal relies on: when the engine says that an insert is stored, it is."""

import os
from pathlib import Path

from tests.collector.crash.disk import small_disk
from tests.collector.crash.processes import child

ENGINE_BYTES = 160 * 1024 * 1024

FULL = """
import json, sys
from pathlib import Path
from livemeter_collector.store.contract import Signal, StoreError
from livemeter_collector.store.migrate import migrate
from livemeter_collector.store.open import open_embedded
from tests.collector.crash.disk import Filler
from tests.collector.otlp_messages import logs_request

disk = Path(sys.argv[1])
store = open_embedded(disk / "data")
migrate(store)
body = logs_request([f"{number}" * 50 for number in range(200)]).SerializeToString()

def told():
    try:
        store.insert_otlp(Signal.LOGS, body, "token")
    except StoreError as error:
        return type(error).__name__
    return "stored"

filler = Filler(disk)
filler.fill()
while_full = [told(), told()]
filler.free()
then = told()
rows = store.query("SELECT count(), uniqExact(Body) FROM livemeter.logs").rows[0]
print(json.dumps({"while_full": while_full, "then": then, "rows": rows}), flush=True)
store.close()
"""

INSERT = """
import json, sys
from pathlib import Path
from livemeter_collector.store.contract import Signal
from livemeter_collector.store.migrate import migrate
from livemeter_collector.store.open import open_embedded
from tests.collector.otlp_messages import logs_request

store = open_embedded(Path(sys.argv[1]))
migrate(store)
for token in sys.argv[2:]:
    body = logs_request([token], time_unix_nano=1767225600000000000).SerializeToString()
    store.insert_otlp(Signal.LOGS, body, token)
parts = "SELECT path FROM system.parts WHERE database = 'livemeter' AND table = 'logs' AND active ORDER BY 1"
print(json.dumps({
    "stored": [body for (body,) in store.query("SELECT Body FROM livemeter.logs ORDER BY Body").rows],
    "parts": [path for (path,) in store.query(parts).rows],
}), flush=True)
store.close()
"""


def test_an_engine_whose_disk_is_full_says_so_and_stores_the_insert_once_when_there_is_room(
    tmp_path: Path,
) -> None:
    with small_disk(tmp_path / "disk", ENGINE_BYTES) as disk, child(["-c", FULL, str(disk)]) as process:
        said = process.ready()
    assert said["while_full"] == ["StoreUnavailableError"] * 2
    assert said["then"] == "stored"
    assert said["rows"] == [200, 200]


def test_a_token_that_was_noted_before_its_part_was_in_place_does_not_hide_the_insert(tmp_path: Path) -> None:
    """The engine writes a token down and then renames the part; a process may be killed in between.

    That leaves what is made here: the token in the table's deduplication log, and no part of that name.
    """
    _inserted(tmp_path, "first")
    parts = _inserted(tmp_path, "second")["parts"]
    Path(parts[-1]).rename(Path(parts[-1]).with_name("tmp_insert_of_the_killed"))
    assert _inserted(tmp_path)["stored"] == ["first"]

    assert _inserted(tmp_path, "second")["stored"] == ["first", "second"]
    assert _inserted(tmp_path, "first", "second")["stored"] == ["first", "second"]


RENAME_FAILS = """
import json, sys
from pathlib import Path
from livemeter_collector.store import mender
from livemeter_collector.store.contract import Signal, StoreError
from livemeter_collector.store.migrate import migrate
from livemeter_collector.store.open import open_embedded
from tests.collector.otlp_messages import logs_request

store = open_embedded(Path(sys.argv[1]))
migrate(store)
at = 1767225600000000000
bodies = {name: logs_request([name], time_unix_nano=at).SerializeToString() for name in ("a", "b", "c")}

def told(name):
    try:
        store.insert_otlp(Signal.LOGS, bodies[name], name)
    except StoreError as error:
        return type(error).__name__
    return "stored"

def rows():
    return [body for (body,) in store.query("SELECT Body FROM livemeter.logs ORDER BY Body").rows]

first = told("a")
parts = "SELECT path FROM system.parts WHERE database = 'livemeter' AND table = 'logs' AND active"
((path,),) = store.query(parts).rows
part = Path(path)
partition, number = part.name.split("_")[:2]
in_the_way = part.with_name(f"{partition}_{int(number) + 1}_{int(number) + 1}_0")
in_the_way.touch()
mend = mender._mend

def when_it_can_be_mended(store):
    in_the_way.unlink()
    mend(store)

mender._mend = when_it_can_be_mended
failed = told("b")
mender._mend = mend
print(json.dumps({
    "first": first, "failed": failed, "rows_then": rows(),
    "then": [told(name) for name in ("b", "b", "a", "c")], "rows": rows(),
}), flush=True)
store.close()
"""


def test_a_part_that_cannot_be_renamed_does_not_hide_its_insert_from_the_running_engine(
    tmp_path: Path,
) -> None:
    """As on a disk that is full at that very moment: here a file has the name that the part should have."""
    with child(["-c", RENAME_FAILS, str(tmp_path / "data")]) as process:
        said = process.ready()
    assert said["first"] == "stored"
    assert (said["failed"], said["rows_then"]) == ("StoreError", ["a"])
    assert said["then"] == ["stored"] * 4
    assert said["rows"] == ["a", "b", "c"]


CUT_SHORT = """
import contextlib, json, resource, signal, sys
from pathlib import Path
from random import Random
from livemeter_collector.store import embedded
from livemeter_collector.store.contract import Signal, StoreError
from livemeter_collector.store.migrate import migrate
from livemeter_collector.store.open import open_embedded
from tests.collector.otlp_messages import logs_request

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
none, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
as_file, draw = embedded._as_file, Random(1)

def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))

@contextlib.contextmanager
def then_no_room(data):
    # The request is a file as well.
    with as_file(data) as file:
        limit(4096)
        try:
            yield file
        finally:
            limit(none)

def request(name):
    return logs_request([name] + [draw.randbytes(200).hex() for _ in range(99)], name).SerializeToString()

def told(name):
    try:
        store.insert_otlp(Signal.LOGS, bodies[name], name)
    except StoreError as error:
        return type(error).__name__
    return "stored"

def rows():
    figures = "SELECT ServiceName, count(), uniqExact(Body) FROM livemeter.logs GROUP BY 1 ORDER BY 1"
    return store.query(figures).rows

def attached_again():
    store.command("DETACH TABLE livemeter.logs SYNC")
    store.command("ATTACH TABLE livemeter.logs")
    return rows()

bodies = {name: request(name) for name in "abc"}
store = open_embedded(Path(sys.argv[1]))
migrate(store)
said = {"first": told("a")}
embedded._as_file = then_no_room
said["no_room"] = [told("b"), told("b")]
said["meanwhile"] = rows()
embedded._as_file = as_file
said["then"] = [told(name) for name in "abbc"]
said["rows"] = rows()
limit(4096)
store.command("OPTIMIZE TABLE livemeter.logs FINAL")
limit(none)
store.look_after_disk()
said["merged"] = rows()
said["again"] = attached_again()
print(json.dumps(said), flush=True)
store.close()
"""


def test_a_part_that_the_disk_cut_short_is_not_taken_for_a_stored_one(tmp_path: Path) -> None:
    """The engine does not notice: it answers that all is well. Nor does it when it merges."""
    with small_disk(tmp_path / "disk", ENGINE_BYTES) as disk, child(["-c", CUT_SHORT, str(disk)]) as process:
        said = process.ready()
    assert said["first"] == "stored"
    assert said["no_room"] == ["StoreUnavailableError"] * 2
    assert said["meanwhile"] == [["a", 100, 100]]
    assert said["then"] == ["stored"] * 4
    whole = [["a", 100, 100], ["b", 100, 100], ["c", 100, 100]]
    assert [said["rows"], said["merged"], said["again"]] == [whole] * 3


def test_a_part_that_is_not_whole_at_the_start_does_not_hide_its_insert(tmp_path: Path) -> None:
    """Its process ended before anybody had looked at the part: the engine sets it aside, not its token."""
    _inserted(tmp_path, "first")
    part = Path(_inserted(tmp_path, "second")["parts"][-1])
    for file in part.glob("data.bin"):
        os.truncate(file, 10)
    assert _inserted(tmp_path, "second", "first")["stored"] == ["first", "second"]


def _inserted(data_dir: Path, *tokens: str) -> dict[str, list[str]]:
    with child(["-c", INSERT, str(data_dir), *tokens]) as process:
        said: dict[str, list[str]] = process.ready()
        assert process.process.wait(60) == 0
    return said
