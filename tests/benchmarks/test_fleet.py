"""The generated fleet is what the instrumentation would have sent, whole, and the same in any size."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benchmarks.fleet import make_fleet, read_fleet
from benchmarks.fleet_events import FUNCTIONS, Plan, session_rows
from livemeter.vocabulary import Attribute, Event

if TYPE_CHECKING:
    from livemeter_collector.store.contract import Store

RECORDS = Path(__file__).parents[1] / "instrumentation" / "golden" / "records.json"
"""What the instrumentation sends: a record of each kind with everything that it may tell."""

_FLEET = "FROM livemeter.logs WHERE ResourceAttributes['host.name'] = 'fleet'"
CONNECTIONS = f"(SELECT LogAttributes['{Attribute.CONNECTION_ID}'] {_FLEET})"
EMITTERS = f"(SELECT LogAttributes['{Attribute.EMITTER_ID}'] {_FLEET})"
COMMON = {
    Attribute.CONNECTION_ID,
    Attribute.SESSION_ID,
    Attribute.EMITTER_ID,
    Attribute.EMITTER_SEQ,
    Attribute.PROVIDER,
    Attribute.PLATFORM,
    Attribute.MODEL,
    Attribute.USER_ID,
}


@pytest.fixture
def functions(store: "Store") -> Iterator[None]:
    for name, text in FUNCTIONS.items():
        store.command(f"CREATE OR REPLACE FUNCTION {name} AS {text}")
    yield
    for name in FUNCTIONS:
        store.command(f"DROP FUNCTION {name}")


def test_it_has_the_sessions_and_frames_that_were_planned(store: "Store", plan: Plan) -> None:
    """Those that another process went on with are one session each, whether or not they have a name."""
    found = store.query(
        f"SELECT uniqExact(session_id), count() > {plan.sessions} FROM livemeter.live_connections"
        f" WHERE connection_id IN {CONNECTIONS}"
    )
    assert found.rows == ((plan.sessions, True),)
    frames = store.query(f"SELECT count() FROM livemeter.live_frames WHERE connection_id IN {CONNECTIONS}")
    assert frames.rows == ((plan.frames,),)


def test_nothing_of_it_is_rejected_or_missing(store: "Store", plan: Plan) -> None:
    rejected = store.query(f"SELECT count() FROM livemeter.rejects WHERE connection_id IN {CONNECTIONS}")
    assert rejected.rows == ((0,),)
    lost = store.query(
        f"SELECT count() > 0, sum(missing) FROM livemeter.live_losses WHERE emitter_id IN {EMITTERS}"
    )
    assert lost.rows == ((True, 0),)
    frames = store.query(
        "SELECT sum(frames_missing), sum(frames_observed) FROM livemeter.live_frame_losses"
        f" WHERE connection_id IN {CONNECTIONS}"
    )
    assert frames.rows == ((0, plan.frames),)


def test_frames_are_numbered_as_they_came(store: "Store", plan: Plan) -> None:
    frames = f"SELECT * FROM livemeter.live_frames WHERE connection_id IN {CONNECTIONS} ORDER BY seq"
    disorder = store.query(
        "SELECT countIf(numbers != range(length(numbers))), countIf(times != arraySort(times)), count() > 0"
        " FROM (SELECT groupArray(seq) AS numbers, groupArray(ts) AS times"
        f" FROM ({frames}) GROUP BY connection_id)"
    )
    assert disorder.rows == ((0, 0, True),)


def test_all_of_it_was_before_its_end(store: "Store", plan: Plan) -> None:
    late = store.query(
        f"SELECT countIf(last_event_at > fromUnixTimestamp64Milli({plan.end_ms}))"
        f" FROM livemeter.live_connections WHERE connection_id IN {CONNECTIONS}"
    )
    assert late.rows == ((0,),)


def test_events_tell_nothing_that_the_instrumentation_does_not_tell(store: "Store", plan: Plan) -> None:
    told = store.query(
        f"SELECT EventName, groupUniqArrayArray(mapKeys(LogAttributes)) {_FLEET} GROUP BY EventName"
    ).rows
    golden: dict[str, set[str]] = {}
    for record in json.loads(RECORDS.read_text("utf-8")):
        golden.setdefault(record["event"], set()).update(record["attributes"])
    assert {Event.CONNECTION_STARTED, Event.USAGE, Event.TURN, Event.CONNECTION_CLOSED} <= {
        event for event, _ in told
    }
    for event, names in told:
        assert isinstance(names, list)
        labels = {name for name in names if name.startswith(Attribute.LABEL_PREFIX)}
        unknown = {*names} - labels - COMMON - golden[str(event)]
        assert unknown <= _WHERE_IT_APPLIES.get(str(event), set()), event


_WHERE_IT_APPLIES: dict[str, set[str]] = {
    # Told of other closes and calls than the golden one.
    Event.CONNECTION_CLOSED: {
        Attribute.CLOSE_REASON,
        Attribute.ERROR_TYPE,
        Attribute.DIAGNOSIS,
        Attribute.CAUSE,
        Attribute.HINT,
        Attribute.RETRY_CLASS,
        Attribute.CATALOGUE_VERSION,
    },
    Event.USAGE: {Attribute.SERVICE_TIER},
    Event.RESUMPTION: {Attribute.HANDLE_HASHES},
}


@pytest.mark.usefixtures("functions")
def test_a_tenth_over_a_tenth_of_the_days_is_the_newest_tenth(store: "Store") -> None:
    end_ms = 1_790_000_000_000
    whole = store.query(session_rows(Plan(500, 500_000, 30, end_ms), 0, 50))
    tenth = store.query(session_rows(Plan(50, 50_000, 3, end_ms), 0, 50))
    assert len(whole.rows) == 50
    assert whole == tenth


def test_nothing_is_left_of_generating(store: "Store", plan: Plan) -> None:
    left = store.query(
        "SELECT count() FROM (SELECT name FROM system.databases UNION ALL SELECT name FROM system.functions)"
        " WHERE startsWith(name, 'fleet')"
    )
    assert left.rows == ((0,),)


def test_what_is_no_fleet_stays_as_it_is(tmp_path: Path) -> None:
    """Somebody's data directory, or a fleet of another size, is not emptied."""
    plan = Plan(10, 100, 1, 1_790_000_000_000)
    somebody = tmp_path / "data" / "clickhouse"
    somebody.mkdir(parents=True)
    with pytest.raises(SystemExit, match="is no fleet"):
        make_fleet(tmp_path / "data", plan)
    assert somebody.is_dir()

    (tmp_path / "fleet").mkdir()
    (tmp_path / "fleet" / "fleet.json").write_text(json.dumps({**asdict(plan), "sessions": 11}))
    with pytest.raises(SystemExit, match="another fleet"):
        make_fleet(tmp_path / "fleet", plan)
    assert read_fleet(tmp_path / "fleet") == Plan(11, 100, 1, plan.end_ms)


def test_a_fleet_that_is_there_is_kept(tmp_path: Path) -> None:
    plan = Plan(10, 100, 1, 1_790_000_000_000)
    (tmp_path / "fleet.json").write_text(json.dumps(asdict(plan)))
    make_fleet(tmp_path, plan)
    assert [file.name for file in tmp_path.iterdir()] == ["fleet.json"]
