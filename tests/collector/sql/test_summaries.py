"""Every event of a session as a line to read, whatever of it is known."""

import pytest

from livemeter.vocabulary import Attribute, Event
from livemeter_collector.store.contract import Scalar, Store
from tests.collector.sql.telemetry import Process, Row, insert, rows

A = Attribute
Told = tuple[Event, dict[str, Scalar], str | None, str]

SUMMARIES: list[Told] = [
    (
        Event.CONNECTION_STARTED,
        {A.SETUP_MS: 1250.4},
        None,
        "set up in 1,250 ms, gemini-3.8-live on gemini_api",
    ),
    (
        Event.CONNECTION_STARTED,
        {A.SETUP_MS: 90, A.ATTEMPT: 3, A.RESUMED: True},
        None,
        "set up in 90 ms, gemini-3.8-live on gemini_api, connection 3 of its session, resumed",
    ),
    (Event.CONNECTION_STARTED, {}, None, "gemini-3.8-live on gemini_api"),
    (
        Event.USAGE,
        {A.TURN: 2, A.INPUT_TOKENS: 12_345_678, A.OUTPUT_TOKENS: 0},
        "{}",
        "turn 2, 12,345,678 tokens in, 0 tokens out",
    ),
    (Event.USAGE, {A.INPUT_TOKENS: 7, A.REPEAT: True}, "{}", "7 tokens in, told before"),
    (
        Event.TURN,
        {A.TURN: 3, A.FIRST_AUDIO_MS: 1240, A.INTERRUPTED: True, A.END_REASON: "interrupted"},
        None,
        "turn 3: 1,240 ms to first audio, interrupted",
    ),
    (
        Event.TURN,
        {A.TURN: 4, A.END_REASON: "connection_closed", A.COMPLETE_REASON: "NEED_MORE_INPUT", A.FLUSHES: 2},
        None,
        "turn 4, connection closed, NEED_MORE_INPUT, flushed 2 times",
    ),
    (Event.TURN, {}, None, "turn"),
    (
        Event.TOOL_CALL,
        {A.TOOL_NAME: "get_weather", A.TOOL_STATUS: "ok", A.TOOL_LATENCY_MS: 120.2, A.TOOL_ID_MATCH: "yes"},
        None,
        "tool get_weather ok after 120 ms",
    ),
    (
        Event.TOOL_CALL,
        {
            A.TOOL_NAME: "score",
            A.TOOL_STATUS: "send_failed",
            A.TOOL_ID_MATCH: "duplicate",
            A.TOOL_ENCODING: '["non_ascii","plain_string"]',
        },
        None,
        "tool score send failed, id match duplicate, non_ascii, plain_string",
    ),
    (Event.TOOL_CALL, {}, None, "tool"),
    (Event.GO_AWAY, {A.GO_AWAY_TIME_LEFT_MS: 50_000}, None, "goAway, 50 s left"),
    (Event.GO_AWAY, {}, None, "goAway"),
    (Event.RESUMPTION, {A.RESUMABLE: True, A.HANDLE_HASH: "ab"}, None, "resumable"),
    (Event.RESUMPTION, {A.RESUMABLE: False}, None, "not resumable"),
    (Event.RESUMPTION, {A.HANDLE_HASHES: '["a","b"]'}, None, "2 handles given"),
    (Event.RESUMPTION, {A.HANDLE_HASHES: '["a"]'}, None, "1 handle given"),
    (
        Event.FLUSH,
        {A.TURN: 1, A.FLUSH_SPEECH_MS: 15_000, A.FLUSH_TRANSCRIPT_CHARS: 85},
        None,
        "turn 1, flushed, after 15,000 ms of speech, 85 characters of transcript",
    ),
    (Event.FLUSH, {}, None, "flushed"),
    (
        Event.VOICE_ACTIVITY,
        {A.VOICE_ACTIVITY_TYPE: "ACTIVITY_START", A.VOICE_ACTIVITY_OFFSET_MS: 2500},
        None,
        "voice activity ACTIVITY_START, at 2,500 ms of audio",
    ),
    (Event.TRANSCRIPT, {A.TRANSCRIPT_SIDE: "input"}, "ça va ?", "user: ça va ?"),
    (Event.TRANSCRIPT, {A.TRANSCRIPT_SIDE: "output"}, "é" * 101, "model: " + "é" * 100 + "..."),
    (Event.PHASE, {A.APP_PHASE: "scoring"}, None, "phase scoring"),
    (Event.EXPECTATION, {A.EXPECTED_TOOLS: '["score","finish"]'}, None, "expects score, finish"),
    (
        Event.OUTCOME,
        {A.OUTCOME: "scored_by_fallback", A.OUTCOME_DETAIL: "3 of 5"},
        None,
        "outcome scored_by_fallback: 3 of 5",
    ),
    (Event.OUTCOME, {A.OUTCOME: "scored"}, None, "outcome scored"),
    (
        Event.DROPPED_RECORDS,
        {A.DROPPED_COUNT: 1200, A.DROPPED_REASON: "queue_full"},
        None,
        "1,200 records lost, queue full",
    ),
    (
        Event.CONNECTION_CLOSED,
        {
            A.CLOSE_CODE: 1008,
            A.CLOSED_BY: "server",
            A.CLOSE_REASON: "Thread was cancelled",
            A.DIAGNOSIS: "go-away-overrun",
        },
        None,
        "closed 1008 by server: Thread was cancelled, go-away-overrun",
    ),
    (Event.CONNECTION_CLOSED, {A.CLOSED_BY: "none", A.HTTP_STATUS: 401}, None, "closed HTTP 401"),
    (Event.CONNECTION_CLOSED, {}, None, "closed"),
]


