"""Declared tools, transcripts and losses, from events as they come."""

import random

import pytest

from livemeter.vocabulary import Attribute, Event
from livemeter_collector.store.contract import Store
from tests.collector.sql.telemetry import (
    Process,
    Row,
    insert,
    insert_each,
    join_sessions,
    new_id,
    rows,
)

A = Attribute


def of_session(store: Store, view: str, session: str, order: str) -> list[Row]:
    sql = f"SELECT * FROM livemeter.{view} WHERE session_id = {{id:String}} ORDER BY {order}"
    return rows(store, sql, id=session)


def losses(store: Store, process: Process) -> Row:
    (row,) = rows(
        store, "SELECT * FROM livemeter.live_losses WHERE emitter_id = {id:String}", id=process.emitter_id
    )
    return row


def test_declared_tools_are_counted_over_the_sessions_connections(store: Store) -> None:
    process = Process()
    first = process.connection()
    second = process.connection(first.id)
    insert(
        store,
        first.started(DECLARED_TOOLS='["score","finish"]'),
        second.started(5000, DECLARED_TOOLS='["score","hint"]'),
        second.event(Event.EXPECTATION, {A.EXPECTED_TOOLS: '["score","undeclared"]'}),
        first.tool_call("score"),
        second.tool_call("score"),
        second.tool_call("hint", TOOL_STATUS="cancelled"),
        second.tool_call("unheard-of"),
        # An answer that met no call is none.
        second.event(Event.TOOL_CALL, {A.TOOL_NAME: "finish", A.TOOL_ID_MATCH: "no"}),
    )

    found = of_session(store, "live_declared_tools", first.id, "name")
    assert [tuple(row.values())[1:] for row in found] == [
        ("finish", True, False, 0),
        ("hint", True, False, 1),
        ("score", True, True, 2),
        ("undeclared", False, True, 0),
    ]


def test_transcripts_are_pieces_in_their_order(store: Store) -> None:
    connection = Process().connection()
    insert(
        store,
        connection.event(
            Event.TRANSCRIPT,
            {A.TRANSCRIPT_SIDE: "output", A.TURN: 2, A.CONTENT_TRUNCATED: True},
            "Bonj",
            at_ms=20,
        ),
        connection.event(Event.TRANSCRIPT, {A.TRANSCRIPT_SIDE: "input", A.TURN: 2}, "salut ça va", at_ms=10),
        connection.turn(),
    )

    found = of_session(store, "live_transcripts", connection.id, "ts")
    assert [(row["connection_id"], row["turn"], row["side"], row["text"]) for row in found] == [
        (connection.id, 2, "input", "salut ça va"),
        (connection.id, 2, "output", "Bonj"),
    ]
    assert [row["truncated"] for row in found] == [False, True]


def test_an_emitter_of_which_all_arrived_has_no_loss(store: Store) -> None:
    """Frames are numbered with all the rest; an event that comes again is the same one."""
    process = Process("counted")
    connection = process.connection()
    events = [
        connection.started(),
        connection.packed([(0, "sent", "setup", (), 1, 0, 0, 0)]),
        *connection.frame_records([(0, "sent", "setup", (), 1, 0, 0, 0)]),
        connection.turn(at_ms=900),
    ]
    for _ in range(2):
        insert(store, *events)

    row = losses(store, process)
    assert (row["app"], row["received"], row["expected"], row["missing"]) == ("counted", 4, 4, 0)
    assert row["dropped"] == {}
    assert row["first_event_at"] < row["last_event_at"]  # type: ignore[operator]


@pytest.mark.parametrize("seed", range(3))
def test_what_did_not_arrive_is_missing_whatever_the_order(store: Store, seed: int) -> None:
    dice = random.Random(seed)
    process = Process()
    connection = process.connection()
    events = [connection.turn() for _ in range(200)]
    lost = set(dice.sample(range(199), 30))
    arrived = [event for number, event in enumerate(events) if number not in lost]
    dice.shuffle(arrived)
    for part in (arrived[:100], arrived[100:], arrived[50:150]):
        insert(store, *part)

    row = losses(store, process)
    assert (row["received"], row["expected"], row["missing"]) == (170, 200, 30)


