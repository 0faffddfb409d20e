"""Forgetting a person: everything of theirs goes, from everywhere, and nothing of anybody else."""

import contextlib
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message import Message
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from livemeter.cli.main import main
from livemeter.emit.records import common_attributes
from livemeter.observer.facts import Endpoint, Identity
from livemeter.vocabulary import Attribute, Event, Platform
from livemeter_collector.forgetting import Kept, forgetting, settled_by_collector
from livemeter_collector.journal.dead_letters import DIRECTORY, DeadLetter, DeadLetters
from livemeter_collector.journal.journal import Journal
from livemeter_collector.journal.record import Entry, digest_of
from livemeter_collector.store.contract import Signal, Store
from livemeter_collector.store.forget import EXEMPT, TABLES, WORK_TABLES, find_person, recorded_ids
from livemeter_collector.store.migrate import read_schema
from tests.collector.commands.conftest import serving
from tests.collector.otlp_messages import key_values
from tests.collector.sql.telemetry import (
    Connection,
    Process,
    insert,
    join_sessions,
    new_id,
    rows,
)

ROOT = Path(__file__).parents[3]
VIEWS = (
    "live_sessions", "live_connections", "live_turns", "live_frames", "live_usage", "live_costs",
    "live_session_costs", "live_tool_calls", "live_declared_tools", "live_closes", "live_events",
    "live_transcripts", "live_frame_losses",
)  # fmt: skip


def hashed(user: str) -> str:
    return hashlib.sha256(user.encode()).hexdigest()


@dataclass
class Case:
    """A person with four connections and three neighbours."""

    person: str
    connections: Sequence[Connection]
    others: Sequence[Connection]


def talk(connection: Connection, user: str = "", handle: str = "", given: str = "") -> list[Message]:
    """All kinds of events of a connection."""
    said: dict[str, Any] = {"USER_ID": user} if user else {}
    return [
        connection.started(handle=handle, **said),
        connection.packed(
            [(0, "sent", "realtimeInput", ["audio"], 100, 20, 16000, 1)], [given] if given else []
        ),
        connection.usage(1000, 50, at_ms=10, **said),
        connection.turn(at_ms=20, **said),
        connection.tool_call(at_ms=15, **said),
        connection.event(Event.TRANSCRIPT, {Attribute.TRANSCRIPT_SIDE: "input"}, "hello", at_ms=12),
        # A frame without a number is rejected.
        connection.event(Event.FRAME, {Attribute.FRAME_KIND: "x", Attribute.FRAME_SEQ: "no number"}),
        connection.closed(at_ms=30, handle=handle, **said),
    ]


def span_of(connection: Connection) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    span = (
        request.resource_spans.add().scope_spans.add().spans.add(name="connection", start_time_unix_nano=10)
    )
    span.attributes.extend(key_values({Attribute.CONNECTION_ID: connection.id}))
    return request


def point_of(user: str) -> ExportMetricsServiceRequest:
    request = ExportMetricsServiceRequest()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="talked")
    metric.gauge.data_points.add(as_int=1).attributes.extend(key_values({"user.id": user}))
    return request


@pytest.fixture
def case(store: Store, unique: str) -> Case:
    """Insert what happened to four connections of a person and to two others."""
    return insert_case(store, unique)


def insert_case(store: Store, unique: str) -> Case:
    """One person, hashed but once; another who shares a session; one who has nothing to do with it."""
    ana, bob = f"ana {unique}", f"bob {unique}"
    handle = new_id()
    first = Process().connection(f"session {unique}")
    went_on = Process().connection()
    shared = Process().connection(f"shared {unique}")
    late = Process().connection()
    neighbour = Process().connection(f"shared {unique}")
    stranger = Process().connection(f"other {unique}")
    insert(
        store,
        *talk(first, hashed(ana), given=handle),
        *talk(went_on, handle=handle),
        *talk(shared, ana),
        *talk(late)[:-1],
        late.usage(7, at_ms=40, USER_ID=hashed(ana)),
        *talk(neighbour, hashed(bob)),
        *talk(stranger, bob),
    )
    spans = (span_of(connection).SerializeToString() for connection in (first, stranger))
    store.insert_otlp(Signal.TRACES, b"".join(spans), new_id())
    points = (point_of(user).SerializeToString() for user in (ana, bob))
    store.insert_otlp(Signal.METRICS, b"".join(points), new_id())
    join_sessions(store)
    return Case(ana, (first, went_on, shared, late), (neighbour, stranger))


