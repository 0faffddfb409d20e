"""Turns: where one begins, where it ends, what belongs to it and what is measured in it."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livemeter.observer.clock import Instant
from livemeter.observer.facts import Fact, FramesRecorded, Identity, TurnEnded, UsageReported
from livemeter.observer.frames import Frame, read_frame
from livemeter.observer.open_turn import MAX_REASON_CHARACTERS
from livemeter.observer.sessions import SessionState
from livemeter.observer.turns import TurnTracker
from livemeter.vocabulary import Direction, TurnEnd
from tests.observer.harness import (
    ACTIVITY_START,
    CAMERA,
    GENERATION_COMPLETE,
    INTERRUPTED,
    REALTIME_TEXT,
    SPELLINGS,
    START,
    STILL_WORKING,
    TURN_COMPLETE,
    Clock,
    Json,
    Line,
    Process,
    Spelling,
    ask,
    audio,
    bundle,
    heard,
    live,
    microphone,
    new_handle,
    said,
    to_snake,
    usage,
    whole_turn,
    words,
)
from tests.observer.strategies import PROTOCOL_STEPS, Step

_DETECTIONS: list[Json] = [
    {"voiceActivity": {"type": "ACTIVITY_START", "audioOffset": "1s"}},
    {"voiceActivity": {"type": "ACTIVITY_END", "audioOffset": "3s"}},
]
DETECTION_STEPS = st.tuples(
    st.just(Direction.RECEIVED), st.sampled_from(_DETECTIONS).map(json.dumps), st.sampled_from([0.0, 20.0])
)


def turns_of_usage(line: Line) -> list[int]:
    return [report.turn for report in line.facts_of(UsageReported)]


# Where a turn begins and ends.


def test_a_turn_runs_from_its_first_frame_to_turn_complete() -> None:
    line = live()
    asked_at = line.clock.now.wall_ns + 1_000 * 1_000_000
    line.client(ask(), after_ms=1_000)
    line.server(audio(40), after_ms=300)
    line.server(audio(60), after_ms=50)
    line.server(GENERATION_COMPLETE, after_ms=150)
    line.server(TURN_COMPLETE, after_ms=500)
    assert line.fact_of(TurnEnded) == TurnEnded(
        at_ns=asked_at + 1_000 * 1_000_000,
        turn=1,
        started_at_ns=asked_at,
        # 300 + 50 + 150 + 500
        turn_ms=1_000,
        first_audio_ms=300,
        first_audio_from="client_content",
        first_output_at_ns=asked_at + 300 * 1_000_000,
        # 50 + 150, from the first output on
        generation_ms=200,
        user_speech_ms=None,
        # 40 + 60
        model_speech_ms=100,
        interrupted=False,
        end_reason=TurnEnd.COMPLETE,
        has_output=True,
        transcript_chars_in=0,
        transcript_chars_out=0,
        transcript_bytes_in=0,
        transcript_bytes_out=0,
        grounding_queries=0,
        generation_complete=True,
    )


def test_turns_are_counted_from_one() -> None:
    line = live()
    for _ in range(3):
        whole_turn(line)
    assert [turn.turn for turn in line.facts_of(TurnEnded)] == [1, 2, 3]


def test_the_model_may_speak_first() -> None:
    line = live()
    line.server(audio())
    line.server(TURN_COMPLETE)
    turn = line.fact_of(TurnEnded)
    assert turn.has_output
    assert (turn.first_audio_ms, turn.first_audio_from) == (None, "")


def test_everything_bundled_in_one_frame_belongs_to_the_turn_that_it_ends() -> None:
    line = live()
    line.client(ask())
    facts = line.server(bundle(audio(40), said("Hi"), GENERATION_COMPLETE, TURN_COMPLETE, usage(541, 156)))
    assert [type(fact) for fact in facts] == [UsageReported, TurnEnded]
    turn = line.fact_of(TurnEnded)
    assert (turn.model_speech_ms, turn.transcript_chars_out, turn.generation_ms) == (40, 2, 0)
    assert turns_of_usage(line) == [1]


def test_frames_carry_the_turn_they_belong_to() -> None:
    line = live()
    whole_turn(line)
    line.client(microphone())
    line.flush()
    # setup and setupComplete come before the first turn; turnComplete is the last frame of its own.
    assert list(line.fact_of(FramesRecorded).turns) == [0, 0, 1, 1, 1, 2]


def test_a_turn_complete_without_a_turn_ends_nothing() -> None:
    line = live()
    line.server(TURN_COMPLETE)
    whole_turn(line)
    line.server(TURN_COMPLETE)
    assert [turn.turn for turn in line.facts_of(TurnEnded)] == [1]


def test_a_turn_still_in_progress_goes_on() -> None:
    """Models that think at length say turnComplete several times in one exchange."""
    line = live()
    line.client(ask())
    line.server(bundle(words("Let me think"), STILL_WORKING, usage(100, 10)))
    line.server(bundle(STILL_WORKING, usage(110, 20)))
    assert line.facts_of(TurnEnded) == []
    idle = {"serverContent": {"turnComplete": True, "interactionStatus": "IDLE"}}
    line.server(bundle(audio(), idle, usage(130, 30)))
    assert line.fact_of(TurnEnded).turn == 1
    assert turns_of_usage(line) == [1, 1, 1]


@pytest.mark.parametrize("status", ["IDLE", "REQUIRES_ACTION", "INTERACTION_STATUS_UNSPECIFIED", None, 7])
@pytest.mark.parametrize("spelled", SPELLINGS)
def test_any_other_status_ends_the_turn(status: object, spelled: Spelling) -> None:
    line = live()
    line.client(ask())
    line.server(spelled({"serverContent": {"turnComplete": True, "interactionStatus": status}}))
    assert line.fact_of(TurnEnded).end_reason is TurnEnd.COMPLETE


def test_a_turn_in_progress_is_known_in_snake_case_too() -> None:
    line = live()
    line.client(ask())
    line.server(to_snake(STILL_WORKING))
    assert line.facts_of(TurnEnded) == []


# Interruptions.


def test_an_interrupted_turn_ends_with_turn_complete_and_keeps_its_usage() -> None:
    line = live()
    line.client(ask())
    line.server(audio())
    line.client(microphone())
    line.server(INTERRUPTED)
    assert line.facts_of(TurnEnded) == []
    line.server(bundle(TURN_COMPLETE, usage(100, 58)))
    turn = line.fact_of(TurnEnded)
    assert turn.interrupted
    assert turn.end_reason is TurnEnd.INTERRUPTED
    assert turn.generation_ms is None
    assert turns_of_usage(line) == [1]


def test_interrupted_and_turn_complete_may_come_in_one_frame() -> None:
    line = live()
    line.client(ask())
    line.server(audio())
    line.server(bundle(INTERRUPTED, TURN_COMPLETE))
    assert line.fact_of(TurnEnded).end_reason is TurnEnd.INTERRUPTED


def test_the_turn_after_an_interrupted_one_is_not_interrupted() -> None:
    line = live()
    line.client(ask())
    line.server(bundle(audio(), INTERRUPTED, TURN_COMPLETE))
    whole_turn(line)
    assert [turn.interrupted for turn in line.facts_of(TurnEnded)] == [True, False]


# The end of the connection.


def test_a_close_cuts_the_open_turn_short() -> None:
    line = live()
    line.client(ask())
    line.server(audio(40), after_ms=200)
    line.close(after_ms=300)
    turn = line.fact_of(TurnEnded)
    assert (turn.end_reason, turn.has_output, turn.turn_ms) == (TurnEnd.CONNECTION_CLOSED, True, 500)


def test_an_unanswered_question_is_a_turn() -> None:
    line = live()
    line.client(ask())
    line.close()
    assert line.fact_of(TurnEnded).has_output is False


def test_words_that_the_model_kept_silent_on_are_a_turn() -> None:
    """A model that decides itself whether to answer may leave the last thing that was said unanswered."""
    line = live()
    line.client(microphone())
    line.server(heard("Just a moment"), after_ms=800)
    line.close(after_ms=3_000)
    turn = line.fact_of(TurnEnded)
    assert (turn.turn, turn.has_output, turn.transcript_chars_in) == (1, False, 13)
    assert turn.end_reason is TurnEnd.CONNECTION_CLOSED


def test_speech_that_the_server_detected_is_a_turn() -> None:
    line = live()
    line.client(microphone())
    line.server({"voiceActivity": {"type": "ACTIVITY_START"}})
    line.close()
    assert line.fact_of(TurnEnded).has_output is False


def test_a_question_that_interrupted_the_model_and_was_not_answered_is_a_turn() -> None:
    line = live()
    line.client(ask())
    line.server(audio())
    line.client(REALTIME_TEXT)
    line.server(bundle(INTERRUPTED, TURN_COMPLETE))
    line.close()
    assert [(turn.turn, turn.has_output) for turn in line.facts_of(TurnEnded)] == [(1, True), (2, False)]


# How a turn ended.


def test_a_turn_tells_the_reason_that_the_server_gave() -> None:
    line = live()
    line.client(ask())
    line.server({"serverContent": {"turnComplete": True, "turnCompleteReason": "RESPONSE_REJECTED"}})
    whole_turn(line)
    assert [turn.complete_reason for turn in line.facts_of(TurnEnded)] == ["RESPONSE_REJECTED", ""]


def test_the_last_reason_of_a_turn_that_completes_several_times_holds() -> None:
    line = live()
    line.client(ask())
    for reason in ("NEED_MORE_INPUT", "RESPONSE_REJECTED"):
        line.server(bundle(STILL_WORKING, {"serverContent": {"turnCompleteReason": reason}}))
    line.server(TURN_COMPLETE)
    assert line.fact_of(TurnEnded).complete_reason == "RESPONSE_REJECTED"


@pytest.mark.parametrize("reason", [None, 7, ["RESPONSE_REJECTED"], {}])
def test_a_reason_that_is_no_text_is_none(reason: object) -> None:
    line = live()
    line.client(ask())
    line.server({"serverContent": {"turnComplete": True, "turnCompleteReason": reason}})
    assert line.fact_of(TurnEnded).complete_reason == ""


def test_a_reason_is_kept_to_a_bounded_length() -> None:
    line = live()
    line.client(ask())
    line.server({"serverContent": {"turnComplete": True, "turnCompleteReason": "R" * 5_000}})
    assert line.fact_of(TurnEnded).complete_reason == "R" * MAX_REASON_CHARACTERS


def test_a_turn_that_ended_before_its_generation_did_says_so() -> None:
    line = live()
    line.client(ask())
    line.server(bundle(audio(), TURN_COMPLETE))
    line.client(ask())
    line.server(bundle(audio(), GENERATION_COMPLETE))
    line.server(TURN_COMPLETE)
    assert [turn.generation_complete for turn in line.facts_of(TurnEnded)] == [False, True]


def test_a_turn_carries_the_applications_phase_in_which_it_began() -> None:
    state = SessionState("s", app_phase="warming up")
    tracker = TurnTracker(state)
    for phase in ("scoring", "saying goodbye"):
        tracker.sent(read_frame(Direction.SENT, json.dumps(ask())), START)
        state.app_phase = phase
        complete = read_frame(Direction.RECEIVED, json.dumps(TURN_COMPLETE))
        tracker.received(complete, START)
        turn = tracker.ended(complete, START)
        assert turn is not None
        assert turn.app_phase == {"scoring": "warming up", "saying goodbye": "scoring"}[phase]


@pytest.mark.parametrize("streamed", [microphone(), CAMERA])
def test_a_microphone_that_streams_on_makes_no_turn(streamed: Json) -> None:
    line = live()
    whole_turn(line)
    for _ in range(5):
        line.client(streamed)
    line.close()
    assert [turn.turn for turn in line.facts_of(TurnEnded)] == [1]


def test_a_close_between_turns_ends_no_turn() -> None:
    line = live()
    whole_turn(line)
    line.close()
    assert len(line.facts_of(TurnEnded)) == 1


# Which turn a usage frame belongs to.


def test_usage_that_trails_turn_complete_belongs_to_the_turn_that_ended() -> None:
    line = live()
    for _ in range(2):
        whole_turn(line)
    line.server(usage(100, 10))
    assert turns_of_usage(line) == [2]


@pytest.mark.parametrize("streamed", [microphone(), CAMERA, ACTIVITY_START, ask()])
def test_trailing_usage_belongs_to_the_ended_turn_also_when_the_next_has_begun(streamed: Json) -> None:
    line = live()
    for _ in range(2):
        whole_turn(line)
    line.client(streamed)
    line.server(usage(100, 10))
    line.server(audio())
    line.server(usage(120, 20))
    assert turns_of_usage(line) == [2, 3]


def test_usage_in_the_first_turn_belongs_to_it_before_any_output() -> None:
    line = live()
    line.client(microphone())
    line.server(usage(100, 10))
    assert turns_of_usage(line) == [1]


def test_usage_on_the_turn_complete_of_a_silent_turn_belongs_to_that_turn() -> None:
    """The model may decide to say nothing, and what it read is billed all the same."""
    line = live()
    whole_turn(line)
    line.client(ask())
    line.server(bundle(TURN_COMPLETE, usage(100, 0)))
    assert [turn.turn for turn in line.facts_of(TurnEnded)] == [1, 2]
    assert turns_of_usage(line) == [2]


def test_usage_that_follows_a_silent_turn_in_progress_belongs_to_that_turn() -> None:
    line = live()
    whole_turn(line)
    line.client(ask())
    line.server(bundle(STILL_WORKING, usage(100, 0)))
    line.server(usage(110, 5))
    assert turns_of_usage(line) == [2, 2]


def test_usage_does_not_trail_from_one_connection_to_the_next() -> None:
    process = Process()
    identity = Identity("s")
    first = process.connect("c1", identity=identity)
    whole_turn(first)
    first.close()
    second = process.connect("c2", identity=identity)
    second.client(ask())
    second.server(usage(100, 10))
    assert turns_of_usage(second) == [2]


def test_usage_before_anything_else_on_a_resumed_connection_belongs_to_the_last_turn() -> None:
    process = Process()
    identity = Identity("s")
    first = process.connect("c1", identity=identity)
    whole_turn(first)
    first.close()
    second = process.connect("c2", identity=identity)
    second.server(usage(100, 10))
    assert turns_of_usage(second) == [1]


def test_trailing_usage_stays_with_its_own_connection() -> None:
    """Another connection of the session may have ended turns meanwhile."""
    process = Process()
    identity = Identity("s")
    old, new = process.connect("c1", identity=identity), process.connect("c2", identity=identity)
    whole_turn(old)
    whole_turn(new)
    old.server(usage(100, 10))
    assert turns_of_usage(old) == [1]


# Runs of audio.


def test_a_turn_that_is_open_and_speaks_says_so() -> None:
    """Whoever feeds the tracker may then count audio frames and say them at once."""
    tracker = TurnTracker(SessionState("s"))
    seen: list[tuple[bool, bool]] = []
    for message in (microphone(), ask()):
        tracker.sent(read_frame(Direction.SENT, json.dumps(message)), START)
        seen.append((tracker.is_open, tracker.is_speaking))
    for message in (words("Hm"), audio(), INTERRUPTED, TURN_COMPLETE):
        frame = read_frame(Direction.RECEIVED, json.dumps(message))
        tracker.received(frame, START)
        tracker.ended(frame, START)
        seen.append((tracker.is_open, tracker.is_speaking))
    opened, speaks, idle = (True, False), (True, True), (False, False)
    assert seen == [opened, opened, opened, speaks, speaks, idle]


# A turn's own events and runs of microphone and model audio, as (what, how many).
_RUNS = st.tuples(st.sampled_from(["microphone", "model", "both"]), st.integers(min_value=1, max_value=5))
_TURN_STEPS = st.lists(st.one_of(PROTOCOL_STEPS, DETECTION_STEPS, _RUNS), max_size=40)


@settings(deadline=None, max_examples=200)
@given(_TURN_STEPS)
def test_a_run_of_audio_that_is_said_at_once_gives_the_same_facts(
    steps: list[Step | tuple[str, int]],
) -> None:
    one_by_one, at_once = played(steps, at_once=False), played(steps, at_once=True)
    assert one_by_one == at_once


def played(steps: list[Step | tuple[str, int]], *, at_once: bool) -> list[Fact]:
    """The facts of a tracker that is fed runs frame by frame, or as one call for each direction."""
    clock, tracker, facts = Clock(), TurnTracker(SessionState("s"), capture_content=True), list[Fact]()
    for step in steps:
        if len(step) == 3:
            direction, raw, after_ms = step
            clock.wait(after_ms)
            facts += fed(tracker, read_frame(direction, raw), clock.now)
        elif at_once and tracker.is_open and (tracker.is_speaking or step[0] == "microphone"):
            run_at_once(tracker, *step, clock)
        else:
            facts += run_one_by_one(tracker, *step, clock)
    ended = tracker.connection_closed(clock.now)
    return [*facts, *([ended] if ended else [])]


def fed(tracker: TurnTracker, frame: Frame, now: Instant) -> list[Fact]:
    if frame.direction is Direction.SENT:
        return tracker.sent(frame, now)
    facts = tracker.received(frame, now)
    ended = tracker.ended(frame, now)
    return [*facts, ended] if ended else facts


def run_one_by_one(tracker: TurnTracker, what: str, frames: int, clock: Clock) -> list[Fact]:
    facts: list[Fact] = []
    for _ in range(frames):
        clock.wait(20)
        if what != "model":
            facts += fed(tracker, read_frame(Direction.SENT, json.dumps(microphone())), clock.now)
        if what != "microphone":
            facts += fed(tracker, read_frame(Direction.RECEIVED, json.dumps(audio())), clock.now)
    return facts


def run_at_once(tracker: TurnTracker, what: str, frames: int, clock: Clock) -> None:
    clock.wait(20 * frames)
    if what != "model":
        tracker.listened(clock.now)
    if what != "microphone":
        tracker.spoke(40 * frames, clock.now)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["microphone", "model"]), st.integers(1, 5)), max_size=20))
def test_audio_alone_may_be_said_without_its_frame(runs: list[tuple[str, int]]) -> None:
    by_frame, by_call = TurnTracker(SessionState("s")), TurnTracker(SessionState("s"))
    clock, other = Clock(), Clock()
    for what, frames in runs:
        run_one_by_one(by_frame, what, frames, clock)
        for _ in range(frames):
            run_at_once(by_call, what, 1, other)
        assert by_call.number == by_frame.number
    assert by_call.connection_closed(other.now) == by_frame.connection_closed(clock.now)


# Numbers across connections.


def test_numbers_go_on_across_a_resumed_connection() -> None:
    process = Process()
    first = process.connect("c1")
    whole_turn(first)
    first.server(new_handle("h1"))
    first.client(microphone())
    first.close()
    second = process.connect("c2", handle="h1")
    whole_turn(second)
    second.flush()
    assert [turn.turn for turn in [*first.facts_of(TurnEnded), *second.facts_of(TurnEnded)]] == [1, 2]
    assert list(second.fact_of(FramesRecorded).turns) == [1, 1, 2, 2, 2]


def test_two_connections_of_a_session_that_overlap_never_count_back() -> None:
    process = Process()
    identity = Identity("s")
    old, new = process.connect("c1", identity=identity), process.connect("c2", identity=identity)
    old.client(ask())
    for _ in range(3):
        whole_turn(new)
    old.server(bundle(audio(), TURN_COMPLETE))
    whole_turn(new)
    assert [turn.turn for turn in new.facts_of(TurnEnded)] == [1, 2, 3, 4]