def test_the_first_events_are_missed_too(store: Store) -> None:
    process = Process()
    connection = process.connection()
    *_, last = [connection.turn() for _ in range(3)]
    insert(store, last)

    assert losses(store, process)["missing"] == 2


def test_what_an_emitter_says_it_lost_is_added_up_by_reason_and_once(store: Store) -> None:
    process = Process()
    told = [
        process.record(Event.DROPPED_RECORDS, {A.DROPPED_REASON: reason, A.DROPPED_COUNT: count})
        for reason, count in (("queue_full", 3), ("export_failed", 4), ("queue_full", 5))
    ]
    insert(store, *told)
    insert_each(store, told)

    row = losses(store, process)
    assert (row["dropped"], row["received"]) == ({"queue_full": 8, "export_failed": 4}, 3)


def test_numbers_that_are_none_or_absurd_are_no_event(store: Store) -> None:
    process = Process()
    connection = process.connection()
    insert(
        store,
        connection.turn(),
        *(connection.turn(EMITTER_SEQ=number) for number in (str(2**64 - 1), str(2**53), -1, "x", "", 1.5)),
    )

    row = losses(store, process)
    assert (row["received"], row["expected"], row["missing"]) == (1, 1, 0)


def seeded(store: Store) -> str:
    """One application: a session over two processes with something in every view, and a bare close."""
    app = new_id()
    first, second, bare = (Process(app).connection() for _ in range(3))
    handle = new_id()
    insert(
        store,
        first.started(DECLARED_TOOLS='["score"]'),
        first.given(handle),
        first.usage(100, 10, at_ms=10),
        first.closed(1000),
        second.started(2000, handle),
        second.packed([(0, "sent", "audio", (), 1, 20, 16_000, 1)]),
        second.usage(50, 10, at_ms=2500, FIRST_AFTER_RESUME=True),
        second.turn(2600),
        second.turn(2700, TURN=2),
        second.tool_call(at_ms=2800),
        second.event(Event.TRANSCRIPT, {A.TRANSCRIPT_SIDE: "input"}, "hello"),
        bare.closed(),
    )
    join_sessions(store)
    return app


VIEWS = [
    "live_sessions",
    "live_connections",
    "live_closes",
    "live_turns",
    "live_frames",
    "live_usage",
    "live_costs",
    "live_session_costs",
    "live_tool_calls",
    "live_declared_tools",
    "live_events",
    "live_transcripts",
    "live_frame_losses",
]


@pytest.fixture(scope="module")
def app(store: Store) -> str:
    return seeded(store)


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_reads_alike_with_and_without_join_use_nulls_and_read_only(
    store: Store, app: str, view: str
) -> None:
    """A read-only reader's setting wins over any that a view could make."""
    sessions = f"SELECT session_id FROM livemeter.live_connections WHERE app = '{app}'"
    sql = f"SELECT * FROM livemeter.{view} WHERE session_id IN ({sessions}) ORDER BY ALL"
    plain = store.query(sql).rows
    assert plain
    assert store.query(f"{sql} SETTINGS join_use_nulls = 1").rows == plain
    formats = [
        b"".join(store.stream(f"{sql}{more}", "JSONEachRow")) for more in ("", " SETTINGS join_use_nulls = 0")
    ]
    assert formats[0] == formats[1]
    assert formats[0].count(b"\n") == len(plain)


def test_losses_read_alike_with_and_without_join_use_nulls(store: Store, app: str) -> None:
    sql = f"SELECT * FROM livemeter.live_losses WHERE app = '{app}' ORDER BY emitter_id"
    assert store.query(f"{sql} SETTINGS join_use_nulls = 1").rows == store.query(sql).rows
