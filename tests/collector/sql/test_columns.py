"""What connections, turns and tool calls tell, column by column; what nobody told is NULL."""

import datetime as dt
import json

from livemeter.vocabulary import Attribute, Event
from livemeter_collector.store.contract import Store
from tests.collector.sql.telemetry import NOW_MS, Process, Row, insert, insert_each, row_of, rows

A = Attribute
CONFIG = '{"model":"gemini-3.8-live","tools":["score"],"labels":{"a":"b"}}'

SETUP: dict[str, str | int | float | bool] = {
    A.THINKING_BUDGET: -1,
    A.THINKING_LEVEL: "low",
    A.SETUP_LABELS: '{"team":"lessons","region":"é"}',
    A.SETUP_BYTES: 2_345,
    A.INSTRUCTION_BYTES: 1_200,
    A.INSTRUCTION_HASH: "ab" * 16,
    A.COMPRESSION: True,
    A.COMPRESSION_TRIGGER_TOKENS: 100_000,
    A.COMPRESSION_TARGET_TOKENS: 50_000,
    A.DECLARED_TOOLS: '["score","finish"]',
    A.FRAMEWORK_NAME: "livekit-plugins-google",
    A.FRAMEWORK_VERSION: "1.2.3",
    A.PYTHON_VERSION: "3.11.9",
    A.OS_TYPE: "linux",
    A.PING_INTERVAL_S: 20.0,
    A.PING_TIMEOUT_S: 12.5,
}
CLOSE: dict[str, str | int | float | bool] = {
    A.EXCEPTION_CHAIN: '["ConnectionClosedError","OSError"]',
    A.APP_PHASE: "scoring",
    A.FRAMES_OBSERVED: 812,
    A.TOOL_CALLS_OPEN: 1,
    A.PINGS_SENT: 7,
    A.PINGS_MISSED: 2,
    A.PING_P50_MS: 21.5,
    A.PING_MAX_MS: 180.25,
    A.LOOP_LAG_MAX_MS: 33.75,
}
OF_SETUP: Row = {
    "thinking_budget": -1,
    "thinking_level": "low",
    "setup_labels": {"team": "lessons", "region": "é"},
    "setup_bytes": 2_345,
    "setup_config": CONFIG,
    "instruction_bytes": 1_200,
    "instruction_hash": "ab" * 16,
    "compression_trigger_tokens": 100_000,
    "compression_target_tokens": 50_000,
    "declared_tools": '["score","finish"]',
    "framework_name": "livekit-plugins-google",
    "framework_version": "1.2.3",
    "python_version": "3.11.9",
    "os_type": "linux",
    "ping_interval_s": 20.0,
    "ping_timeout_s": 12.5,
}
OF_CLOSE: Row = {
    "exception_chain": ["ConnectionClosedError", "OSError"],
    "app_phase": "scoring",
    "frames": 812,
    "tool_calls_open": 1,
    "pings_sent": 7,
    "pings_missed": 2,
    "ping_p50_ms": 21.5,
    "ping_max_ms": 180.25,
    "loop_lag_max_ms": 33.75,
}
UNTOLD: Row = {
    **dict.fromkeys((*OF_SETUP, *OF_CLOSE)),
    "setup_labels": {},
    "setup_config": "",
    "exception_chain": [],
    "outcome": None,
    "outcome_detail": None,
    "outcome_at": None,
    "app_phases": [],
    "expected_tools": [],
}


def part(row: Row, names: Row) -> Row:
    return {name: row[name] for name in names}


def test_a_connection_has_its_setup_its_versions_and_its_health(store: Store) -> None:
    connection = Process().connection()
    started = connection.event(Event.CONNECTION_STARTED, SETUP, CONFIG)
    closed = connection.event(Event.CONNECTION_CLOSED, CLOSE)
    # Whatever else comes, in whatever order, takes nothing of it away.
    insert_each(store, [closed, connection.turn(), started, connection.turn()])

    row = row_of(store, "livemeter.live_connections", connection)
    assert part(row, OF_SETUP) == OF_SETUP
    assert part(row, OF_CLOSE) == OF_CLOSE
    close = row_of(store, "livemeter.live_closes", connection)
    shared = {name: value for name, value in (OF_SETUP | OF_CLOSE).items() if name in close}
    assert shared.keys() >= OF_CLOSE.keys() - {"frames"}
    assert part(close, shared) == shared


def test_a_setup_that_was_refused_is_told_with_the_close(store: Store) -> None:
    connection = Process().connection()
    insert(store, connection.event(Event.CONNECTION_CLOSED, {**SETUP, **CLOSE, A.PHASE: "setup"}, CONFIG))

    row = row_of(store, "livemeter.live_connections", connection)
    assert part(row, OF_SETUP) == OF_SETUP
    assert row["started_at"] is None


def test_what_a_connection_did_not_tell_is_not_known(store: Store) -> None:
    connection = Process().connection()
    insert(store, connection.turn())

    assert part(row_of(store, "livemeter.live_connections", connection), UNTOLD) == UNTOLD


def test_an_event_without_a_connection_makes_none(store: Store) -> None:
    process = Process()
    insert(store, process.record(Event.DROPPED_RECORDS, {A.DROPPED_COUNT: 3, A.DROPPED_REASON: "queue_full"}))

    assert not rows(store, "SELECT 1 FROM livemeter.live_connections WHERE connection_id = repeat('0', 32)")


