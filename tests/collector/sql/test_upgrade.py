"""A store of a version before: its rows are read as ever, and what comes again is known."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[3]

OLD_THEN_NEW = """
import json, sys
from pathlib import Path
from livemeter_collector.store.contract import Signal
from livemeter_collector.store.migrate import Schema, migrate, read_schema
from livemeter_collector.store.open import open_embedded
from tests.collector.sql.telemetry import Process, new_id

LAST_OF_THE_VERSION_BEFORE = 152
whole = read_schema()
before = Schema(tuple(one for one in whole.migrations if one.number <= LAST_OF_THE_VERSION_BEFORE), ())
process = Process()
connection = process.connection("named")
events = [
    connection.started(),
    connection.packed(
        [(0, "sent", "setup", (), 9, 0, 16_000, 0), (5, "received", "a", ("a", "b"), 9, 0, 0, 1)]
    ),
    connection.usage(70, 5),
    connection.turn(),
    connection.tool_call(),
    connection.closed(),
]
body = b"".join(event.SerializeToString() for event in events)
directory = Path(sys.argv[1])

store = open_embedded(directory)
migrate(store, before)
store.insert_otlp(Signal.LOGS, body, "a batch")
store.close()

store = open_embedded(directory)
migrate(store)
questions = {
    "frames": "SELECT kind, contents, sample_rate FROM live_frames ORDER BY seq",
    "sessions": "SELECT session_id, connections, turns, tool_calls, input_tokens FROM live_sessions",
    "turns": "SELECT turn, flushes, app_phase FROM live_turns",
    "calls": "SELECT name, encoding, will_continue FROM live_tool_calls",
    "connections": "SELECT session_id, attempt, frames, setup_labels, exception_chain, outcome"
    " FROM live_connections",
    "logs": "SELECT count() FROM logs",
    "losses": "SELECT count() FROM live_losses",
}
def answers():
    return {name: store.query(sql).rows for name, sql in questions.items()}
found = [answers()]
store.insert_otlp(Signal.LOGS, body, "a batch")
found.append(answers())
store.close()
store = open_embedded(directory)
store.insert_otlp(Signal.LOGS, body, "a batch")
found.append(answers())
print(json.dumps(found))
store.close()
"""


def test_rows_of_the_version_before_are_read_and_its_batches_known(
    python: Callable[..., str], tmp_path: Path
) -> None:
    after, again, restarted = json.loads(python(OLD_THEN_NEW, tmp_path / "data"))
    assert after == {
        # What the old view did not read is not there.
        "frames": [["setup", ["setup"], 0], ["a", ["a", "b"], 0]],
        "sessions": [["named", 1, 1, 1, 70]],
        "turns": [[1, None, ""]],
        "calls": [["score", [], None]],
        "connections": [["named", 1, None, {}, [], None]],
        # All but the frames.
        "logs": [[5]],
        "losses": [[0]],
    }
    for later in (again, restarted):
        assert later["logs"] == [[5]]
        assert later["sessions"] == after["sessions"]
        assert len(later["frames"]) == 2


def test_whatever_version_a_store_was_begun_with_its_figures_stay(tmp_path: Path) -> None:
    """Sessions were told before each change of how facts are kept: the views have the oracle's figures."""
    every = ["all"] if os.environ.get("LIVEMETER_HYPOTHESIS") == "soak" else []
    finished = subprocess.run(
        [sys.executable, "-m", "tests.collector.sql.upgrading", str(tmp_path / "data"), *every],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    answer = json.loads(finished.stdout)
    assert len(answer["steps"]) > 5
    assert (answer["after"], answer["again"]) == ([], []), f"seed {answer['seed']}"
