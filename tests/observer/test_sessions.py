"""Which session a connection belongs to, and that remembering sessions takes a bounded space."""

import gc
import hashlib
from collections.abc import Callable

import pytest

from livemeter.observer.connection import Close
from livemeter.observer.facts import (
    ConnectionClosed,
    ConnectionStarted,
    Fact,
    Identity,
    ResumptionChanged,
    UsageReported,
)
from livemeter.observer.sessions import MAX_HANDLES, MAX_SESSIONS, SessionDirectory, SessionState
from tests.observer.harness import (
    SETUP_COMPLETE,
    TURN_COMPLETE,
    Line,
    Process,
    audio,
    bundle,
    new_handle,
    setup,
    to_snake,
    usage,
)

HANDLE = "Cig1bXBqYW1-secret-handle"
LESSON = Identity("lesson-7", "ada", {"tenant": "acme"})


def session_of(line: Line) -> str:
    return line.observer.identity.session_id


# Whose connection it is.


def test_a_connection_that_nobody_named_is_its_own_session() -> None:
    process = Process()
    assert session_of(process.connect("c1")) == "c1"
    assert session_of(process.connect("c2")) == "c2"


def test_connections_to_which_the_application_gave_one_id_are_one_session() -> None:
    process = Process()
    for connection_id in ("c1", "c2"):
        line = process.connect(connection_id, identity=LESSON)
        assert line.observer.identity == LESSON
        line.close()
    assert line.fact_of(ConnectionClosed).attempt == 2
    assert line.fact_of(ConnectionClosed).resumed_from == "c1"


def test_a_handle_joins_the_session_of_the_connection_that_was_given_it() -> None:
    process = Process()
    first = process.connect("c1")
    first.server(new_handle(HANDLE))
    first.close()
    second = process.connect("c2", handle=HANDLE)
    assert session_of(second) == "c1"
    started = second.fact_of(ConnectionStarted)
    assert (started.attempt, started.resumed_from) == (2, "c1")


def test_a_chain_of_handles_is_one_session() -> None:
    process = Process()
    line = process.connect("c1")
    for number in range(2, 5):
        line.server(new_handle(f"h{number}"))
        line.close()
        line = process.connect(f"c{number}", handle=f"h{number}")
    assert session_of(line) == "c1"
    started = line.fact_of(ConnectionStarted)
    assert (started.attempt, started.resumed_from) == (4, "c3")


def test_an_older_handle_of_the_session_joins_it_as_well() -> None:
    process = Process()
    first = process.connect("c1")
    for handle in ("h1", "h2", "h3"):
        first.server(to_snake(new_handle(handle)))
    assert session_of(process.connect("c2", handle="h1")) == "c1"


def test_a_resumed_connection_keeps_user_and_labels() -> None:
    process = Process()
    first = process.connect("c1", identity=LESSON)
    first.server(new_handle(HANDLE))
    first.close()
    assert process.connect("c2", handle=HANDLE).observer.identity == LESSON


def test_a_handle_given_in_another_process_starts_a_session_here() -> None:
    """Reading in SQL joins the two; this process cannot know."""
    line = Process().connect("c1", handle="given-elsewhere")
    assert session_of(line) == "c1"
    assert line.fact_of(ConnectionStarted).setup.resumption_handle_hash != ""


def test_the_applications_word_wins_over_the_handle() -> None:
    process = Process()
    first = process.connect("c1", identity=Identity("lesson-1"))
    first.server(new_handle(HANDLE))
    first.close()
    assert session_of(process.connect("c2", identity=Identity("lesson-2"), handle=HANDLE)) == "lesson-2"


def test_an_application_that_names_only_the_user_leaves_the_session_to_the_handle() -> None:
    process = Process()
    someone = Identity("", "ada", {"tenant": "acme"})
    first = process.connect("c1", identity=someone)
    assert first.observer.identity == Identity("c1", "ada", {"tenant": "acme"})
    first.server(new_handle(HANDLE))
    first.close()
    second = process.connect("c2", identity=Identity("", labels={"level": "B2"}), handle=HANDLE)
    assert second.observer.identity == Identity("c1", "ada", {"tenant": "acme", "level": "B2"})


def test_labels_add_up_and_the_newer_word_wins() -> None:
    process = Process()
    process.connect("c1", identity=LESSON).close()
    second = process.connect("c2", identity=Identity("lesson-7", labels={"tenant": "beta", "level": "B2"}))
    assert second.observer.identity == Identity("lesson-7", "ada", {"tenant": "beta", "level": "B2"})


def test_a_socket_that_died_before_its_setup_is_still_the_users() -> None:
    line = Process().dial("c1", identity=LESSON)
    line.close(Close(http_status=503))
    assert line.observer.identity == LESSON


# What a second connection learns about the time between.


