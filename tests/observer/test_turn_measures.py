"""What is measured in a turn: first audio, speech of both sides, transcripts, grounding."""

import pytest

from livemeter.observer.facts import TurnEnded
from tests.observer.harness import (
    ACTIVITY_END,
    ACTIVITY_START,
    CAMERA,
    INTERRUPTED,
    REALTIME_TEXT,
    TURN_COMPLETE,
    Json,
    Line,
    ask,
    audio,
    bundle,
    heard,
    live,
    microphone,
    said,
    tool_call,
    tool_response,
    whole_turn,
    words,
)


def first_audio(line: Line) -> tuple[float | None, str]:
    (turn,) = line.facts_of(TurnEnded)
    return turn.first_audio_ms, turn.first_audio_from


def answer(line: Line, *, after_ms: float) -> None:
    line.server(audio(), after_ms=after_ms)
    line.server(TURN_COMPLETE, after_ms=1_000)


@pytest.mark.parametrize(
    ("asking", "measured_from"),
    [
        (microphone(), "last_audio_sent"),
        (REALTIME_TEXT, "text"),
        (ask(), "client_content"),
        (ACTIVITY_END, "activity_end"),
        (tool_response({"id": "a", "response": {}}), "tool_response"),
    ],
)
def test_first_audio_is_measured_from_the_input_that_asked(asking: Json, measured_from: str) -> None:
    line = live()
    line.client(asking, after_ms=100)
    answer(line, after_ms=250)
    assert first_audio(line) == (250, measured_from)


def test_first_audio_is_measured_from_the_last_audio_that_was_sent() -> None:
    line = live()
    for _ in range(3):
        line.client(microphone(), after_ms=20)
    answer(line, after_ms=300)
    assert first_audio(line) == (300, "last_audio_sent")


def test_a_picture_is_not_what_the_answer_waited_for() -> None:
    line = live()
    line.client(microphone())
    line.client(CAMERA, after_ms=50)
    line.client({"realtimeInput": {"mediaChunks": [{"mimeType": "image/jpeg", "data": "AAAA"}]}}, after_ms=50)
    line.client({"realtimeInput": {"audioStreamEnd": True}}, after_ms=50)
    answer(line, after_ms=100)
    # 50 + 50 + 50 + 100 since the microphone
    assert first_audio(line) == (250, "last_audio_sent")


def test_audio_in_media_chunks_is_audio() -> None:
    line = live()
    line.client({"realtimeInput": {"mediaChunks": [microphone()["realtimeInput"]["audio"]]}})
    answer(line, after_ms=100)
    assert first_audio(line) == (100, "last_audio_sent")


@pytest.mark.parametrize(
    ("asking", "measured_from"),
    [(REALTIME_TEXT, "text"), (ask(), "client_content"), (ACTIVITY_END, "activity_end")],
)
def test_a_microphone_that_streams_on_does_not_move_what_was_asked(asking: Json, measured_from: str) -> None:
    line = live()
    line.client(microphone())
    line.client(asking, after_ms=20)
    for _ in range(5):
        line.client(microphone(), after_ms=20)
    answer(line, after_ms=200)
    # five times 20, then 200
    assert first_audio(line) == (300, measured_from)


def test_content_that_does_not_complete_a_turn_asks_for_nothing_yet() -> None:
    line = live()
    line.client(microphone())
    line.client(ask(turn_complete=False), after_ms=400)
    answer(line, after_ms=200)
    # 400 + 200
    assert first_audio(line) == (600, "last_audio_sent")


def test_only_the_first_audio_counts_and_text_before_it_does_not() -> None:
    line = live()
    line.client(ask())
    line.server(words("Hm"), after_ms=100)
    line.server(audio(), after_ms=150)
    line.server(audio(), after_ms=500)
    line.server(TURN_COMPLETE)
    # 100 + 150
    assert first_audio(line) == (250, "client_content")