def forget(store: Store, user: str) -> Kept:
    steps = list(forgetting(store, None, user, lambda: 0, dry_run=False))
    assert isinstance(steps[0], Kept)
    return steps[0]


def figures(store: Store, case: Case, *, of_others: bool) -> dict[str, tuple[int, int]]:
    """Return every view's rows of the person, or of all others: how many, and a sum over what they say."""
    ids = ", ".join(f"'{connection.id}'" for connection in case.connections)
    sessions = f"SELECT session_id FROM live_connections WHERE connection_id IN ({ids})"
    known = {str(row["session_id"]) for row in rows(store, sessions)} | {
        name for connection in case.connections for name in (connection.session, connection.id)
    }
    named = ", ".join(f"'{name}'" for name in known)
    found = {}
    for view in VIEWS:
        columns = [str(row["name"]) for row in rows(store, f"DESCRIBE {view}")]
        of_person = f"connection_id IN ({ids})" if "connection_id" in columns else f"session_id IN ({named})"
        # Only time makes an active session a lost one.
        kept = "* EXCEPT (status)" if view == "live_sessions" else "*"
        (row,) = rows(
            store,
            f"SELECT count() AS rows, sum(cityHash64(formatRow('JSONEachRow', {kept}))) AS sum FROM {view}"
            f" WHERE {'NOT ' * of_others}({of_person})",
        )
        found[view] = (int(str(row["rows"])), int(str(row["sum"])))
    return found


def test_every_table_with_something_of_a_person_is_deleted_from_or_exempt(store: Store) -> None:
    """A table that comes later must be put into the one list or the other."""
    found = rows(
        store,
        "SELECT DISTINCT table, toString(engine) AS engine FROM system.columns"
        " INNER JOIN system.tables ON tables.database = columns.database AND tables.name = columns.table"
        " WHERE columns.database = 'livemeter' AND engine LIKE '%MergeTree'",
    )
    known = {table.name for table in TABLES} | set(EXEMPT)
    assert {str(row["table"]) for row in found} - known == set()
    keyed = rows(
        store,
        "SELECT DISTINCT table FROM system.columns INNER JOIN system.tables"
        " ON tables.database = columns.database AND tables.name = columns.table"
        " WHERE columns.database = 'livemeter' AND engine LIKE '%MergeTree' AND (columns.name IN"
        " ('user_id', 'session_id', 'connection_id') OR columns.type LIKE 'Map%')",
    )
    assert {str(row["table"]) for row in keyed} <= {table.name for table in TABLES}


def test_ids_are_hashed_as_the_instrumentation_hashes_them() -> None:
    told = common_attributes(
        "c" * 32,
        Identity("s", "ana é\udc80"),
        Endpoint(Platform.GEMINI_API, "", ""),
        "m",
        hash_user_ids=True,
    )
    assert told[Attribute.USER_ID] in recorded_ids("ana é\udc80")


def test_connections_are_found_by_any_record_and_by_their_session(store: Store, case: Case) -> None:
    """Hashed or not, said late, or only by the process that had the session before."""
    assert find_person(store, case.person).connections == tuple(sorted(each.id for each in case.connections))
    # Whoever knows only the hash finds what was hashed.
    by_hash = find_person(store, hashed(case.person)).connections
    assert set(by_hash) == {case.connections[place].id for place in (0, 1, 3)}


def test_nothing_of_the_person_is_left_and_everything_of_others(store: Store, case: Case) -> None:
    shared = {case.connections[2].session}
    before, theirs = figures(store, case, of_others=True), figures(store, case, of_others=False)
    assert all(count for view, (count, _) in theirs.items() if view != "live_declared_tools")

    kept = forget(store, case.person)

    after = figures(store, case, of_others=True)
    assert {view: after[view] for view in VIEWS} == before
    left = figures(store, case, of_others=False)
    # The shared session has its other half still.
    by_session = {"live_sessions", "live_session_costs", "live_declared_tools"}
    assert {view for view, (count, _) in left.items() if count} <= by_session
    assert {str(row["session_id"]) for row in rows(store, "SELECT session_id FROM live_sessions")} >= shared
    assert kept.connections == 4
    assert set(kept.rows) == {
        "frames", "turns", "tool_calls", "usage", "logs", "otel_traces", "otel_metrics_gauge", "rejects",
        "handles", "connections",
    }  # fmt: skip
    assert find_person(store, case.person).connections == ()


