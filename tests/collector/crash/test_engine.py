"""What the journal relies on: when the engine says that an insert is stored, it is."""

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


def _inserted(data_dir: Path, *tokens: str) -> dict[str, list[str]]:
    with child(["-c", INSERT, str(data_dir), *tokens]) as process:
        said: dict[str, list[str]] = process.ready()
        assert process.process.wait(60) == 0
    return said
