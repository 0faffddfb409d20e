"""A store with known sessions, written as the emitter writes them, at fixed times of yesterday.

What they cost is worked out by hand beside each session. Prices in USD per million tokens: text 0.75 in
and 4.50 out, audio 3 in and 12 out, 0.014 a grounding query; images and video have none.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from livemeter.vocabulary import Attribute, Event
from livemeter_collector.store.contract import Store

A = Attribute

PRICED = "gemini-priced-live"
UNPRICED = "gemini-unpriced-live"

TALK = "0199a7c2000070008000000000000001"
TALK_RESUMED = "0199a7c2000070008000000000000002"
REFUSED = "0199a7c2f00070008000000000000003"

YESTERDAY = (datetime.now(UTC) - timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)

PRICES = {
    ("input", "TEXT"): "0.75",
    ("input", "AUDIO"): "3",
    ("output", "TEXT"): "4.5",
    ("output", "AUDIO"): "12",
    ("grounding", "QUERY"): "14000",
}

_INSERT = """
INSERT INTO livemeter.otel_logs (Timestamp, ServiceName, Body, LogAttributes, EventName)
SELECT fromUnixTimestamp64Milli(event.1), 'lessons', event.2, event.3, event.4
FROM
(
    SELECT JSONExtract({events:String}, 'Array(Tuple(Int64, String, Map(String, String), String))') AS events
)
ARRAY JOIN events AS event
"""

Events = list[tuple[int, str, dict[str, str], str]]
"""Time in Unix milliseconds, body, attributes and name."""


def seed(store: Store) -> None:
    """Insert prices and every session, in one insert."""
    insert_prices(store)
    events: Events = []
    for write in (_talk, _refused, _lesson, _silent, _film, _unauthorized, _shared):
        write(events)
    store.command(_INSERT, {"events": json.dumps(events)})


def insert_prices(store: Store) -> None:
    for (direction, modality), usd in PRICES.items():
        store.command(
            "INSERT INTO livemeter.model_prices SELECT {model:String}, 'gemini_api', 'standard',"
            " {direction:String}, {modality:String}, toDecimal128({usd:String}, 18),"
            " toDateTime('2020-01-01 00:00:00', 'UTC'), toDateTime('2100-01-01 00:00:00', 'UTC'), 'a test'",
            {"model": PRICED, "direction": direction, "modality": modality, "usd": usd},
        )
    store.command("SYSTEM RELOAD DICTIONARIES")


class Connection:
    """One connection's events, numbered as they come."""

    def __init__(
        self, events: Events, connection_id: str, session_id: str, model: str, **attributes: str
    ) -> None:
        self._events = events
        self._seq = 0
        self._common = {
            A.CONNECTION_ID: connection_id,
            A.SESSION_ID: session_id,
            A.EMITTER_ID: f"emitter of {connection_id}",
            A.MODEL: model,
            A.PLATFORM: "gemini_api",
            **attributes,
        }

    def event(self, clock: str, event: Event, attributes: Mapping[str, object], body: object = None) -> None:
        """Insert one event of yesterday, ``clock`` o'clock (``10:00:05.250``)."""
        self._seq += 1
        told: dict[str, object] = {**self._common, A.EMITTER_SEQ: self._seq, **attributes}
        as_text = {str(name): str(value) for name, value in told.items()}
        self._events.append((at_ms(clock), "" if body is None else json.dumps(body), as_text, event))

    def started(self, clock: str, opened: str, **attributes: object) -> None:
        facts: dict[str, object] = {
            A.OPENED_AT: at_ms(opened),
            A.SETUP_MS: 250,
            A.ATTEMPT: 1,
            A.RESUMED: "false",
        }
        self.event(clock, Event.CONNECTION_STARTED, {**facts, **attributes})

    def usage(self, clock: str, turn: int, body: object, **attributes: object) -> None:
        self.event(clock, Event.USAGE, {A.TURN: turn, A.PASS: turn, **attributes}, body)

    def turn(self, clock: str, turn: int, started: str, **attributes: object) -> None:
        facts: dict[str, object] = {
            A.TURN: turn,
            A.TURN_STARTED_AT: at_ms(started),
            A.HAS_OUTPUT: "true",
        }
        self.event(clock, Event.TURN, {**facts, A.END_REASON: "complete", **attributes})

    def closed(self, clock: str, code: int | None, closed_by: str, **attributes: object) -> None:
        facts: dict[str, object] = {A.CLOSED_BY: closed_by, A.CLEAN: "true", A.PHASE: "active"}
        coded: dict[str, object] = {} if code is None else {A.CLOSE_CODE: code}
        self.event(clock, Event.CONNECTION_CLOSED, {**facts, **coded, **attributes})