def test_neither_a_part_in_use_nor_the_text_of_a_deletion_names_whom_it_concerned(
    store: Store, case: Case
) -> None:
    """Parts are written anew: no mask hides rows that are still there."""
    forget(store, case.person)
    paths = rows(store, "SELECT path, has_lightweight_delete FROM system.parts WHERE active")
    assert not any(row["has_lightweight_delete"] for row in paths)
    for table in TABLES:
        for words in recorded_ids(case.person):
            found = f"position(formatRow('JSONEachRow', *), '{words}') > 0"
            held = rows(store, f"SELECT count() AS n FROM {table.name} WHERE {found}")
            assert held == [{"n": 0}], table.name
    commands = " ".join(str(row["command"]) for row in rows(store, "SELECT command FROM system.mutations"))
    assert "forgetting_" in commands
    for words in (*recorded_ids(case.person), *(each.id for each in case.connections)):
        assert words not in commands
    assert rows(store, f"SELECT name FROM system.tables WHERE startsWith(name, '{WORK_TABLES}')") == []


def test_what_was_summed_up_goes_and_a_shared_session_is_summed_up_anew(store: Store, unique: str) -> None:
    cy, neighbour = (Process().connection(f"shared {unique}") for _ in range(2))
    insert(store, cy.started(USER_ID=f"cy {unique}"), neighbour.started(USER_ID=f"bob {unique}"))
    for connection in (cy, neighbour):
        one = f"unhex('{connection.id}')"
        store.command(f"INSERT INTO settled_turns (connection_id, started_at) SELECT {one}, now()")
        store.command(f"INSERT INTO settled_usage (connection_id, hour) SELECT {one}, now()")
    ids = f"[toFixedString(unhex('{neighbour.id}'), 16), toFixedString(unhex('{cy.id}'), 16)]"
    store.command(
        "INSERT INTO settled_sessions (session_id, user_id, connection_ids, started_at)"
        f" SELECT 'shared {unique}', 'bob {unique}', {ids}, now()"
    )
    arrived = f"SELECT max(arrived_at) AS at FROM connections WHERE connection_id = unhex('{neighbour.id}')"
    told = f"SELECT * FROM live_connections WHERE connection_id = '{neighbour.id}'"
    before, said_before = rows(store, arrived), rows(store, told)

    forget(store, f"cy {unique}")

    for table in ("settled_turns", "settled_usage"):
        left = rows(
            store,
            f"SELECT lower(hex(connection_id)) AS id FROM {table} FINAL"
            f" WHERE connection_id IN (unhex('{cy.id}'), unhex('{neighbour.id}'))",
        )
        assert left == [{"id": neighbour.id}]
    assert rows(store, f"SELECT 1 FROM settled_sessions WHERE session_id = 'shared {unique}'") == []
    assert str(rows(store, arrived)[0]["at"]) > str(before[0]["at"])
    assert rows(store, told) == said_before


# Sums up, forgets, and looks at what is said of the others before and after, and when all is summed up anew.
SETTLED = """
import json, sys
from pathlib import Path
from livemeter_collector.prices.load import load_prices
from livemeter_collector.store.migrate import migrate
from livemeter_collector.store.open import open_embedded
from livemeter_collector.store.settle import rebuild, settle
from tests.collector.commands.test_forget import figures, forget, insert_case
from tests.collector.sql.telemetry import rows

store = open_embedded(Path(sys.argv[1]))
migrate(store)
load_prices(store)
case = insert_case(store, "x")
settle(store, margin_s=0)
# It counts two seconds after it was made.
store.command("INSERT INTO settlements SELECT max(upto), now64(3) - INTERVAL 1 MINUTE FROM settlements")
shared = "SELECT * FROM live_sessions WHERE session_id = 'shared x'"
def said():
    (row,) = rows(store, shared)
    return [row[name] for name in ("user_id", "connections", "turns", "input_tokens", "tool_calls")]
told = [rows(store, "SELECT count() AS n FROM settled_sessions FINAL")[0]["n"]]
told += [said(), figures(store, case, of_others=True)]
forget(store, case.person)
told += [said(), figures(store, case, of_others=True)]
rebuild(store, margin_s=0)
told += [said(), figures(store, case, of_others=True), figures(store, case, of_others=False)["live_turns"]]
print(json.dumps(told))
store.close()
"""