@pytest.fixture(scope="module")
def stories(store: Store) -> list[Row]:
    """What is told of each event above, which has a connection of its own."""
    connections = [Process().connection() for _ in SUMMARIES]
    events = [
        connection.event(event, values, body)
        for connection, (event, values, body, _) in zip(connections, SUMMARIES, strict=True)
    ]
    insert(store, *events)
    sql = "SELECT kind, summary FROM livemeter.live_events WHERE connection_id = {id:String}"
    return [row for connection in connections for row in rows(store, sql, id=connection.id)]


@pytest.mark.parametrize("number", range(len(SUMMARIES)), ids=[told[3][:40] for told in SUMMARIES])
def test_a_summary_says_what_is_known(stories: list[Row], number: int) -> None:
    event, _, _, summary = SUMMARIES[number]
    assert stories[number] == {"kind": event.removeprefix("gemini_live."), "summary": summary}


def test_every_event_but_frames_has_a_summary_of_its_own_here() -> None:
    assert {event for event, *_ in SUMMARIES} == set(Event) - {Event.FRAME, Event.FRAMES}


def test_an_event_that_nobody_knows_is_named(store: Store) -> None:
    connection = Process().connection()
    request = connection.turn()
    request.resource_logs[0].scope_logs[0].log_records[0].event_name = "gemini_live.some_new.thing"
    insert(store, request)

    (row,) = rows(
        store,
        "SELECT kind, summary FROM livemeter.live_events WHERE connection_id = {id:String}",
        id=connection.id,
    )
    assert (row["kind"], row["summary"]) == ("some_new.thing", "some new thing")


def test_the_story_is_in_the_order_of_the_emitters_numbers(store: Store) -> None:
    connection = Process().connection()
    insert(store, connection.started(), connection.turn(at_ms=1), connection.closed(2))

    story = rows(
        store,
        "SELECT seq, kind, attributes FROM livemeter.live_events WHERE session_id = {id:String}"
        " ORDER BY ts, seq",
        id=connection.id,
    )
    assert [row["kind"] for row in story] == ["connection.started", "turn", "connection.closed"]
    assert [row["seq"] for row in story] == [0, 1, 2]
    assert all(A.EMITTER_ID not in row["attributes"] for row in story)  # type: ignore[operator]
