"""What was settled is a memory of the facts: every view answers as it would from the facts alone."""

import random
from collections.abc import Callable, Iterator, Sequence

import pytest
from google.protobuf.message import Message

from livemeter.vocabulary import Attribute, Event
from livemeter_collector.store.contract import Store
from livemeter_collector.store.settle import TABLES, rebuild, settle
from tests.collector.sql.telemetry import (
    Connection,
    Process,
    Row,
    insert,
    join_sessions,
    new_id,
    rows,
)

TOTALS = ("session_totals", "turn_totals", "live_usage_hourly")
"""All that is remembered is read through these."""
VIEWS = ("live_sessions", "live_turns", "live_session_costs", "live_usage_hourly", "live_costs_hourly")
BY_SESSION = {"turn_totals", "live_turns", "live_session_costs"}


@pytest.fixture(autouse=True)
def _nothing_settled(store: Store) -> Iterator[None]:
    """Only what comes within a test is looked at; other tests want what they wrote computed."""
    store.command("INSERT INTO livemeter.settlements SELECT now64(3), now64(3) - 10")
    yield
    for table in ("settlements", *TABLES):
        store.command(f"TRUNCATE TABLE livemeter.{table}")


def settled(store: Store, how: Callable[..., int] = settle, piece: int = 4000) -> None:
    """Settle everything that came, and let it count at once."""
    how(store, margin_s=0, piece=piece)
    store.command(
        "INSERT INTO livemeter.settlements SELECT max(upto), now64(3) - 10 FROM livemeter.settlements"
    )


def size_of_pieces(store: Store, how: Callable[..., int], cuts: int) -> int:
    """Return how many connections a piece has when so many cuts are made, however much others wrote."""
    view = "connections FINAL" if how is rebuild else "touched_connections"
    (found,) = rows(store, f"SELECT count() AS connections FROM livemeter.{view}")
    return int(str(found["connections"])) // (cuts + 1) + 1


def unsettled(store: Store) -> int:
    return len(rows(store, "SELECT connection_id FROM livemeter.touched_connections"))


def answers(
    store: Store, app: str, *, facts_alone: bool, views: Sequence[str] = VIEWS
) -> dict[str, list[Row]]:
    """Return what the views say of an application's sessions."""
    comment = "settle=all" if facts_alone else ""
    # Asked once: a question within a question costs as much as it does alone.
    connections = f"SELECT session_id FROM livemeter.live_connections WHERE app = '{app}'"
    named = ", ".join(f"'{row['session_id']}'" for row in rows(store, connections))
    found: dict[str, list[Row]] = {}
    for view in views:
        which = f"session_id IN ({named})" if view in BY_SESSION else f"app = '{app}'"
        sql = f"SELECT * FROM livemeter.{view} WHERE {which} ORDER BY ALL SETTINGS log_comment = '{comment}'"
        found[view] = rows(store, sql)
    return found


def assert_nothing_differs(store: Store, app: str, views: Sequence[str] = VIEWS) -> dict[str, list[Row]]:
    found = answers(store, app, facts_alone=False, views=views)
    assert found == answers(store, app, facts_alone=True, views=views)
    return found


def everything(connection: Connection, handle: str = "", at_ms: float = 0) -> list[Message]:
    return [
        connection.started(at_ms, handle),
        connection.usage(10, 3, at_ms=at_ms + 1),
        connection.turn(at_ms + 2),
        connection.tool_call(at_ms=at_ms + 3),
        connection.closed(at_ms + 5, handle),
    ]


def test_a_settled_session_is_read_from_memory_and_says_the_same(store: Store) -> None:
    app = new_id()
    connection = Process(app).connection()
    insert(store, *everything(connection))
    before = answers(store, app, facts_alone=False)
    settled(store)

    assert unsettled(store) == 0
    assert assert_nothing_differs(store, app) == before
    (session,) = before["live_sessions"]
    assert (session["turns"], session["tool_calls"], session["input_tokens"]) == (1, 1, 10)
    # It is the memory that answers: without it there is nothing.
    store.command("TRUNCATE TABLE livemeter.settled_sessions")
    assert answers(store, app, facts_alone=False, views=["live_sessions"])["live_sessions"] == []