def test_first_audio_after_a_tool_is_still_measured_from_the_question() -> None:
    line = live()
    line.client(ask())
    line.server(audio(), after_ms=300)
    line.server(tool_call({"id": "a", "name": "f"}))
    line.client(tool_response({"id": "a", "name": "f", "response": {}}), after_ms=2_000)
    answer(line, after_ms=100)
    assert first_audio(line) == (300, "client_content")


def test_user_speech_is_known_where_both_ends_are_marked() -> None:
    line = live()
    line.client(ACTIVITY_START)
    line.client(microphone(), after_ms=700)
    line.client(ACTIVITY_END, after_ms=500)
    answer(line, after_ms=100)
    # 700 + 500
    assert line.fact_of(TurnEnded).user_speech_ms == 1_200


def test_user_speech_in_pieces_adds_up() -> None:
    line = live()
    for _ in range(2):
        line.client(ACTIVITY_START, after_ms=50)
        line.client(ACTIVITY_END, after_ms=400)
    answer(line, after_ms=100)
    assert line.fact_of(TurnEnded).user_speech_ms == 800


def test_a_start_marked_again_does_not_shorten_the_speech() -> None:
    """Some applications flush the transcript with an unfinished content and another activityStart."""
    line = live()
    line.client(ACTIVITY_START)
    line.client(ask(turn_complete=False), after_ms=15_000)
    line.client(ACTIVITY_START)
    line.client(ACTIVITY_END, after_ms=13_000)
    answer(line, after_ms=100)
    # 15,000 + 13,000
    assert line.fact_of(TurnEnded).user_speech_ms == 28_000


def test_who_interrupts_has_spoken_since_the_interruption() -> None:
    """The speech began in the turn that it interrupted and belongs to the one that it asks for."""
    line = live()
    whole_turn(line)
    line.client(ask())
    line.server(audio())
    line.client(ACTIVITY_START)
    line.server(bundle(INTERRUPTED, TURN_COMPLETE), after_ms=200)
    line.client(ACTIVITY_END, after_ms=900)
    answer(line, after_ms=100)
    # 200 + 900, in the third turn
    assert [turn.user_speech_ms for turn in line.facts_of(TurnEnded)] == [None, None, 1_100]


@pytest.mark.parametrize("marks", [[ACTIVITY_END], [microphone()], [ACTIVITY_START]])
def test_user_speech_with_one_end_or_none_is_unknown(marks: list[Json]) -> None:
    line = live()
    for mark in marks:
        line.client(mark, after_ms=100)
    answer(line, after_ms=100)
    assert line.fact_of(TurnEnded).user_speech_ms is None


def test_transcripts_are_measured_and_not_kept() -> None:
    line = live()
    for piece in ("Grü", "ße"):
        line.server(heard(piece))
    line.server({"serverContent": {"interimInputTranscription": {"text": "not final"}}})
    for piece in ("Hi ", "there", "!"):
        line.server(said(piece))
    answer(line, after_ms=0)
    turn = line.fact_of(TurnEnded)
    # "Grüße" is five characters, of which ü and ß take two bytes; "Hi there!" is nine of one.
    assert (turn.transcript_chars_in, turn.transcript_bytes_in) == (5, 7)
    assert (turn.transcript_chars_out, turn.transcript_bytes_out) == (9, 9)
    assert "Gr" not in repr(line.facts)
    assert "there" not in repr(line.facts)


def test_a_grounding_query_that_is_told_again_counts_once_a_turn() -> None:
    def grounded(*queries: str) -> Json:
        return {"serverContent": {"groundingMetadata": {"webSearchQueries": list(queries)}}}

    line = live()
    line.client(ask())
    for queries in (("a",), ("a", "b"), ("b",)):
        line.server(bundle(audio(), grounded(*queries)))
    line.server(TURN_COMPLETE)
    line.client(ask())
    line.server(bundle(audio(), grounded("a"), TURN_COMPLETE))
    assert [turn.grounding_queries for turn in line.facts_of(TurnEnded)] == [2, 1]
