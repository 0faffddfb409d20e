"""Transcripts: how much came and how long none did, late pieces, and the pieces where content is on."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livemeter.observer.clock import Instant
from livemeter.observer.connection import ConnectionObserver
from livemeter.observer.facts import FramesRecorded, TranscriptPiece, TurnEnded
from livemeter.observer.frames import read_frame
from livemeter.observer.sessions import SessionState
from livemeter.observer.transcripts import TranscriptGap, TranscriptSize
from livemeter.observer.turns import TurnTracker
from livemeter.vocabulary import Direction, Side, TurnEnd
from tests.observer.harness import (
    ACTIVITY_END,
    ACTIVITY_START,
    INTERRUPTED,
    REALTIME_TEXT,
    SETUP_COMPLETE,
    SPELLINGS,
    START,
    TURN_COMPLETE,
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
    said,
    setup,
    tool_call,
    whole_turn,
    words,
)

CONTENT_LEFT_OPEN = ask("", turn_complete=False)
VOICE_START: Json = {"voiceActivity": {"type": "ACTIVITY_START"}}
VOICE_END: Json = {"voiceActivity": {"type": "ACTIVITY_END"}}


def with_content() -> Line:
    """A ready connection whose application switched content on."""
    process = Process()
    observer = ConnectionObserver("c1", process.directory, process.clock.now, capture_content=True)
    line = Line(observer, process.clock)
    line.client(setup())
    line.server(SETUP_COMPLETE)
    return line


def gap_of(line: Line) -> float | None:
    line.server(audio(), after_ms=9_000)
    line.server(TURN_COMPLETE)
    return line.facts_of(TurnEnded)[-1].transcript_longest_gap_ms


def pieces(line: Line) -> list[tuple[int, str]]:
    return [(fact.turn, fact.text) for fact in line.facts_of(TranscriptPiece)]


def chars(line: Line) -> list[tuple[int, int, int]]:
    """Turn, and its characters of the user and of the model."""
    return [
        (turn.turn, turn.transcript_chars_in, turn.transcript_chars_out) for turn in line.facts_of(TurnEnded)
    ]


# How long no piece came.


@pytest.mark.parametrize(
    ("waits_ms", "gap_ms"),
    [
        # From the start of the speech to the first piece, between pieces, and to its end.
        ((5_000, 300, 200), 5_000),
        ((300, 5_000, 200), 5_000),
        ((300, 200, 5_000), 5_000),
    ],
)
@pytest.mark.parametrize("marked", [True, False])
def test_the_longest_time_without_a_piece_while_the_user_spoke(
    waits_ms: tuple[float, float, float], gap_ms: float, *, marked: bool
) -> None:
    line = live()
    if marked:
        line.client(ACTIVITY_START, after_ms=20_000)
    else:
        line.server(VOICE_START, after_ms=20_000)
    line.server(heard("one"), after_ms=waits_ms[0])
    line.server(heard("two"), after_ms=waits_ms[1])
    if marked:
        line.client(ACTIVITY_END, after_ms=waits_ms[2])
    else:
        line.server(VOICE_END, after_ms=waits_ms[2])
    assert gap_of(line) == gap_ms


def test_speech_without_any_piece_is_one_gap() -> None:
    line = live()
    line.client(ACTIVITY_START)
    line.client(ACTIVITY_END, after_ms=7_000)
    assert gap_of(line) == 7_000


def test_silence_between_two_speeches_and_after_them_is_no_gap() -> None:
    line = live()
    for _ in range(2):
        line.client(ACTIVITY_START, after_ms=30_000)
        line.server(heard("words"), after_ms=400)
        line.client(ACTIVITY_END, after_ms=300)
        line.server(heard("late words"), after_ms=8_000)
    assert gap_of(line) == 400


@pytest.mark.parametrize("ending", [ACTIVITY_END, CONTENT_LEFT_OPEN])
def test_a_flush_does_not_divide_a_gap(ending: Json) -> None:
    line = live()
    line.client(ACTIVITY_START)
    line.server(heard("words"), after_ms=100)
    line.client(ending, after_ms=2_000)
    line.client(ACTIVITY_START, after_ms=500)
    line.server(heard("words"), after_ms=1_500)
    line.client(ACTIVITY_END, after_ms=100)
    # 2,000 + 500 + 1,500
    assert gap_of(line) == 4_000


def test_a_piece_in_the_pause_of_a_flush_ends_a_gap() -> None:
    line = live()
    line.client(ACTIVITY_START)
    line.client(ACTIVITY_END, after_ms=2_000)
    line.server(heard("words"), after_ms=300)
    line.client(ACTIVITY_START, after_ms=200)
    line.client(ACTIVITY_END, after_ms=2_500)
    # 2,000 before it; 200 + 2,500 after it
    assert gap_of(line) == 2_700


def test_a_start_that_is_told_again_divides_no_gap() -> None:
    line = live()
    line.client(ACTIVITY_START)
    line.client(ACTIVITY_START, after_ms=3_000)
    line.server(heard("words"), after_ms=1_000)
    line.client(ACTIVITY_END)
    # 3,000 + 1,000
    assert gap_of(line) == 4_000


def test_what_the_server_detects_within_a_marked_speech_divides_no_gap() -> None:
    line = live()
    line.client(ACTIVITY_START)
    line.server(VOICE_START, after_ms=1_000)
    line.server(VOICE_END, after_ms=1_000)
    line.server(heard("words"), after_ms=1_000)
    line.client(ACTIVITY_END)
    assert gap_of(line) == 3_000


def test_a_flush_after_an_activity_whose_start_nobody_saw_begins_a_gap() -> None:
    line = live()
    line.client(ACTIVITY_END)
    line.client(ACTIVITY_START, after_ms=10)
    line.client(ACTIVITY_END, after_ms=700)
    assert gap_of(line) == 700


def test_transcription_that_stopped_is_a_gap_until_the_connection_closes() -> None:
    line = live()
    line.client(ACTIVITY_START)
    line.server(heard("words"), after_ms=1_000)
    for _ in range(50):
        line.client(microphone(), after_ms=20)
    line.close(after_ms=60_000)
    # 50 times 20, then 60,000
    assert line.fact_of(TurnEnded).transcript_longest_gap_ms == 61_000


def test_a_gap_goes_on_into_the_next_turn_where_the_user_speaks_on() -> None:
    line = live()
    line.client(ACTIVITY_START)
    line.server(bundle(audio(), TURN_COMPLETE), after_ms=3_000)
    line.server(heard("words"), after_ms=2_000)
    line.client(ACTIVITY_END)
    line.server(bundle(audio(), TURN_COMPLETE))
    # 3,000, and 3,000 + 2,000
    assert [turn.transcript_longest_gap_ms for turn in line.facts_of(TurnEnded)] == [3_000, 5_000]


def test_every_turn_has_its_own_longest_gap() -> None:
    line = live()
    for wait_ms in (4_000, 1_000):
        line.client(ACTIVITY_START)
        line.server(heard("words"), after_ms=wait_ms)
        line.client(ACTIVITY_END)
        gap_of(line)
    assert [turn.transcript_longest_gap_ms for turn in line.facts_of(TurnEnded)] == [4_000, 1_000]


def test_without_marks_only_the_time_between_pieces_is_known() -> None:
    line = live()
    line.client(microphone())
    for wait_ms in (5_000, 700, 900):
        line.server(heard("words"), after_ms=wait_ms)
    assert gap_of(line) == 900


@pytest.mark.parametrize("frames", [[], [heard("words")], [heard("words"), heard(""), said("words")]])
def test_without_marks_and_two_pieces_the_gap_is_unknown(frames: list[Json]) -> None:
    line = live()
    for frame in frames:
        line.server(frame, after_ms=700)
    assert gap_of(line) is None


def test_without_marks_the_models_own_speech_is_no_gap() -> None:
    line = live()
    line.server(heard("Tell me a story"))
    line.server(bundle(heard("please"), audio()), after_ms=300)
    line.server(audio(), after_ms=5_000)
    line.server(heard("stop"), after_ms=10_000)
    line.server(bundle(INTERRUPTED, TURN_COMPLETE))
    assert line.fact_of(TurnEnded).transcript_longest_gap_ms == 300


def test_without_marks_the_models_own_speech_is_no_gap_either_where_it_is_said_as_a_run() -> None:
    tracker = TurnTracker(SessionState("s"))
    for message in (audio(), heard("Well")):
        tracker.received(read_frame(Direction.RECEIVED, json.dumps(message)), START)
    tracker.spoke(5_000, _after(START, 5_000))
    tracker.received(read_frame(Direction.RECEIVED, json.dumps(heard("stop"))), _after(START, 6_000))
    turn = tracker.connection_closed(_after(START, 6_000))
    assert turn is not None
    assert turn.transcript_longest_gap_ms is None


def test_without_marks_a_gap_does_not_span_two_turns() -> None:
    line = live()
    for _ in range(2):
        line.client(ask())
        line.server(heard("words"), after_ms=2_000)
        line.server(TURN_COMPLETE)
    assert [turn.transcript_longest_gap_ms for turn in line.facts_of(TurnEnded)] == [None, None]


_WAITS = st.lists(st.integers(min_value=0, max_value=10_000), max_size=10)


@given(_WAITS, st.integers(min_value=0, max_value=10_000))
def test_the_longest_gap_of_one_speech_is_the_longest_wait_in_it(waits_ms: list[int], last_ms: int) -> None:
    gap, now = TranscriptGap(), START
    gap.speech_began(now, goes_on=False)
    for wait_ms in waits_ms:
        now = _after(now, wait_ms)
        gap.piece(now)
    now = _after(now, last_ms)
    gap.speech_ended(now)
    assert gap.take(_after(now, 99_999)) == max([*waits_ms, last_ms])


def _after(now: Instant, milliseconds: int) -> Instant:
    return Instant(now.monotonic_ns + milliseconds * 1_000_000, now.wall_ns)


@given(st.lists(st.text(max_size=20), max_size=20))
def test_pieces_add_up_to_the_size_of_the_whole(texts: list[str]) -> None:
    size, rest = TranscriptSize(), TranscriptSize()
    for number, piece in enumerate(texts):
        (size if number % 2 else rest).add(piece)
    whole = "".join(texts)
    assert size + rest == TranscriptSize(len(whole), len(whole.encode()))


# Late pieces.


@pytest.mark.parametrize("piece", [heard("late"), said("late")])
def test_a_piece_after_turn_complete_belongs_to_the_turn_that_ended_and_opens_none(piece: Json) -> None:
    line = with_content()
    whole_turn(line)
    line.flush()
    line.server(piece, after_ms=1_500)
    line.flush()
    assert pieces(line) == [(1, "late")]
    assert list(line.facts_of(FramesRecorded)[-1].turns) == [1]
    whole_turn(line)
    assert [turn.turn for turn in line.facts_of(TurnEnded)] == [1, 2]


def test_late_characters_are_counted_in_the_next_turn_that_ends() -> None:
    line = live()
    whole_turn(line)
    line.server(said("late"))
    line.server(heard("so late"))
    whole_turn(line)
    whole_turn(line)
    assert chars(line) == [(1, 0, 0), (2, 7, 4), (3, 0, 0)]


def test_late_characters_that_no_turn_follows_are_counted_when_the_connection_closes() -> None:
    line = live()
    whole_turn(line)
    line.server(said("late"))
    line.close()
    assert chars(line) == [(1, 0, 0), (2, 0, 4)]
    last = line.facts_of(TurnEnded)[-1]
    assert (last.has_output, last.end_reason) == (False, TurnEnd.CONNECTION_CLOSED)


@pytest.mark.parametrize(("piece", "counted"), [(heard("late"), (2, 4, 0)), (said("late"), (2, 0, 4))])
@pytest.mark.parametrize(("after_ms", "turn"), [(1_000, 1), (1_001, 2)])
def test_while_a_microphone_streams_on_a_piece_is_late_for_a_second(
    piece: Json, counted: tuple[int, int, int], after_ms: float, turn: int
) -> None:
    """Later it is more likely of the next exchange, which nobody marked."""
    line = with_content()
    whole_turn(line)
    line.client(microphone())
    line.server(piece, after_ms=after_ms)
    assert pieces(line) == [(turn, "late")]
    line.close()
    assert chars(line) == [(1, 0, 0), counted]


@pytest.mark.parametrize("since", [ask(), REALTIME_TEXT, ACTIVITY_START, ACTIVITY_END])
@pytest.mark.parametrize("piece", [heard("next"), said("next")])
def test_a_piece_after_something_was_asked_belongs_to_the_next_turn(since: Json, piece: Json) -> None:
    line = with_content()
    whole_turn(line)
    line.client(since)
    line.server(piece)
    assert pieces(line) == [(2, "next")]


@pytest.mark.parametrize("since", [audio(), words("Hm"), tool_call({"id": "a", "name": "f"}), VOICE_START])
def test_a_piece_after_the_server_went_on_belongs_to_the_next_turn(since: Json) -> None:
    line = with_content()
    whole_turn(line)
    line.server(since)
    line.server(said("next"))
    line.server(heard("next"))
    assert pieces(line) == [(2, "next"), (2, "next")]


def test_a_piece_that_comes_with_output_belongs_to_the_turn_of_the_output() -> None:
    line = with_content()
    whole_turn(line)
    line.server(bundle(audio(), heard("next"), said("next")))
    assert pieces(line) == [(2, "next"), (2, "next")]


def test_a_piece_that_comes_with_turn_complete_belongs_to_the_turn_that_ends() -> None:
    line = with_content()
    line.client(ask())
    line.server(bundle(audio(), said("Hi"), TURN_COMPLETE))
    assert pieces(line) == [(1, "Hi")]
    assert chars(line) == [(1, 0, 2)]


def test_the_words_of_a_user_who_interrupts_are_the_next_turns() -> None:
    line = with_content()
    line.client(ask())
    line.server(bundle(audio(), INTERRUPTED, TURN_COMPLETE))
    line.server(said("cut off"))
    line.server(heard("Stop"))
    assert pieces(line) == [(1, "cut off"), (2, "Stop")]


def test_the_words_of_a_user_who_speaks_on_are_the_next_turns() -> None:
    line = with_content()
    line.client(ACTIVITY_START)
    line.server(bundle(audio(), TURN_COMPLETE))
    line.server(heard("as I said"))
    assert pieces(line) == [(2, "as I said")]


@pytest.mark.parametrize(("after_ms", "turn"), [(1_000, 1), (1_001, 2)])
def test_after_a_question_that_interrupted_a_piece_is_late_for_a_second(after_ms: float, turn: int) -> None:
    line = with_content()
    line.client(ask())
    line.server(audio())
    line.client(REALTIME_TEXT)
    line.server(bundle(INTERRUPTED, TURN_COMPLETE))
    line.server(said("Well"), after_ms=after_ms)
    assert pieces(line) == [(turn, "Well")]


def test_the_first_piece_of_a_connection_is_not_late() -> None:
    line = with_content()
    line.server(said("Welcome"))
    assert pieces(line) == [(1, "Welcome")]


# Pieces as they came, where content is on.


@pytest.mark.parametrize("spelled", SPELLINGS)
def test_pieces_are_told_as_they_came_where_content_is_on(spelled: Spelling) -> None:
    line = with_content()
    line.client(ask())
    line.server(spelled(heard("Grü")), after_ms=10)
    line.server(spelled(bundle(audio(), heard("ße"), said("Hi"))), after_ms=10)
    at_ns = START.wall_ns
    assert line.facts_of(TranscriptPiece) == [
        TranscriptPiece(at_ns + 10_000_000, 1, Side.INPUT, "Grü"),
        TranscriptPiece(at_ns + 20_000_000, 1, Side.INPUT, "ße"),
        TranscriptPiece(at_ns + 20_000_000, 1, Side.OUTPUT, "Hi"),
    ]


def test_no_piece_is_told_where_content_is_off() -> None:
    line = live()
    line.client(ask())
    line.server(heard("Hello"))
    line.server(said("Hi"))
    line.server(TURN_COMPLETE)
    line.close()
    assert line.facts_of(TranscriptPiece) == []
    assert "Hello" not in repr(line.facts)


@pytest.mark.parametrize("text", [None, "", 7, ["Hi"], {"text": "Hi"}])
def test_what_is_no_text_is_no_piece(text: object) -> None:
    line = with_content()
    line.server(
        {"serverContent": {"inputTranscription": {"text": text}, "outputTranscription": {"text": text}}}
    )
    line.close()
    assert line.facts_of(TranscriptPiece) == []
    assert line.facts_of(TurnEnded) == []


def test_a_piece_that_will_be_superseded_is_none() -> None:
    line = with_content()
    line.server({"serverContent": {"interimInputTranscription": {"text": "Hel"}}})
    line.close()
    assert line.facts_of(TranscriptPiece) == []
    assert line.facts_of(TurnEnded) == []
