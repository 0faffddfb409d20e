"""A session that goes on in another process: one session, in every view, whatever came first."""

import itertools
import random
from collections.abc import Sequence

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from livemeter.vocabulary import Attribute, Event
from livemeter_collector.store.contract import Store
from tests.collector.sql.telemetry import (
    NOW_MS,
    Connection,
    Process,
    Row,
    insert,
    insert_each,
    join_sessions,
    new_id,
    row_of,
    rows,
)

VIEWS = (
    "live_connections",
    "live_closes",
    "live_turns",
    "live_usage",
    "live_costs",
    "live_tool_calls",
    "live_frames",
    "live_events",
    "live_transcripts",
    "live_frame_losses",
)
"""Every view that has both a connection's id and its session's."""

FRAME = (0, "received", "audio", (), 100, 20, 24_000, 1)


def everything(connection: Connection, handle: str = "", at_ms: float = 0) -> list[ExportLogsServiceRequest]:
    """All that a connection can tell; ``handle`` is what it was opened with."""
    return [
        connection.started(at_ms, handle),
        connection.packed([FRAME]),
        connection.usage(10, at_ms=at_ms + 1),
        connection.turn(at_ms + 2),
        connection.tool_call(at_ms=at_ms + 3),
        connection.event(Event.TRANSCRIPT, {Attribute.TRANSCRIPT_SIDE: "input"}, "hello", at_ms + 4),
        connection.closed(at_ms + 5, handle),
    ]


def sessions_of(store: Store, connections: Sequence[Connection], view: str = "live_connections") -> list[str]:
    """Each connection's session, as one view has it."""
    found = [
        rows(
            store,
            f"SELECT DISTINCT session_id FROM livemeter.{view} WHERE connection_id = {{id:String}}",
            id=connection.id,
        )
        for connection in connections
    ]
    assert all(len(each) == 1 for each in found), view
    return [str(row["session_id"]) for (row,) in found]


def session_row(store: Store, session: str) -> Row:
    (row,) = rows(store, "SELECT * FROM livemeter.live_sessions WHERE session_id = {id:String}", id=session)
    return row


def test_every_view_has_the_session_of_the_first_process(store: Store) -> None:
    first, second = Process().connection(), Process().connection()
    handle = new_id()
    insert(store, *everything(first), first.given(handle))
    insert(store, *everything(second, handle, at_ms=2000))
    join_sessions(store)

    for view in VIEWS:
        assert sessions_of(store, [first, second], view) == [first.id, first.id], view
    session = session_row(store, first.id)
    assert (session["connections"], session["reconnects"], session["turns"]) == (2, 1, 2)
    assert (session["tool_calls"], session["input_tokens"]) == (2, 20)
    assert not rows(
        store, "SELECT 1 FROM livemeter.live_sessions WHERE session_id = {id:String}", id=second.id
    )
    (costs,) = rows(
        store, "SELECT * FROM livemeter.live_session_costs WHERE session_id = {id:String}", id=first.id
    )
    assert costs["quantity"] == 20


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_the_order_in_which_events_arrive_is_nothing_to_the_session(
    store: Store, order: tuple[int, ...]
) -> None:
    """A child may come before its parent's handle, and both before anything else of them."""
    first, second = Process().connection(), Process().connection()
    handle = new_id()
    events = [first.given(handle), second.started(1000, handle), second.usage(7)]
    insert_each(store, [events[place] for place in order])
    join_sessions(store)

    assert sessions_of(store, [first, second]) == [first.id, first.id]
    assert session_row(store, first.id)["input_tokens"] == 7


@pytest.mark.parametrize("way", ["packed", "list", "change"])
def test_handles_are_read_wherever_they_are_told(store: Store, way: str) -> None:
    first, second = Process().connection(), Process().connection()
    handle, others = new_id(), [new_id(), new_id()]
    told = {
        "packed": first.packed([FRAME], handles=[*others, handle]),
        "list": first.given(*others, handle),
        "change": first.event(Event.RESUMPTION, {Attribute.HANDLE_HASH: handle, Attribute.RESUMABLE: True}),
    }
    insert(store, first.started(), told[way], second.started(1000, handle))
    join_sessions(store)

    assert sessions_of(store, [second]) == [first.id]