def at_ms(clock: str) -> int:
    """Return that time of yesterday, in Unix milliseconds."""
    hours, minutes, seconds = clock.split(":")
    start = YESTERDAY + timedelta(hours=int(hours), minutes=int(minutes), seconds=float(seconds))
    return round(start.timestamp() * 1000)


def _talk(events: Events) -> None:
    """Three turns over two connections: 0.03440875 USD, at most 0.034465."""
    who = {A.USER_ID: "ana", "gemini_live.label.lesson": "café"}
    first = Connection(events, TALK, TALK, PRICED, **who)
    first.started("10:00:00.250", "10:00:00")
    # In: 332 text 0.000249, 165 audio 0.000495, 25 of unknown modality 0.00001875 (as audio 0.000075).
    # Out: 42 audio 0.000504, 136 thoughts 0.000612.
    first.usage(
        "10:00:10",
        1,
        {
            "prompt": 522,
            "prompt_details": {"TEXT": 332, "AUDIO": 165},
            "response": 42,
            "response_details": {"AUDIO": 42},
            "thoughts": 136,
        },
    )
    # Transcription: 9 and 8 bytes are 3 + 2 tokens, 0.0000225. Grounding: 2 queries, 0.028.
    first.turn(
        "10:00:11",
        1,
        "10:00:02",
        **{
            A.TURN_MS: 9000,
            A.FIRST_AUDIO_MS: 640,
            A.USER_SPEECH_MS: 6600,
            A.MODEL_SPEECH_MS: 1680,
            A.TRANSCRIPT_BYTES_IN: 9,
            A.TRANSCRIPT_BYTES_OUT: 8,
            A.GROUNDING_QUERIES: 2,
        },
    )
    # In: 400 text 0.0003, 300 audio 0.0009, of them carried 332 text and 207 audio: 0.00087.
    # Out: 100 audio 0.0012.
    first.usage(
        "10:00:40",
        2,
        {
            "prompt": 700,
            "prompt_details": {"TEXT": 400, "AUDIO": 300},
            "response": 100,
            "response_details": {"AUDIO": 100},
            "previous_prompt": 522,
            "previous_context": {"TEXT": 332, "AUDIO": 207, "UNATTRIBUTED": 25},
        },
    )
    first.turn(
        "10:00:41",
        2,
        "10:00:30",
        **{
            A.TURN_MS: 11_000,
            A.FIRST_AUDIO_MS: 1250,
            A.MODEL_SPEECH_MS: 4000,
            A.INTERRUPTED: "true",
            A.END_REASON: "interrupted",
        },
    )
    first.event(
        "10:00:45",
        Event.TOOL_CALL,
        {
            A.TURN: 3,
            A.TOOL_NAME: "score_answer",
            A.TOOL_CALL_ID: "call-1",
            A.TOOL_CALLED_AT: at_ms("10:00:44"),
            A.TOOL_RESPONDED_AT: at_ms("10:00:44.850"),
            A.TOOL_LATENCY_MS: 850,
            A.TOOL_REQUEST_BYTES: 120,
            A.TOOL_RESPONSE_BYTES: 20_480,
            A.TOOL_ID_MATCH: "yes",
            A.TOOL_IN_FLIGHT: 1,
            A.TOOL_STATUS: "ok",
        },
    )
    first.event("10:00:46", Event.GO_AWAY, {A.GO_AWAY_TIME_LEFT_MS: 50_000})
    first.closed(
        "10:01:45",
        1008,
        "server",
        **{
            A.CLOSE_REASON: "Thread was cancelled when writing StartStep status",
            A.DIAGNOSIS: "go-away-overrun",
            A.CAUSE: "The server had announced the end, and the connection was used beyond it.",
            A.HINT: "Open the next connection as soon as a goAway comes, with the latest handle.",
            A.RETRY_CLASS: "rotate",
            A.GO_AWAY_OVERRUN_MS: 9000,
        },
    )
    second = Connection(events, TALK_RESUMED, TALK, PRICED, **who)
    second.started(
        "10:01:47",
        "10:01:46",
        **{A.RESUMED: "true", A.RESUMED_FROM: TALK, A.GAP_MS: 1000},
    )
    # In: 450 text 0.0003375, 350 audio 0.00105. Out: 60 audio 0.00072.
    second.usage(
        "10:02:00",
        3,
        {
            "prompt": 800,
            "prompt_details": {"TEXT": 450, "AUDIO": 350},
            "response": 60,
            "response_details": {"AUDIO": 60},
            "previous_prompt": 700,
        },
        **{A.FIRST_AFTER_RESUME: "true"},
    )
    second.turn(
        "10:02:01",
        3,
        "10:01:50",
        **{A.TURN_MS: 11_000, A.FIRST_AUDIO_MS: 900, A.MODEL_SPEECH_MS: 2400},
    )
    second.closed("10:04:05", 1000, "client")


