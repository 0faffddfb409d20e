"""What the application says of a session, and what a session carries from connection to connection."""

from dataclasses import replace

from livemeter.observer.connection import Close
from livemeter.observer.facts import (
    ConnectionClosed,
    ConnectionStarted,
    FramesRecorded,
    Identity,
    OutcomeReached,
    PhaseEntered,
    ResumptionChanged,
    ToolCallEnded,
    ToolsExpected,
    TurnEnded,
)
from livemeter.observer.setup import hash_handle
from livemeter.vocabulary import IdMatch, Phase
from tests.observer.harness import (
    TURN_COMPLETE,
    Process,
    ask,
    audio,
    live,
    microphone,
    new_handle,
    tool_call,
    tool_response,
)

DROPPED = Close(code=1011)
REFUSED = Close(http_status=503)


def test_a_phase_is_told_and_marks_the_turns_that_begin_in_it_and_the_close() -> None:
    line = live()
    line.client(ask())
    assert line.observer.phase_entered("scoring", line.clock.now) == [
        PhaseEntered(line.clock.now.wall_ns, 1, "scoring")
    ]
    line.server(TURN_COMPLETE)
    line.client(ask())
    line.server(TURN_COMPLETE)
    line.close()

    assert [turn.app_phase for turn in line.facts_of(TurnEnded)] == ["", "scoring"]
    assert line.fact_of(ConnectionClosed).app_phase == "scoring"


def test_a_phase_lasts_over_a_reconnect() -> None:
    process = Process()
    first = process.connect("c1", identity=Identity("s"))
    first.observer.phase_entered("scoring", process.clock.now)
    first.close(DROPPED)

    second = process.connect("c2", identity=Identity("s"))
    second.close()

    assert second.fact_of(ConnectionClosed).app_phase == "scoring"


def test_expectations_and_outcomes_are_told_with_the_turn_they_fall_into() -> None:
    line = live()
    line.client(ask())
    now = line.clock.now
    expected = ToolsExpected(now.wall_ns, 1, ("get_weather", "end_call"))
    reached = OutcomeReached(now.wall_ns, 1, "scored_by_fallback", "2 of 5 spoken")
    assert line.observer.tools_expected(["get_weather", "end_call"], now) == [expected]
    assert line.observer.outcome_reached("scored_by_fallback", "2 of 5 spoken", now) == [reached]


def test_a_connection_can_be_given_to_a_session_after_it_was_opened() -> None:
    process = Process()
    line = process.connect("c1")
    line.client(ask())
    line.server(TURN_COMPLETE)

    line.observer.identify(Identity("call-7", "mary", {"tenant": "acme"}))

    assert line.observer.identity == Identity("call-7", "mary", {"tenant": "acme"})
    line.close()
    again = process.connect("c2", identity=Identity("call-7"))
    again.client(ask())
    again.server(TURN_COMPLETE)
    assert again.fact_of(ConnectionStarted).attempt == 2
    assert again.fact_of(TurnEnded).turn == 2


def test_naming_a_session_like_another_one_leaves_the_other_as_it_is() -> None:
    process = Process()
    process.connect("c1", identity=Identity("call-7"))
    line = process.connect("c2")

    line.observer.identify(Identity("call-7"))

    assert line.observer.identity.session_id == "call-7"
    third = process.connect("c3", identity=Identity("call-7"))
    assert third.fact_of(ConnectionStarted).attempt == 2


def test_refused_attempts_of_a_named_session_are_counted() -> None:
    process = Process()
    process.connect("c1", identity=Identity("s")).close(DROPPED)
    refused = process.dial("c2", identity=Identity("s"))
    refused.close(REFUSED, after_ms=100)

    closed = refused.fact_of(ConnectionClosed)
    assert (closed.attempt, closed.resumed_from, closed.phase) == (2, "c1", Phase.HANDSHAKE)


def test_the_delay_is_since_the_last_attempt_and_the_gap_since_the_session_was_last_up() -> None:
    process = Process()
    first = process.connect("c1", identity=Identity("s"))
    first.close(DROPPED)
    process.clock.wait(1_000)
    process.dial("c2", identity=Identity("s")).close(REFUSED, after_ms=200)
    process.clock.wait(2_000)

    third = process.dial("c3", identity=Identity("s"))
    third.client({"setup": {"model": "models/m"}}, after_ms=30)
    third.server({"setupComplete": {}}, after_ms=70)

    started = third.fact_of(ConnectionStarted)
    assert (started.attempt, started.reconnect_delay_ms, started.gap_ms) == (3, 2_000, 3_300)


def test_new_handles_ride_along_with_the_frames_and_a_change_of_state_is_told() -> None:
    line = live()
    told = [*line.server(new_handle("h1")), *line.server(new_handle("h2")), *line.server(new_handle("h2"))]
    withdrawn = line.server({"sessionResumptionUpdate": {"resumable": False}})
    line.flush()

    now = line.clock.now.wall_ns
    assert told == [ResumptionChanged(now, hash_handle("h1"), resumable=True)]
    assert withdrawn == [ResumptionChanged(now, "", resumable=False)]
    assert line.fact_of(FramesRecorded).handle_hashes == (hash_handle("h1"), hash_handle("h2"))


def test_a_close_tells_how_many_frames_crossed_and_how_many_calls_were_open() -> None:
    line = live()
    line.server(tool_call({"id": "a", "name": "f", "args": {}}))
    line.server(audio())
    line.close(DROPPED)

    closed = line.fact_of(ConnectionClosed)
    assert (closed.frames, closed.tool_calls_open) == (4, 1)


def test_an_answer_that_met_no_open_call_opens_no_turn() -> None:
    """Frameworks send old answers again after a reconnect; the next turn is not measured from them."""
    line = live()
    line.client(tool_response({"id": "old", "name": "f", "response": {}}))
    line.client(microphone(), after_ms=1_000)
    line.server(audio(), after_ms=40)
    line.server(TURN_COMPLETE)

    turn = line.fact_of(TurnEnded)
    assert (turn.turn, turn.first_audio_ms, turn.first_audio_from) == (1, 40, "last_audio_sent")
    assert line.fact_of(ToolCallEnded).id_match is IdMatch.NO


def test_an_answer_on_the_connection_after_the_one_that_was_asked_is_late() -> None:
    process = Process()
    first = process.connect("c1", identity=Identity("s"))
    first.server(tool_call({"id": "a", "name": "f", "args": {}}))
    first.close(DROPPED)
    second = process.connect("c2", identity=Identity("s"))
    second.client(tool_response({"id": "a", "name": "f", "response": {}}))
    second.client(tool_response({"id": "b", "name": "f", "response": {}}))

    assert [call.id_match for call in second.facts_of(ToolCallEnded)] == [IdMatch.LATE, IdMatch.NO]


def test_a_close_passes_on_what_its_owner_saw() -> None:
    line = live()
    chain = ("google.genai.errors.APIError", "websockets.exceptions.ConnectionClosedError")
    line.close(replace(DROPPED, exception_chain=chain))

    assert line.fact_of(ConnectionClosed).exception_chain == chain


def test_a_connection_observed_only_after_its_setup_is_a_session_of_its_own() -> None:
    """Somebody else dialled, and the first thing seen is an answer."""
    process = Process()
    line = process.dial("c1")
    line.client(ask())
    line.server(audio())
    line.server(TURN_COMPLETE)
    line.close()

    assert line.fact_of(ConnectionStarted).attempt == 1
    assert line.fact_of(TurnEnded).has_output
    assert line.observer.identity.session_id == "c1"