def test_the_close_tells_of_a_handle_that_the_server_refused(store: Store) -> None:
    """The connection never started; it was an attempt of that session all the same."""
    first, second = Process().connection(), Process().connection()
    handle = new_id()
    insert(store, first.started(), first.given(handle), second.closed(1000, handle, PHASE="setup"))
    join_sessions(store)

    assert sessions_of(store, [second]) == [first.id]


@pytest.mark.parametrize("seed", range(3))
def test_a_chain_of_many_processes_is_one_session(store: Store, seed: int) -> None:
    """Of 130 processes each went on from the one before; their events come in any order."""
    connections = [Process().connection() for _ in range(130)]
    handles = ["", *(new_id() for _ in connections)]
    events = [
        request
        for number, connection in enumerate(connections)
        for request in (
            connection.started(number * 1000, handles[number]),
            connection.given(handles[number + 1], at_ms=number * 1000),
            connection.usage(1),
            connection.closed(number * 1000 + 900, handles[number]),
        )
    ]
    random.Random(seed).shuffle(events)
    insert(store, *events[:200])
    insert(store, *events[200:])
    join_sessions(store)

    session = session_row(store, connections[0].id)
    assert (session["connections"], session["input_tokens"]) == (130, 130)
    last = row_of(store, "livemeter.live_connections", connections[-1])
    assert (last["attempt"], last["resumed_from"]) == (130, connections[-2].id)


@pytest.mark.parametrize("length", [1, 2, 3, 5])
def test_handles_in_a_circle_end(store: Store, length: int) -> None:
    """Nobody's handles point so; whatever comes of it, it comes, and nothing is lost or counted twice."""
    connections = [Process().connection() for _ in range(length)]
    handles = [new_id() for _ in connections]
    for number, connection in enumerate(connections):
        insert(
            store,
            connection.started(0, handles[number]),
            connection.given(handles[(number + 1) % length]),
            connection.usage(1),
        )
    join_sessions(store)

    sessions = sessions_of(store, connections)
    assert set(sessions) <= {connection.id for connection in connections}
    tokens = [session_row(store, session)["input_tokens"] for session in set(sessions)]
    assert sum(tokens) == length  # type: ignore[arg-type]


def test_the_name_that_the_application_gives_wins(store: Store) -> None:
    """A resumed connection that its application named is that session's, not its parent's."""
    name = f"lesson-{new_id()}"
    first, second = Process().connection(), Process().connection(name)
    handle = new_id()
    insert(store, first.started(), first.given(handle), *everything(second, handle, at_ms=1000))
    join_sessions(store)

    assert sessions_of(store, [first, second]) == [first.id, name]


def test_a_nameless_connection_goes_on_in_the_named_session(store: Store) -> None:
    name = f"lesson-{new_id()}"
    first, second = Process().connection(name), Process().connection()
    handle = new_id()
    insert(store, first.started(), first.given(handle), *everything(second, handle, at_ms=1000))
    join_sessions(store)

    for view in VIEWS:
        assert sessions_of(store, [second], view) == [name], view


def test_what_the_second_process_resumes_itself_follows(store: Store) -> None:
    """It calls the session by its own first connection; that one is another's."""
    first, process, third = Process().connection(), Process(), Process()
    second = process.connection()
    again = process.connection(second.id)
    last = third.connection()
    handles = [new_id() for _ in range(3)]
    insert(
        store,
        *everything(last, handles[2], at_ms=9000),
        again.started(6000, handles[1], ATTEMPT=2, RESUMED_FROM=second.id, GAP_MS=40, RECONNECT_DELAY_MS=15),
        again.given(handles[2]),
        *everything(second, handles[0], at_ms=3000),
        second.given(handles[1]),
        *everything(first),
        first.given(handles[0]),
    )
    join_sessions(store)

    assert sessions_of(store, [first, second, again, last]) == [first.id] * 4
    row = row_of(store, "livemeter.live_connections", again)
    # What the process knew itself stands.
    assert (row["resumed_from"], row["gap_ms"], row["reconnect_delay_ms"]) == (second.id, 40, 15)
    told = [row_of(store, "livemeter.live_connections", each) for each in (first, second, again, last)]
    assert [row["attempt"] for row in told] == [1, 2, 3, 4]