def _refused(events: Events) -> None:
    """Closed at the setup, before anything was spent."""
    connection = Connection(events, REFUSED, REFUSED, UNPRICED, **{A.USER_ID: "dev"})
    connection.closed(
        "09:30:00.400",
        1008,
        "server",
        **{
            A.OPENED_AT: at_ms("09:30:00"),
            A.PHASE: "setup",
            A.CLOSE_REASON: "",
            A.DIAGNOSIS: "wrong-backend-model",
            A.CAUSE: "This model name belongs to the other backend.",
            A.HINT: "Use gemini-live-2.5-flash-native-audio here.",
            A.RETRY_CLASS: "never",
        },
    )


def _lesson(events: Events) -> None:
    """A model without prices: what it used is known, what that cost is not."""
    connection = Connection(events, "0199a7b0000070008000000000000004", "lesson-7", UNPRICED)
    connection.started("09:00:00.250", "09:00:00")
    connection.usage(
        "09:00:10",
        1,
        {"prompt": 1234, "prompt_details": {"TEXT": 1234}, "response": 50, "response_details": {"AUDIO": 50}},
    )
    connection.turn("09:00:11", 1, "09:00:01", **{A.TURN_MS: 10_000, A.MODEL_SPEECH_MS: 2000})
    connection.closed("09:10:00", 1000, "client")


def _silent(events: Events) -> None:
    """A model that spoke without a usage frame, a user id that tries to clear the screen, and no close."""
    connection = Connection(
        events, "0199a7b0000070008000000000000005", "lesson-70", PRICED, **{A.USER_ID: "eve\x1b[2J"}
    )
    connection.started("08:00:00.250", "08:00:00")
    connection.turn("08:00:11", 1, "08:00:01", **{A.TURN_MS: 10_000, A.MODEL_SPEECH_MS: 2000})


def _film(events: Events) -> None:
    """Text that is priced and video that is not: 1000 text 0.00075 and unpriced."""
    connection = Connection(events, "0199a7b0000070008000000000000006", "film", PRICED)
    connection.started("07:00:00.250", "07:00:00")
    connection.usage("07:00:10", 1, {"prompt": 3000, "prompt_details": {"TEXT": 1000, "VIDEO": 2000}})
    connection.turn("07:00:11", 1, "07:00:01", **{A.TURN_MS: 10_000})
    connection.closed("07:00:20", 1011, "server", **{A.CLOSE_REASON: "Internal\x1b[31m error"})


def _unauthorized(events: Events) -> None:
    """A socket that never opened."""
    connection = Connection(events, "0199a7b0000070008000000000000007", "no-key", PRICED)
    connection.closed(
        "06:00:00.200",
        None,
        "none",
        **{
            A.OPENED_AT: at_ms("06:00:00"),
            A.PHASE: "handshake",
            A.HTTP_STATUS: 401,
            A.CLEAN: "false",
            A.DIAGNOSIS: "handshake-unauthorized",
            A.CAUSE: "The credential was refused before the socket opened.",
            A.HINT: "Replace the API key, or renew the access token on Vertex AI.",
        },
    )


def _shared(events: Events) -> None:
    """Two processes that are told one session id: each has its own turn 1, of 1000 text 0.00075 each."""
    for number in (8, 9):
        connection = Connection(events, f"0199a7b000007000800000000000000{number}", "shared", PRICED)
        connection.started(f"05:0{number}:00.250", f"05:0{number}:00")
        connection.usage(f"05:0{number}:10", 1, {"prompt": 1000, "prompt_details": {"TEXT": 1000}})
        connection.turn(f"05:0{number}:11", 1, f"05:0{number}:01", **{A.TURN_MS: 10_000})
        connection.closed(f"05:0{number}:20", 1000, "client")