def test_what_comes_late_is_counted_at_once(store: Store) -> None:
    app = new_id()
    process = Process(app)
    first, second = (process.connection(f"lesson-{app}") for _ in range(2))
    insert(store, *everything(first))
    settled(store)
    insert(store, *everything(second, at_ms=9000))
    insert(store, first.usage(500, at_ms=7, TURN=1, PASS=2))

    found = assert_nothing_differs(store, app)
    (session,) = found["live_sessions"]
    assert (session["connections"], session["turns"], session["input_tokens"]) == (2, 2, 520)
    settled(store)
    assert assert_nothing_differs(store, app) == found


def test_a_session_that_turns_out_to_be_another_ones_is_settled_with_it(store: Store) -> None:
    """Whichever process's handle is told last, and though nothing more comes of the connection itself."""
    app = new_id()
    first, second = Process(app).connection(), Process(app).connection()
    handle = new_id()
    insert(store, *everything(first))
    insert(store, *everything(second, handle, at_ms=5000))
    settled(store)
    assert len(answers(store, app, facts_alone=False, views=["live_sessions"])["live_sessions"]) == 2
    insert(store, first.given(handle, at_ms=4000))
    join_sessions(store)
    settled(store)

    (session,) = assert_nothing_differs(store, app)["live_sessions"]
    assert (session["session_id"], session["connections"], session["turns"]) == (first.id, 2, 2)


def test_a_session_that_is_named_later_is_not_there_twice(store: Store) -> None:
    app = new_id()
    process = Process(app)
    unnamed = process.connection()
    insert(store, *everything(unnamed))
    settled(store)
    named = process.connection(f"exam-{app}", connection_id=unnamed.id)
    insert(store, named.usage(7, at_ms=50, TURN=2, PASS=1))
    join_sessions(store)

    for _ in range(2):
        (session,) = assert_nothing_differs(store, app)["live_sessions"]
        assert session["session_id"] == f"exam-{app}"
        settled(store)


def test_a_session_that_began_earlier_than_was_known_is_not_there_twice(store: Store) -> None:
    app = new_id()
    process = Process(app)
    insert(store, *everything(process.connection(f"lesson-{app}"), at_ms=9000))
    settled(store)
    insert(store, *everything(process.connection(f"lesson-{app}"), at_ms=0))
    settled(store)

    (session,) = assert_nothing_differs(store, app)["live_sessions"]
    assert session["connections"] == 2
    kept = "SELECT 1 FROM livemeter.settled_sessions FINAL WHERE session_id = {id:String}"
    assert len(rows(store, kept, id=f"lesson-{app}")) == 1


@pytest.mark.parametrize("seed", range(3))
def test_whatever_comes_and_whenever_it_is_settled_nothing_differs(store: Store, seed: int) -> None:
    """Events of sessions over several connections and processes, in any order, some of them twice."""
    chance, app = random.Random(seed), new_id()
    events: list[Message] = []
    for number in range(4):
        name = chance.choice(["", f"session-{number}-{app}"])
        process, handle, before = Process(app), "", ""
        for part in range(chance.randint(1, 4)):
            connection = process.connection(name or before)
            before = before or connection.id
            events += everything(connection, handle, at_ms=part * chance.choice([1000, 4_000_000]))
            handle = ""
            if chance.random() < 0.4:
                handle, before = new_id(), ""
                events.append(connection.given(handle))
                process = Process(app)
            if chance.random() < 0.3:
                events.append(connection.event(Event.GO_AWAY, {Attribute.GO_AWAY_TIME_LEFT_MS: 50_000}))
    chance.shuffle(events)
    while events:
        count = chance.randint(4, 20)
        insert(store, *events[:count], *chance.sample(events[:count], k=1))
        del events[:count]
        join_sessions(store)
        how, cuts = chance.choice([(settle, 0), (settle, 3), (rebuild, 2)])
        settled(store, how, piece=size_of_pieces(store, how, cuts))
        if chance.random() < 0.5:
            assert_nothing_differs(store, app, TOTALS)
    assert assert_nothing_differs(store, app)["live_sessions"]