def test_a_handle_that_is_given_again_still_leads_to_the_other_process(store: Store) -> None:
    """The server may give the resumed connection the same handle; whose clock is ahead decides nothing."""
    first, second = Process().connection(), Process().connection()
    handle = new_id()
    insert(store, first.given(handle), second.started(1000, handle), second.given(handle, at_ms=-5000))
    join_sessions(store)

    assert sessions_of(store, [first, second]) == [first.id] * 2


def test_what_one_process_resumes_itself_needs_no_handles(store: Store) -> None:
    process = Process()
    first = process.connection()
    second = process.connection(first.id)
    handle = new_id()
    insert(store, first.given(handle), second.started(1000, handle, RESUMED_FROM=first.id, ATTEMPT=2))
    join_sessions(store)

    row = row_of(store, "livemeter.live_connections", second)
    assert (row["session_id"], row["attempt"], row["resumed_from"]) == (first.id, 2, first.id)
    sql = "SELECT 1 FROM livemeter.handles WHERE role = 'resumed' AND connection_id = unhex({id:String})"
    assert not rows(store, sql, id=second.id)


def test_several_attempts_with_one_handle_are_one_session(store: Store) -> None:
    first, refused, taken = (Process().connection() for _ in range(3))
    handle = new_id()
    insert(store, first.started(), first.given(handle), first.closed(1000))
    insert(store, refused.closed(2000, handle, PHASE="setup", OPENED_AT=NOW_MS + 1900))
    insert(store, taken.started(4000, handle))
    join_sessions(store)

    assert sessions_of(store, [refused, taken]) == [first.id] * 2
    assert session_row(store, first.id)["connections"] == 3


def test_a_handle_of_nobody_changes_nothing(store: Store) -> None:
    connection = Process().connection()
    insert(store, *everything(connection, new_id()))
    join_sessions(store)

    row = row_of(store, "livemeter.live_connections", connection)
    assert (row["session_id"], row["resumed"], row["resumed_from"]) == (connection.id, True, "")
    assert (row["attempt"], row["gap_ms"], row["reconnect_delay_ms"]) == (1, None, None)


def test_gap_and_delay_run_from_the_close_in_the_other_process(store: Store) -> None:
    """Closed at 1000; dialled at 1700 and refused at 1800; dialled at 3700, answered at 4000."""
    first, refused, taken = (Process().connection() for _ in range(3))
    handle = new_id()
    insert(
        store,
        first.started(),
        first.given(handle),
        first.closed(1000),
        refused.closed(1800, handle, PHASE="setup", OPENED_AT=NOW_MS + 1700),
        taken.started(4000, handle),
    )
    join_sessions(store)

    told = [row_of(store, "livemeter.live_connections", each) for each in (first, refused, taken)]
    assert [row["attempt"] for row in told] == [1, 2, 3]
    assert [row["resumed_from"] for row in told] == ["", first.id, refused.id]
    assert [row["reconnect_delay_ms"] for row in told] == [None, 700, 1900]
    # From the last that had come to life to the answer.
    assert [row["gap_ms"] for row in told] == [None, None, 3000]


def test_a_hand_over_while_the_other_is_still_open_has_no_gap(store: Store) -> None:
    first, second, third = (Process().connection() for _ in range(3))
    handles = [new_id(), new_id()]
    insert(store, first.started(), first.given(handles[0]))
    insert(store, second.started(2000, handles[0]), second.given(handles[1]))
    insert(store, first.closed(2500), third.started(5000, handles[1]))
    join_sessions(store)

    row = row_of(store, "livemeter.live_connections", second)
    assert (row["resumed_from"], row["gap_ms"], row["reconnect_delay_ms"]) == (first.id, None, None)
    row = row_of(store, "livemeter.live_connections", third)
    assert (row["resumed_from"], row["gap_ms"], row["reconnect_delay_ms"]) == (second.id, None, None)


