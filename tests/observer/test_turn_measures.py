"""What is measured in a turn: first audio, speech of both sides, transcripts, grounding."""

import pytest

from livemeter.observer.asking import Asking
from livemeter.observer.facts import TurnEnded
from livemeter.observer.open_turn import MAX_GROUNDING_QUERIES, OpenTurn
from tests.observer.harness import (
    ACTIVITY_END,
    ACTIVITY_START,
    CAMERA,
    INTERRUPTED,
    REALTIME_TEXT,
    START,
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

VOICE_START: Json = {"voiceActivity": {"type": "ACTIVITY_START"}}
VOICE_END: Json = {"voiceActivity": {"type": "ACTIVITY_END"}}


def first_audio(line: Line) -> tuple[float | None, str]:
    (turn,) = line.facts_of(TurnEnded)
    return turn.first_audio_ms, turn.first_audio_from


def answer(line: Line, *, after_ms: float) -> None:
    line.server(audio(), after_ms=after_ms)
    line.server(TURN_COMPLETE, after_ms=1_000)


CALL = tool_call({"id": "a", "name": "f"})


def called_for(line: Line, asking: Json) -> None:
    """A tool response answers a call; anything else needs none."""
    if "toolResponse" in asking:
        line.server(CALL)


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
    called_for(line, asking)
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


@pytest.mark.parametrize("complete", [{}, {"turnComplete": None}, {"turnComplete": "true"}])
def test_content_asks_only_where_it_says_that_the_turn_is_complete(complete: Json) -> None:
    """The protocol's default is to wait for more."""
    line = live()
    line.client({"clientContent": {"turns": [], **complete}})
    answer(line, after_ms=200)
    assert first_audio(line) == (None, "")


def test_a_model_that_spoke_before_anything_was_asked_has_no_time_to_first_audio() -> None:
    line = live()
    line.server(audio())
    line.client(ask(), after_ms=100)
    answer(line, after_ms=300)
    assert first_audio(line) == (None, "")


def test_words_of_the_model_do_not_decide_what_its_first_audio_waited_for() -> None:
    line = live()
    line.server(words("Hm"))
    line.client(ask(), after_ms=100)
    answer(line, after_ms=300)
    assert first_audio(line) == (300, "client_content")


# The end of speech, as the server heard it.


def test_the_end_of_speech_that_the_server_heard_is_better_than_the_last_audio() -> None:
    """The microphone streams on through the silence."""
    line = live()
    line.client(microphone())
    line.server(VOICE_START, after_ms=100)
    line.server(VOICE_END, after_ms=2_000)
    for _ in range(5):
        line.client(microphone(), after_ms=100)
    answer(line, after_ms=50)
    # five times 100, then 50
    assert first_audio(line) == (550, "voice_activity_end")


def test_of_several_ends_of_speech_the_last_counts() -> None:
    line = live()
    line.server(VOICE_END)
    line.server(VOICE_END, after_ms=700)
    answer(line, after_ms=300)
    assert first_audio(line) == (300, "voice_activity_end")


@pytest.mark.parametrize(
    ("asking", "measured_from"),
    [
        (REALTIME_TEXT, "text"),
        (ask(), "client_content"),
        (ACTIVITY_END, "activity_end"),
        (tool_response({"id": "a", "response": {}}), "tool_response"),
    ],
)
def test_of_speech_and_any_other_request_the_later_counts(asking: Json, measured_from: str) -> None:
    line = live()
    called_for(line, asking)
    line.server(VOICE_END)
    line.client(asking, after_ms=100)
    answer(line, after_ms=200)
    called_for(line, asking)
    line.client(asking)
    line.server(VOICE_END, after_ms=100)
    answer(line, after_ms=300)
    measured = [(turn.first_audio_ms, turn.first_audio_from) for turn in line.facts_of(TurnEnded)]
    assert measured == [(200, measured_from), (300, "voice_activity_end")]


def test_the_beginning_of_speech_asks_for_nothing() -> None:
    line = live()
    line.client(microphone())
    line.server(VOICE_START, after_ms=100)
    answer(line, after_ms=200)
    assert first_audio(line) == (300, "last_audio_sent")


# What is asked while the model speaks.


def interrupted_by(line: Line, asking: Json) -> None:
    """The model speaks; 100 ms later it is asked something else, goes on for 200 ms and is interrupted."""
    line.client(ask())
    line.server(audio())
    line.client(asking, after_ms=100)
    line.server(audio(), after_ms=200)
    line.server(INTERRUPTED)
    line.server(TURN_COMPLETE)


@pytest.mark.parametrize(
    ("asking", "measured_from"),
    [
        (REALTIME_TEXT, "text"),
        (ask(), "client_content"),
        (ACTIVITY_END, "activity_end"),
        (microphone(), "last_audio_sent"),
    ],
)
def test_the_next_turn_is_measured_from_what_interrupted_the_one_before(
    asking: Json, measured_from: str
) -> None:
    line = live()
    interrupted_by(line, asking)
    answer(line, after_ms=150)
    interrupted, answered = line.facts_of(TurnEnded)
    assert (interrupted.first_audio_ms, interrupted.first_audio_from) == (0, "client_content")
    # 200 + 150
    assert (answered.first_audio_ms, answered.first_audio_from) == (350, measured_from)


def test_the_next_turn_is_measured_from_speech_that_ended_before_the_interrupted_one_did() -> None:
    line = live()
    line.client(ask())
    line.server(audio())
    line.server(VOICE_START)
    line.server(INTERRUPTED, after_ms=100)
    line.server(VOICE_END, after_ms=900)
    line.server(TURN_COMPLETE, after_ms=50)
    line.client(microphone())
    answer(line, after_ms=200)
    measured = [(turn.first_audio_ms, turn.first_audio_from) for turn in line.facts_of(TurnEnded)]
    # 50 + 200
    assert measured == [(0, "client_content"), (250, "voice_activity_end")]


def test_a_microphone_that_streams_on_does_not_move_what_interrupted() -> None:
    line = live()
    interrupted_by(line, REALTIME_TEXT)
    line.client(microphone(), after_ms=50)
    answer(line, after_ms=100)
    # 200 + 50 + 100
    assert line.facts_of(TurnEnded)[1].first_audio_ms == 350


def test_what_is_asked_in_the_next_turn_itself_comes_later() -> None:
    line = live()
    interrupted_by(line, REALTIME_TEXT)
    line.client(ask(), after_ms=50)
    answer(line, after_ms=100)
    turn = line.facts_of(TurnEnded)[1]
    assert (turn.first_audio_ms, turn.first_audio_from) == (100, "client_content")


def test_what_is_asked_in_a_turn_that_was_not_interrupted_stays_there() -> None:
    line = live()
    line.client(ask())
    line.server(audio())
    line.client(REALTIME_TEXT, after_ms=100)
    line.server(TURN_COMPLETE, after_ms=100)
    answer(line, after_ms=100)
    turn = line.facts_of(TurnEnded)[1]
    assert (turn.first_audio_ms, turn.first_audio_from) == (None, "")


def test_what_the_first_audio_was_measured_from_is_answered_even_if_it_is_interrupted() -> None:
    line = live()
    line.client(ask())
    line.server(tool_call({"id": "a", "name": "f"}))
    line.client(REALTIME_TEXT, after_ms=100)
    line.server(audio(), after_ms=200)
    line.server(bundle(INTERRUPTED, TURN_COMPLETE), after_ms=300)
    answer(line, after_ms=400)
    measured = [(turn.first_audio_ms, turn.first_audio_from) for turn in line.facts_of(TurnEnded)]
    assert measured == [(200, "text"), (None, "")]


def test_a_tool_response_after_which_the_model_went_on_is_answered() -> None:
    line = live()
    line.server(CALL)
    interrupted_by(line, tool_response({"id": "a", "response": {}}))
    line.client(microphone(), after_ms=5_000)
    answer(line, after_ms=200)
    turn = line.facts_of(TurnEnded)[1]
    assert (turn.first_audio_ms, turn.first_audio_from) == (200, "last_audio_sent")


def test_what_is_asked_after_an_answered_tool_response_is_still_to_be_answered() -> None:
    line = live()
    line.client(ask())
    line.server(audio())
    line.server(CALL)
    line.client(tool_response({"id": "a", "response": {}}))
    line.server(audio())
    line.client(REALTIME_TEXT)
    line.server(bundle(INTERRUPTED, TURN_COMPLETE), after_ms=100)
    answer(line, after_ms=200)
    turn = line.facts_of(TurnEnded)[1]
    assert (turn.first_audio_ms, turn.first_audio_from) == (300, "text")


def test_a_tool_response_that_interrupted_the_model_is_answered_next() -> None:
    line = live()
    line.client(ask())
    line.server(audio())
    line.server(CALL)
    line.client(tool_response({"id": "a", "response": {}}))
    line.server(bundle(INTERRUPTED, TURN_COMPLETE), after_ms=100)
    answer(line, after_ms=200)
    turn = line.facts_of(TurnEnded)[1]
    assert (turn.first_audio_ms, turn.first_audio_from) == (300, "tool_response")


def test_speech_that_ends_after_the_interruption_counts_where_it_is_answered() -> None:
    line = live()
    line.client(ACTIVITY_START)
    line.client(ACTIVITY_END, after_ms=1_000)
    line.server(audio())
    line.client(ACTIVITY_START, after_ms=3_000)
    line.server(INTERRUPTED, after_ms=200)
    line.client(ACTIVITY_END, after_ms=500)
    line.server(TURN_COMPLETE, after_ms=10)
    answer(line, after_ms=90)
    spoken = [(turn.user_speech_ms, turn.first_audio_ms) for turn in line.facts_of(TurnEnded)]
    # 200 + 500 of speech; 10 + 90 since its end
    assert spoken == [(1_000, 0), (700, 100)]


def test_speech_after_an_interruption_is_not_lost_with_the_connection() -> None:
    line = live()
    line.client(ask())
    line.server(audio())
    line.client(ACTIVITY_START)
    line.server(INTERRUPTED, after_ms=200)
    line.client(ACTIVITY_END, after_ms=500)
    line.close()
    assert line.fact_of(TurnEnded).user_speech_ms == 700


def test_speech_that_was_flushed_is_not_lost_with_the_connection() -> None:
    """Nothing was asked yet, and nothing else was said in the turn that it belongs to."""
    line = live()
    line.client(ask())
    line.server(audio())
    line.client(ACTIVITY_START)
    line.client(ACTIVITY_END, after_ms=900)
    line.client(ACTIVITY_START, after_ms=10)
    line.server(bundle(INTERRUPTED, TURN_COMPLETE))
    line.close()
    assert [turn.user_speech_ms for turn in line.facts_of(TurnEnded)] == [None, 900]


def test_speech_that_interrupted_nothing_counts_where_it_was() -> None:
    line = live()
    line.client(ACTIVITY_START)
    line.client(ACTIVITY_END, after_ms=1_000)
    line.server(audio())
    line.client(ACTIVITY_START, after_ms=3_000)
    line.client(ACTIVITY_END, after_ms=300)
    answer(line, after_ms=100)
    assert line.fact_of(TurnEnded).user_speech_ms == 1_300


# What else counts.


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


def test_first_audio_that_waited_for_a_tool_is_measured_from_its_response() -> None:
    line = live()
    line.client(ACTIVITY_END)
    line.server(tool_call({"id": "a", "name": "f"}), after_ms=400)
    line.client(tool_response({"id": "a", "name": "f", "response": {}}), after_ms=2_000)
    answer(line, after_ms=100)
    assert first_audio(line) == (100, "tool_response")


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


def test_what_is_remembered_of_grounding_queries_is_bounded_and_no_text() -> None:
    turn = OpenTurn(1, START, "", Asking())
    turn.grounded(f"secret {number}" for number in range(MAX_GROUNDING_QUERIES + 5))
    turn.grounded(["secret 0"])
    assert len(turn.grounding_queries) == MAX_GROUNDING_QUERIES
    assert "secret" not in repr(turn)
