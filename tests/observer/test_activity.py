"""When the user spoke: marked by the application, detected by the server, ended for a flush alone."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livemeter.observer.clock import Instant
from livemeter.observer.facts import Fact, Flushed, TurnEnded, VoiceActivityDetected
from livemeter.observer.frames import read_frame
from livemeter.observer.sessions import SessionState
from livemeter.observer.turns import TurnTracker
from livemeter.vocabulary import Direction, FlushSpelling
from tests.observer.harness import (
    ACTIVITY_END,
    ACTIVITY_START,
    INTERRUPTED,
    REALTIME_TEXT,
    SPELLINGS,
    START,
    STILL_WORKING,
    TURN_COMPLETE,
    Json,
    Line,
    Spelling,
    ask,
    audio,
    bundle,
    heard,
    live,
    microphone,
    tool_call,
    tool_response,
    whole_turn,
    words,
)
from tests.observer.strategies import JSON_VALUES, TRAPS

CONTENT_LEFT_OPEN = ask("", turn_complete=False)


def voice(kind: str, offset: str | None = None) -> Json:
    return {"voiceActivity": {"type": kind, **({"audioOffset": offset} if offset else {})}}


def answer(line: Line, *, after_ms: float = 0) -> TurnEnded:
    line.server(audio(), after_ms=after_ms)
    line.server(TURN_COMPLETE)
    return line.facts_of(TurnEnded)[-1]


# Flush cycles.


def test_an_activity_that_is_ended_and_begun_again_is_a_flush() -> None:
    line = live()
    line.client(ACTIVITY_START)
    for _ in range(3):
        line.client(microphone(), after_ms=4_000)
        line.server(heard("one two three"), after_ms=1_000)
    line.client(ACTIVITY_END)
    facts = line.client(ACTIVITY_START, after_ms=80)
    # three times 4,000 + 1,000 of speech, three times 13 characters
    assert facts == [
        Flushed(
            at_ns=START.wall_ns + 15_080_000_000,
            turn=1,
            spelling=FlushSpelling.ACTIVITY,
            speech_ms=15_000,
            gap_ms=80,
            transcript_chars=39,
        )
    ]


@pytest.mark.parametrize("spelled", SPELLINGS)
def test_content_that_is_left_open_amid_an_activity_makes_a_flush_too(spelled: Spelling) -> None:
    line = live()
    line.client(spelled(ACTIVITY_START))
    line.client(spelled(CONTENT_LEFT_OPEN), after_ms=15_000)
    line.client(spelled(ACTIVITY_START), after_ms=40)
    flush = line.fact_of(Flushed)
    assert (flush.spelling, flush.speech_ms, flush.gap_ms) == (FlushSpelling.CLIENT_CONTENT, 15_000, 40)


def test_a_flush_is_spelled_by_what_came_last_and_pauses_from_the_end_of_the_activity() -> None:
    line = live()
    line.client(ACTIVITY_START)
    line.client(ACTIVITY_END, after_ms=15_000)
    line.client(CONTENT_LEFT_OPEN, after_ms=30)
    line.client(ACTIVITY_START, after_ms=40)
    line.client(CONTENT_LEFT_OPEN, after_ms=14_000)
    line.client(ACTIVITY_END, after_ms=30)
    line.client(ACTIVITY_START, after_ms=40)
    assert [(flush.spelling, flush.speech_ms, flush.gap_ms) for flush in line.facts_of(Flushed)] == [
        # 30 + 40
        (FlushSpelling.CLIENT_CONTENT, 15_000, 70),
        # 14,000 + 30
        (FlushSpelling.ACTIVITY, 14_030, 40),
    ]


@pytest.mark.parametrize("ending", [ACTIVITY_END, CONTENT_LEFT_OPEN])
def test_every_flush_has_its_own_speech_and_its_own_transcript(ending: Json) -> None:
    line = live()
    line.client(ACTIVITY_START)
    for length in (3, 5):
        line.server(heard("x" * length))
        line.client(ending, after_ms=1_000 * length)
        line.client(ACTIVITY_START, after_ms=10)
    flushes = [(flush.speech_ms, flush.transcript_chars) for flush in line.facts_of(Flushed)]
    assert flushes == [(3_000, 3), (5_000, 5)]
    assert answer(line).flushes == 2


def test_flushes_and_their_characters_are_counted_by_turn() -> None:
    line = live()
    for pieces in (2, 1):
        line.client(ACTIVITY_START)
        line.server(heard("words" * pieces))
        line.client(ACTIVITY_END, after_ms=500)
        line.client(ACTIVITY_START, after_ms=10)
        line.client(ACTIVITY_END, after_ms=500)
        answer(line, after_ms=5_000)
    assert [(flush.turn, flush.transcript_chars) for flush in line.facts_of(Flushed)] == [(1, 10), (2, 5)]
    assert [turn.flushes for turn in line.facts_of(TurnEnded)] == [1, 1]


def test_an_activity_whose_start_nobody_saw_is_flushed_for_an_unknown_time() -> None:
    line = live()
    line.client(ACTIVITY_END)
    line.client(ACTIVITY_START, after_ms=10)
    assert line.fact_of(Flushed).speech_ms is None


@pytest.mark.parametrize(("gap_ms", "flushes"), [(2_000, 1), (2_001, 0)])
def test_a_long_pause_is_the_users_own(gap_ms: float, flushes: int) -> None:
    line = live()
    line.client(ACTIVITY_START)
    line.client(ACTIVITY_END, after_ms=5_000)
    line.client(ACTIVITY_START, after_ms=gap_ms)
    assert len(line.facts_of(Flushed)) == flushes


@pytest.mark.parametrize("ending", [ACTIVITY_END, CONTENT_LEFT_OPEN])
@pytest.mark.parametrize(
    "answered", [audio(), words("Hm"), tool_call({"id": "a", "name": "f"}), TURN_COMPLETE, STILL_WORKING]
)
def test_a_pause_in_which_the_model_did_something_is_no_flush(ending: Json, answered: Json) -> None:
    line = live()
    line.client(ACTIVITY_START)
    line.client(ending, after_ms=5_000)
    line.server(answered)
    line.client(ACTIVITY_START, after_ms=100)
    assert line.facts_of(Flushed) == []


@pytest.mark.parametrize("asking", [ask(), REALTIME_TEXT])
def test_a_pause_in_which_something_was_asked_is_no_flush(asking: Json) -> None:
    line = live()
    line.client(ACTIVITY_START)
    line.client(ACTIVITY_END, after_ms=5_000)
    line.client(asking)
    line.client(ACTIVITY_START, after_ms=100)
    assert line.facts_of(Flushed) == []


@pytest.mark.parametrize(
    "meanwhile", [microphone(), heard("words"), tool_response({"id": "a", "response": {}}), INTERRUPTED]
)
def test_other_traffic_in_the_pause_leaves_it_a_flush(meanwhile: Json) -> None:
    line = live()
    line.client(ACTIVITY_START)
    line.client(ACTIVITY_END, after_ms=5_000)
    (line.server if "serverContent" in meanwhile else line.client)(meanwhile)
    line.client(ACTIVITY_START, after_ms=100)
    assert len(line.facts_of(Flushed)) == 1


def test_the_first_activity_after_content_that_gives_context_is_no_flush() -> None:
    line = live()
    line.client(CONTENT_LEFT_OPEN)
    line.client(ACTIVITY_START, after_ms=100)
    assert line.facts_of(Flushed) == []


def test_a_start_that_is_told_again_is_no_second_flush() -> None:
    line = live()
    line.client(ACTIVITY_START)
    line.client(ACTIVITY_END, after_ms=500)
    line.client(ACTIVITY_START, after_ms=10)
    line.client(ACTIVITY_START, after_ms=10)
    assert len(line.facts_of(Flushed)) == 1


def test_activities_of_two_turns_are_no_flush() -> None:
    line = live()
    line.client(ACTIVITY_START)
    line.client(ACTIVITY_END, after_ms=500)
    line.server(bundle(audio(), TURN_COMPLETE), after_ms=500)
    line.client(ACTIVITY_START, after_ms=500)
    assert line.facts_of(Flushed) == []


def test_a_flush_asks_for_no_answer() -> None:
    """A reply that begins after it came too early; only the microphone is known to have come before."""
    line = live()
    line.client(ACTIVITY_START)
    line.client(ACTIVITY_END, after_ms=15_000)
    line.client(ACTIVITY_START, after_ms=50)
    line.client(microphone(), after_ms=1_000)
    turn = answer(line, after_ms=300)
    assert (turn.first_audio_ms, turn.first_audio_from) == (300, "last_audio_sent")
    assert turn.began_while_user_spoke


def test_a_flush_leaves_what_was_asked_before() -> None:
    line = live()
    line.client(ask())
    line.client(ACTIVITY_START)
    line.client(ACTIVITY_END, after_ms=1_000)
    line.client(ACTIVITY_START, after_ms=50)
    turn = answer(line, after_ms=300)
    # 1,000 + 50 + 300
    assert (turn.first_audio_ms, turn.first_audio_from) == (1_350, "client_content")


def test_the_activity_that_ends_after_flushes_is_what_the_answer_waited_for() -> None:
    line = live()
    line.client(ACTIVITY_START)
    for _ in range(3):
        line.client(ACTIVITY_END, after_ms=15_000)
        line.client(ACTIVITY_START, after_ms=50)
    line.client(ACTIVITY_END, after_ms=2_000)
    turn = answer(line, after_ms=400)
    assert (turn.first_audio_ms, turn.first_audio_from) == (400, "activity_end")
    # three times 15,000, and 2,000; nobody marked the pauses as speech
    assert turn.user_speech_ms == 47_000
    assert not turn.began_while_user_spoke


# Replies that begin while the user speaks.


@pytest.mark.parametrize("output", [audio(), words("Hm"), tool_call({"id": "a", "name": "f"})])
@pytest.mark.parametrize(
    ("begins", "ends"),
    [
        ((Direction.SENT, ACTIVITY_START), (Direction.SENT, ACTIVITY_END)),
        (
            (Direction.RECEIVED, voice("ACTIVITY_START")),
            (Direction.RECEIVED, voice("ACTIVITY_END")),
        ),
    ],
)
def test_a_reply_that_begins_while_the_user_speaks_says_so(
    output: Json, begins: tuple[Direction, Json], ends: tuple[Direction, Json]
) -> None:
    early, patient = live(), live()
    for line, replies_early in ((early, True), (patient, False)):
        line.raw(begins[0], json.dumps(begins[1]))
        if replies_early:
            line.server(output)
        line.raw(ends[0], json.dumps(ends[1]), after_ms=500)
        line.server(bundle(output, TURN_COMPLETE))
    assert early.fact_of(TurnEnded).began_while_user_spoke
    assert not patient.fact_of(TurnEnded).began_while_user_spoke


def test_a_user_who_begins_to_speak_during_the_reply_did_not_have_it_early() -> None:
    line = live()
    line.client(ask())
    line.server(audio())
    line.client(ACTIVITY_START)
    assert not answer(line).began_while_user_spoke


def test_a_user_who_still_speaks_in_the_next_turn_has_that_reply_early_too() -> None:
    line = live()
    line.client(ACTIVITY_START)
    assert answer(line).began_while_user_spoke
    assert answer(line).began_while_user_spoke


# What the server detected.


@pytest.mark.parametrize(
    ("message", "kind", "offset_ms"),
    [
        (voice("ACTIVITY_START", "3.2s"), "ACTIVITY_START", 3_200),
        (voice("ACTIVITY_END"), "ACTIVITY_END", None),
        ({"voiceActivity": {"voiceActivityType": "ACTIVITY_END"}}, "ACTIVITY_END", None),
        ({"voice_activity": {"voice_activity_type": "X", "audio_offset": "0s"}}, "X", 0),
        (
            {"voiceActivityDetectionSignal": {"vadSignalType": "VAD_SIGNAL_TYPE_SOS"}},
            "VAD_SIGNAL_TYPE_SOS",
            None,
        ),
        ({"voice_activity_detection_signal": {"vad_signal_type": "Y"}}, "Y", None),
        ({"voiceActivity": {}}, "", None),
        (voice("ACTIVITY_START", "-1s"), "ACTIVITY_START", None),
        (voice("ACTIVITY_START", "soon"), "ACTIVITY_START", None),
        (voice("ACTIVITY_START", "1e300s"), "ACTIVITY_START", None),
    ],
)
def test_what_the_server_detected_is_told_as_sent(message: Json, kind: str, offset_ms: float | None) -> None:
    line = live()
    line.client(microphone())
    facts = line.server(message, after_ms=10)
    assert facts == [VoiceActivityDetected(START.wall_ns + 10_000_000, 1, kind, offset_ms)]


def test_a_detection_opens_the_turn_that_it_belongs_to() -> None:
    line = live()
    whole_turn(line)
    for kind in ("ACTIVITY_START", "ACTIVITY_END"):
        line.server(voice(kind))
    assert [fact.turn for fact in line.facts_of(VoiceActivityDetected)] == [2, 2]


def test_a_detection_of_another_kind_opens_no_turn() -> None:
    line = live()
    whole_turn(line)
    line.server(voice("TYPE_UNSPECIFIED"))
    line.close()
    assert line.fact_of(VoiceActivityDetected).turn == 1
    assert len(line.facts_of(TurnEnded)) == 1


def test_the_other_form_of_detection_ends_speech_as_well() -> None:
    line = live()
    line.server({"voiceActivityDetectionSignal": {"vadSignalType": "VAD_SIGNAL_TYPE_SOS"}})
    line.server({"voiceActivityDetectionSignal": {"vadSignalType": "VAD_SIGNAL_TYPE_EOS"}})
    turn = answer(line, after_ms=300)
    assert (turn.first_audio_from, turn.began_while_user_spoke) == ("voice_activity_end", False)


@pytest.mark.parametrize(
    ("detections", "speech_ms"),
    [
        ([voice("ACTIVITY_START", "3.2s"), voice("ACTIVITY_END", "5.7s")], 2_500),
        # 1,000 + 500
        (
            [
                *(voice("ACTIVITY_START", "1s"), voice("ACTIVITY_END", "2s")),
                *(voice("ACTIVITY_START", "4s"), voice("ACTIVITY_END", "4.5s")),
            ],
            1_500,
        ),
        # A start told again does not shorten the speech.
        ([voice("ACTIVITY_START", "1s"), voice("ACTIVITY_START", "2s"), voice("ACTIVITY_END", "4s")], 3_000),
        ([voice("ACTIVITY_START"), voice("ACTIVITY_END", "5.7s")], None),
        ([voice("ACTIVITY_START", "3.2s"), voice("ACTIVITY_END")], None),
        ([voice("ACTIVITY_END", "5.7s")], None),
        ([voice("ACTIVITY_START", "3.2s")], None),
        ([voice("ACTIVITY_START", "5s"), voice("ACTIVITY_END", "3s")], None),
    ],
)
def test_detected_speech_is_known_by_where_in_the_audio_it_began_and_ended(
    detections: list[Json], speech_ms: float | None
) -> None:
    line = live()
    for detection in detections:
        line.server(detection, after_ms=70)
    assert answer(line).user_speech_ms == speech_ms


def test_what_the_application_marked_is_better_than_what_the_server_detected() -> None:
    line = live()
    line.client(ACTIVITY_START)
    line.server(voice("ACTIVITY_START", "1s"))
    line.server(voice("ACTIVITY_END", "9s"))
    line.client(ACTIVITY_END, after_ms=2_000)
    assert answer(line).user_speech_ms == 2_000


def test_detected_speech_that_interrupted_nothing_counts_where_it_was() -> None:
    line = live()
    line.client(ask())
    line.server(audio())
    line.server(voice("ACTIVITY_START", "10s"))
    line.server(voice("ACTIVITY_END", "10.3s"))
    assert answer(line).user_speech_ms == 300


def test_detected_speech_that_interrupts_counts_where_it_is_answered() -> None:
    line = live()
    line.client(ask())
    line.server(audio())
    line.server(voice("ACTIVITY_START", "10s"))
    line.server(bundle(INTERRUPTED, TURN_COMPLETE))
    line.server(voice("ACTIVITY_END", "11.5s"))
    answer(line)
    assert [turn.user_speech_ms for turn in line.facts_of(TurnEnded)] == [None, 1_500]


# Whatever is sent.

_SENT_KEYS = ["activityStart", "activityEnd", "text", "audio", "video", "mediaChunks"]
_CONTENT_KEYS = [
    *("turnComplete", "turnCompleteReason", "interactionStatus", "interrupted", "generationComplete"),
    *(
        "inputTranscription",
        "outputTranscription",
        "interimInputTranscription",
        "groundingMetadata",
        "modelTurn",
    ),
]
_INSIDE = [
    *("type", "voiceActivityType", "vadSignalType", "audioOffset", "text", "webSearchQueries"),
    *("turnComplete", "turns", "functionResponses", "parts"),
]
_KINDS = st.sampled_from(["ACTIVITY_START", "ACTIVITY_END", "VAD_SIGNAL_TYPE_SOS", "VAD_SIGNAL_TYPE_EOS"])
_VALUES = st.one_of(
    st.sampled_from([*TRAPS, True, True, "1s", "1e308s", "-1e308s"]),
    _KINDS,
    JSON_VALUES,
    st.dictionaries(st.sampled_from(_INSIDE), JSON_VALUES | _KINDS | st.sampled_from(TRAPS), max_size=3),
)
_SENT_FRAMES = st.one_of(
    st.dictionaries(st.sampled_from(_SENT_KEYS), _VALUES, max_size=3).map(
        lambda inner: {"realtimeInput": inner}
    ),
    st.dictionaries(st.sampled_from(["clientContent", "toolResponse"]), _VALUES, max_size=2),
)
_RECEIVED_FRAMES = st.fixed_dictionaries(
    {"serverContent": st.dictionaries(st.sampled_from(_CONTENT_KEYS), _VALUES, max_size=4)},
    optional={"voiceActivity": _VALUES, "voiceActivityDetectionSignal": _VALUES, "toolCall": _VALUES},
)
_FRAMES = st.one_of(
    st.tuples(st.just(Direction.SENT), _SENT_FRAMES),
    st.tuples(st.just(Direction.RECEIVED), _RECEIVED_FRAMES),
)


@settings(deadline=None)
@given(st.lists(st.tuples(_FRAMES, st.sampled_from([0, 1, 600_000_000])), max_size=25))
def test_any_value_in_any_field_is_taken_and_what_is_counted_agrees(
    steps: list[tuple[tuple[Direction, Json], int]],
) -> None:
    tracker, facts, now = TurnTracker(SessionState("s"), capture_content=True), list[Fact](), START
    for (direction, message), passed_ns in steps:
        now = Instant(now.monotonic_ns + passed_ns, now.wall_ns + passed_ns)
        frame = read_frame(direction, json.dumps(message))
        if direction is Direction.SENT:
            facts += tracker.sent(frame, now)
            continue
        facts += tracker.received(frame, now)
        ended = tracker.ended(frame, now)
        facts += [ended] if ended else []
    ended = tracker.connection_closed(now)
    facts += [ended] if ended else []
    for turn in (fact for fact in facts if isinstance(fact, TurnEnded)):
        flushes = [fact for fact in facts if isinstance(fact, Flushed) and fact.turn == turn.turn]
        assert turn.flushes == len(flushes)
        assert sum(flush.transcript_chars for flush in flushes) <= turn.transcript_chars_in
        for measure in (turn.first_audio_ms, turn.user_speech_ms, turn.transcript_longest_gap_ms):
            assert measure is None or 0 <= measure < 1e17
        assert (turn.first_audio_ms is None) == (turn.first_audio_from == "")