def test_a_reconnect_knows_its_delay_and_the_gap() -> None:
    process = Process()
    process.connect("c1", identity=LESSON).close()
    process.clock.wait(2_000)
    line = process.dial("c2", identity=LESSON)
    line.client(setup(), after_ms=150)
    line.server(SETUP_COMPLETE, after_ms=250)
    started = line.fact_of(ConnectionStarted)
    # The gap lasts until the session works again: 2,000 + 150 + 250.
    assert (started.reconnect_delay_ms, started.gap_ms, started.setup_ms) == (2_000, 2_400, 400)


def test_the_first_connection_of_a_session_has_no_gap() -> None:
    started = Process().connect().fact_of(ConnectionStarted)
    assert (started.attempt, started.reconnect_delay_ms, started.gap_ms) == (1, None, None)


def test_a_hand_over_without_a_gap_has_none_and_leaves_none_behind() -> None:
    """The new socket is opened while the old one still speaks, twice in a row."""
    process = Process()
    old = process.connect("c1", identity=LESSON)
    for connection_id in ("c2", "c3"):
        process.clock.wait(540_000)
        new = process.connect(connection_id, identity=LESSON)
        started = new.fact_of(ConnectionStarted)
        assert (started.reconnect_delay_ms, started.gap_ms) == (None, None)
        old.close(after_ms=50)
        old = new


# Handles stay inside.


def test_no_fact_holds_a_handle() -> None:
    process = Process()
    first = process.connect("c1")
    first.server(bundle(new_handle(HANDLE), audio(), TURN_COMPLETE, usage(1, 2)))
    first.server(new_handle(""))
    first.close()
    second = process.connect("c2", handle=HANDLE)
    second.server(new_handle(HANDLE))
    second.close()
    facts: list[Fact] = [*first.facts, *second.facts]
    assert HANDLE not in repr(facts)
    hashed = hashlib.sha256(HANDLE.encode()).hexdigest()[:32]
    assert first.facts_of(ResumptionChanged)[0].handle_hash == hashed
    assert second.fact_of(ConnectionStarted).setup.resumption_handle_hash == hashed


def test_a_resumption_change_is_told_once() -> None:
    line = Process().connect()
    at_ns = line.clock.now.wall_ns
    for update in (new_handle("h1"), new_handle("h1"), new_handle("", resumable=False), new_handle("h2")):
        line.server(update)
    changes = line.facts_of(ResumptionChanged)
    assert [(change.at_ns, change.resumable) for change in changes] == [
        (at_ns, True),
        (at_ns, False),
        (at_ns, True),
    ]
    assert [change.handle_hash == "" for change in changes] == [False, True, False]


# Bounded space.


def live_states() -> int:
    gc.collect()
    return sum(type(thing) is SessionState for thing in gc.get_objects())


def test_ten_thousand_sessions_and_more_leave_a_bounded_directory() -> None:
    process, before = Process(), live_states()
    for number in range(MAX_SESSIONS + 500):
        process.connect(f"c{number}").close()
    assert live_states() - before <= MAX_SESSIONS


def remember_session(directory: SessionDirectory, number: int) -> None:
    directory.session(f"s{number}")


def remember_handle(directory: SessionDirectory, number: int) -> None:
    directory.handle_given(f"h{number}", SessionState(f"s{number}"))


@pytest.mark.parametrize(
    ("remember", "limit"),
    [
        (remember_session, MAX_SESSIONS),
        (remember_handle, MAX_HANDLES),
    ],
)
def test_both_maps_keep_the_newest(remember: Callable[[SessionDirectory, int], None], limit: int) -> None:
    directory, before = SessionDirectory(), live_states()
    for number in range(limit + 10):
        remember(directory, number)
    assert live_states() - before == limit


def test_the_session_that_was_used_last_is_forgotten_last() -> None:
    directory = SessionDirectory()
    oldest, second = directory.session("oldest"), directory.session("second")
    for number in range(MAX_SESSIONS - 2):
        directory.session(f"s{number}")
    assert directory.session("oldest") is oldest
    directory.session("one too many")
    assert directory.session("oldest") is oldest
    assert directory.session("second") is not second


def test_a_handle_that_is_given_again_is_forgotten_last() -> None:
    directory = SessionDirectory()
    state = SessionState("s")
    for handle_hash in ("kept", "lost", "kept"):
        directory.handle_given(handle_hash, state)
    for number in range(MAX_HANDLES - 1):
        directory.handle_given(f"h{number}", state)
    assert directory.by_handle("kept") is state
    assert directory.by_handle("lost") is None


def test_an_unknown_handle_belongs_to_nobody() -> None:
    directory = SessionDirectory()
    state = directory.session("s")
    directory.handle_given("hash", state)
    assert directory.by_handle("hash") is state
    assert directory.by_handle("other") is None


def test_a_forgotten_session_starts_anew() -> None:
    process = Process()
    first = process.connect("c0")
    first.server(bundle(audio(), usage(10, 2)))
    first.close()
    for number in range(MAX_SESSIONS):
        process.directory.session(f"s{number}")
    line = process.connect("later", identity=Identity("c0"))
    line.server(bundle(audio(), usage(10, 2)))
    assert line.fact_of(UsageReported).pass_number == 1