@pytest.mark.parametrize(
    ("prompts", "compression", "lost"),
    [((400, 900, 500), False, True), ((400, 900, 950), False, False), ((400, 900, 500), True, False)],
)
def test_context_that_was_lost_on_the_way_is_seen(
    store: Store, prompts: tuple[int, int, int], compression: bool, lost: bool
) -> None:
    """The new process does not know the last prompt, 900; its own first is smaller or not."""
    first, second = Process().connection(), Process().connection()
    handle = new_id()
    insert(
        store,
        first.started(),
        first.given(handle),
        first.usage(prompts[0], at_ms=10),
        first.usage(prompts[1], at_ms=20),
        second.started(1000, handle, COMPRESSION=compression),
        second.usage(prompts[2], at_ms=1500, FIRST_AFTER_RESUME=True),
    )
    join_sessions(store)

    assert session_row(store, first.id)["context_lost"] == lost


def test_without_a_prompt_before_nobody_knows_whether_context_was_lost(store: Store) -> None:
    first, second = Process().connection(), Process().connection()
    handle = new_id()
    insert(
        store,
        first.started(),
        first.given(handle),
        second.started(1000, handle),
        second.usage(500, at_ms=1500, FIRST_AFTER_RESUME=True),
    )
    join_sessions(store)

    assert session_row(store, first.id)["context_lost"] is None


@pytest.mark.parametrize("beginning", ["!", "z"])
def test_the_name_that_was_told_last_is_the_sessions(store: Store, beginning: str) -> None:
    """An application may name a session after the dial; events may come in any order."""
    name = f"{beginning}{new_id()}"
    process = Process()
    connection = process.connection()
    named = process.connection(name, connection_id=connection.id)
    insert_each(store, [named.closed(900), connection.started()])

    row = row_of(store, "livemeter.live_connections", connection)
    assert row["session_id"] == name


@pytest.mark.parametrize("turned", [False, True])
def test_a_session_that_is_named_late_was_that_session_before(store: Store, turned: bool) -> None:
    """Both connections of the process, and what they told before the application gave the name."""
    process, name = Process(), f"lesson-{new_id()}"
    first = process.connection()
    second = process.connection(first.id)
    named = process.connection(name, connection_id=second.id)
    events = [
        *everything(first),
        *everything(second, at_ms=3000),
        named.usage(5, at_ms=4000),
        named.closed(5000),
    ]
    insert_each(store, events[::-1] if turned else events)
    join_sessions(store)

    for view in VIEWS:
        assert sessions_of(store, [first, second], view) == [name, name], view
    session = session_row(store, name)
    assert (session["connections"], session["turns"], session["input_tokens"]) == (2, 2, 25)


def test_a_connection_goes_on_in_the_session_that_is_named_later(store: Store) -> None:
    """Its parent's session, or its own: then the application's word for it wins over the handle."""
    process, name, own = Process(), f"lesson-{new_id()}", f"lesson-{new_id()}"
    first, second, third = process.connection(), Process().connection(), Process()
    last = third.connection()
    handle = new_id()
    insert(
        store,
        first.started(),
        first.given(handle),
        second.started(2000, handle),
        last.started(3000, handle),
        last.usage(3, at_ms=3500),
        process.connection(name, connection_id=first.id).turn(9000),
        third.connection(own, connection_id=last.id).turn(9000),
    )
    join_sessions(store)

    assert sessions_of(store, [first, second, last]) == [name, name, own]
    assert session_row(store, own)["input_tokens"] == 3


def test_a_name_that_changes_takes_no_other_session_with_it(store: Store) -> None:
    process, before, after = Process(), f"lesson-{new_id()}", f"lesson-{new_id()}"
    renamed, other = process.connection(before), Process().connection(before)
    insert(
        store,
        renamed.started(),
        other.started(),
        process.connection(after, connection_id=renamed.id).turn(9000),
    )
    join_sessions(store)

    assert sessions_of(store, [renamed, other]) == [after, before]