def test_figures_of_others_are_right_before_and_after_they_are_summed_up_again(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", SETTLED, str(tmp_path / "data")],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    settled, before, others, after, others_after, rebuilt, others_rebuilt, left = json.loads(ran.stdout)
    assert settled > 0
    assert before[1:] == [2, 2, 2000, 2]
    assert after == rebuilt == [hashed("bob x"), 1, 1, 1000, 1]
    assert others == others_after == others_rebuilt
    assert left == [0, 0]


def test_a_dry_run_counts_and_changes_nothing(store: Store, case: Case) -> None:
    before = figures(store, case, of_others=False)
    (kept,) = forgetting(store, None, case.person, lambda: 1 // 0, dry_run=True)
    assert isinstance(kept, Kept)
    assert figures(store, case, of_others=False) == before
    assert kept.rows == forget(store, case.person).rows


def test_what_an_interrupted_deletion_left_is_done_with_the_next(store: Store, case: Case) -> None:
    """Whom it concerned is still written down: the rows go although nobody names that person again."""
    work = f"{WORK_TABLES}0badcafe"
    store.command(
        f"CREATE TABLE {work} (user_id String, connection_id FixedString(16))"
        " ENGINE = MergeTree ORDER BY tuple()"
    )
    store.command(f"INSERT INTO {work} (user_id) VALUES ('{case.person}')")
    store.command(f"INSERT INTO {work} (connection_id) SELECT unhex('{case.connections[1].id}')")

    forget(store, f"nobody {new_id()}")

    found = rows(store, f"SELECT * FROM usage WHERE user_id = '{case.person}'")
    went_on = rows(store, f"SELECT * FROM live_connections WHERE connection_id = '{case.connections[1].id}'")
    assert (found, went_on) == ([], [])
    assert rows(store, f"EXISTS TABLE {work}") == [{"result": 0}]


def test_a_batch_that_comes_again_is_skipped_as_long_as_its_token_is_known(store: Store, unique: str) -> None:
    """Deletion keeps nothing out for good: what is stored as a batch of its own is known again."""
    body = Process().connection().usage(10, USER_ID=f"ana {unique}").SerializeToString()
    told = f"SELECT * FROM usage WHERE user_id = 'ana {unique}'"
    store.insert_otlp(Signal.LOGS, body, unique)
    forget(store, f"ana {unique}")
    store.insert_otlp(Signal.LOGS, body, unique)
    assert rows(store, told) == []
    store.insert_otlp(Signal.LOGS, body, f"{unique} as another batch")
    assert len(rows(store, told)) == 1


# Orders a deletion that the engine does not get to, and dies.
DIES = """
import os, sys
from pathlib import Path
from livemeter_collector.store.contract import Signal
from livemeter_collector.store.forget import delete_rows, find_person
from livemeter_collector.store.migrate import migrate
from livemeter_collector.store.open import open_embedded
from tests.collector.sql.telemetry import Process, insert

store = open_embedded(Path(sys.argv[1]))
migrate(store)
insert(store, *(Process().connection().usage(10, USER_ID=user) for user in ("ana", "bob")))
store.command("SYSTEM STOP MERGES")
done, total = next(delete_rows(store, find_person(store, "ana")))
assert (done, total) == (0, total) and total > 0, (done, total)
assert len(store.query("SELECT * FROM usage").rows) == 2
print("ordered", flush=True)
os._exit(1)
"""

# Opens the directory, and forgets nobody in particular once the engine has gone on.
GOES_ON = """
import json, sys, time
from pathlib import Path
from livemeter_collector.forgetting import forgetting
from livemeter_collector.store.open import open_embedded

store = open_embedded(Path(sys.argv[1]))
users = "SELECT DISTINCT user_id FROM usage UNION DISTINCT SELECT user_id FROM connections"
deadline = time.monotonic() + 60
while len(store.query(users).rows) > 1 and time.monotonic() < deadline:
    time.sleep(0.1)
left = store.query(users).rows
tables = "SELECT count() FROM system.tables WHERE startsWith(name, 'forgetting_')"
before = store.query(tables).rows[0][0]
list(forgetting(store, None, "nobody", lambda: 0, dry_run=False))
print(json.dumps([left, before, store.query(tables).rows[0][0]]))
store.close()
"""


def test_an_engine_that_was_killed_goes_on_when_it_starts_again(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    died, went_on = (
        subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / "data")],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        for code in (DIES, GOES_ON)
    )
    assert died.stdout == "ordered\n", died.stderr
    assert json.loads(went_on.stdout) == [[["bob"]], 1, 0], went_on.stderr


# --- The verb, and a collector's directory. ---


def livemeter(*words: object) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own: chDB opens one directory in each."""
    return subprocess.run(
        [sys.executable, "-m", "livemeter.cli", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def costs(data: Path, user: str = "") -> dict[str, object]:
    done = livemeter("costs", "--by", "user", "--json", "--data", data)
    found = {row["user"]: row["usd"] for row in json.loads(done.stdout)["rows"]}
    return {name: usd for name, usd in found.items() if not user or name == user}


def request_of(user: str) -> bytes:
    return Process().connection().usage(10, USER_ID=user).SerializeToString()


def letter_of(body: bytes) -> DeadLetter:
    return DeadLetter(Signal.LOGS, body, 1, "a test", time.time_ns(), time.time_ns())


def test_a_running_collector_forgets_over_its_socket(tmp_path: Path) -> None:
    with serving(tmp_path / "data", "seeded") as data:
        letters = DeadLetters(data / DIRECTORY)
        # One is damaged, and one is of somebody whose id is contained in another's.
        for body in (request_of("ana") + b"\xff", request_of("banana")):
            letters.set_aside(letter_of(body))
        before = costs(data)
        dry = livemeter("forget", "--user", "ana", "--dry-run", "--data", data)
        refused = livemeter("forget", "--user", "ana", "--data", data)
        done = livemeter("forget", "--user", "ana", "--yes", "--json", "--data", data)
        after = costs(data)
        nothing = livemeter("forget", "--user", "ana", "--yes", "--data", data)

    assert "ana" in before
    assert after == {name: usd for name, usd in before.items() if name != "ana"}
    assert dry.returncode == 0
    assert "connections" in dry.stdout
    assert (refused.returncode, refused.stderr.splitlines()[-1]) == (
        1,
        "livemeter: what is deleted cannot be had back: say --yes where nobody can be asked",
    )
    said = json.loads(done.stdout)
    assert (said["forgotten"], said["connections"], said["dead_letters"]) == (True, 2, 1)
    assert len(letters.list().letters) == 1
    assert (nothing.returncode, nothing.stdout) == (0, "")
    assert "nothing is kept of 'ana'" in nothing.stderr


def test_a_stopped_collector_s_journal_is_stored_first_and_forgotten_with_the_rest(tmp_path: Path) -> None:
    with serving(tmp_path / "data", "seeded") as data:
        before = costs(data)
    body = request_of(hashed("ana"))
    journal = Journal(data / "journal", read_schema().number)
    journal.append(Signal.LOGS, [Entry(body, 1, time.time_ns(), digest_of(body))])
    journal.close()

    dry = livemeter("forget", "--user", "ana", "--dry-run", "--data", data)
    done = livemeter("forget", "--user", "ana", "--yes", "--json", "--data", data)

    assert "1 segments of the journal are not in the store yet" in dry.stderr
    assert json.loads(done.stdout)["connections"] == 3
    assert list((data / "journal").glob("*/*.pb")) == []
    assert costs(data) == {name: usd for name, usd in before.items() if name != "ana"}


def test_what_a_collector_had_accepted_is_waited_for_but_not_for_ever(tmp_path: Path) -> None:
    segment = tmp_path / "journal" / "logs" / "1.pb"
    segment.parent.mkdir(parents=True)
    segment.touch()
    assert settled_by_collector(tmp_path, lambda: False, within_s=0) == 1
    assert settled_by_collector(tmp_path, lambda: True) == 1
    segment.unlink()
    assert settled_by_collector(tmp_path, lambda: False) == 0


def test_a_directory_without_data_is_said_in_a_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["forget", "--user", "ana", "--data", str(tmp_path / "none")]) == 1
    assert capfd.readouterr().err.startswith("livemeter: no livemeter data in ")
    with contextlib.suppress(SystemExit):
        main(["forget"])
    assert "--user" in capfd.readouterr().err
    assert not (tmp_path / "none").exists()