def test_phases_expectations_and_the_outcome_are_what_the_application_said(store: Store) -> None:
    process = Process()
    first = process.connection()
    second = process.connection(first.id)
    insert_each(
        store,
        [
            second.event(
                Event.OUTCOME, {A.OUTCOME: "scored", A.OUTCOME_DETAIL: "4 of 5", A.TURN: 2}, at_ms=5000
            ),
            first.event(Event.OUTCOME, {A.OUTCOME: "began"}, at_ms=20),
            second.event(Event.PHASE, {A.APP_PHASE: "scoring"}, at_ms=4000),
            first.event(Event.PHASE, {A.APP_PHASE: "talking"}, at_ms=10),
            first.event(Event.PHASE, {A.APP_PHASE: "warm-up"}, at_ms=5),
            first.event(Event.EXPECTATION, {A.EXPECTED_TOOLS: '["score"]'}, at_ms=6),
            first.event(Event.EXPECTATION, {A.EXPECTED_TOOLS: '["finish","score"]'}, at_ms=7),
            first.started(),
            second.started(3000),
        ],
    )

    row = row_of(store, "livemeter.live_connections", first)
    assert (row["outcome"], row["outcome_detail"], row["app_phase"]) == ("began", None, "talking")
    assert sorted(row["expected_tools"]) == ["finish", "score"]  # type: ignore[call-overload]
    at = dt.datetime.fromtimestamp((NOW_MS + 20) / 1000, dt.UTC)
    assert abs(row["outcome_at"] - at) < dt.timedelta(milliseconds=2)  # type: ignore[operator]
    (session,) = rows(
        store, "SELECT * FROM livemeter.live_sessions WHERE session_id = {id:String}", id=first.id
    )
    assert (session["outcome"], session["outcome_detail"]) == ("scored", "4 of 5")
    assert session["app_phases"] == ["warm-up", "talking", "scoring"]


def test_a_session_has_the_framework_of_its_newest_connection_that_told_one(store: Store) -> None:
    process = Process()
    first = process.connection()
    later = process.connection(first.id)
    insert(store, first.event(Event.CONNECTION_STARTED, {**SETUP, A.OPENED_AT: NOW_MS}), later.started(9000))

    (session,) = rows(
        store, "SELECT * FROM livemeter.live_sessions WHERE session_id = {id:String}", id=first.id
    )
    assert (session["framework_name"], session["framework_version"]) == ("livekit-plugins-google", "1.2.3")


def test_a_turn_has_what_was_added_later(store: Store) -> None:
    connection = Process().connection()
    told = connection.turn(
        COMPLETE_REASON="RESPONSE_REJECTED",
        GENERATION_COMPLETE=True,
        BEGAN_WHILE_USER_SPOKE=False,
        FLUSHES=3,
        TRANSCRIPT_LONGEST_GAP_MS=1250.5,
        APP_PHASE="scoring",
    )
    insert(store, told)

    row = row_of(store, "livemeter.live_turns", connection)
    expected: Row = {
        "complete_reason": "RESPONSE_REJECTED",
        "generation_complete": True,
        "began_while_user_spoke": False,
        "flushes": 3,
        "transcript_longest_gap_ms": 1250.5,
        "app_phase": "scoring",
    }
    assert part(row, expected) == expected


def test_a_turn_of_an_older_emitter_does_not_know(store: Store) -> None:
    connection = Process().connection()
    insert(store, connection.turn())

    row = row_of(store, "livemeter.live_turns", connection)
    names = ("generation_complete", "began_while_user_spoke", "flushes", "transcript_longest_gap_ms")
    assert [row[name] for name in names] == [None] * 4
    assert (row["complete_reason"], row["app_phase"]) == ("", "")


def test_a_tool_call_has_findings_scheduling_and_content(store: Store) -> None:
    connection, bare = Process().connection(), Process().connection()
    insert(
        store,
        connection.tool_call(
            TOOL_ENCODING='["non_ascii","json_in_string"]',
            TOOL_SCHEDULING="WHEN_IDLE",
            TOOL_WILL_CONTINUE=True,
            TOOL_ARGUMENTS='{"answer":"café"}',
            TOOL_RESULT='{"score":4}',
        ),
        bare.tool_call(),
    )

    row = row_of(store, "livemeter.live_tool_calls", connection)
    assert row["encoding"] == ["non_ascii", "json_in_string"]
    assert (row["scheduling"], row["will_continue"]) == ("WHEN_IDLE", True)
    assert json.loads(str(row["arguments"])) == {"answer": "café"}
    assert row["result"] == '{"score":4}'
    row = row_of(store, "livemeter.live_tool_calls", bare)
    assert (row["encoding"], row["scheduling"], row["will_continue"]) == ([], "", None)
    assert (row["arguments"], row["result"]) == ("", "")


def test_times_beyond_belief_are_clamped_wherever_they_are_told(store: Store) -> None:
    """The year 5138 in milliseconds is more than a time's type holds."""
    connection = Process().connection()
    far = 99_999_999_999_999
    insert(
        store,
        connection.turn(TURN_STARTED_AT=far),
        connection.tool_call(TOOL_RESPONDED_AT=-far),
        connection.closed(OPENED_AT=far, LAST_SENT_AT=2**63 - 1, LAST_RECEIVED_AT=-(2**63)),
    )

    now = dt.datetime.now(dt.UTC)
    row = row_of(store, "livemeter.live_connections", connection)
    times = [row["opened_at"], row["last_sent_at"], row["last_received_at"]]
    times += [row_of(store, "livemeter.live_turns", connection)["started_at"]]
    times += [row_of(store, "livemeter.live_tool_calls", connection)["responded_at"]]
    assert all(isinstance(time, dt.datetime) for time in times)
    assert all(abs(time - now) < dt.timedelta(days=401) for time in times)  # type: ignore[operator]
