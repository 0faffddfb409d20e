"""A day of voice sessions, always the same: what the cookbook's sample answers are of.

All of it happens today, because the month and the latest days are what people ask about; the page shows
another day. Prices are the tests' own, which no release of a price list changes.
"""

from collections.abc import Mapping

from livemeter.vocabulary import Attribute, Event
from livemeter_collector.store.contract import Store
from tests.collector.sql.telemetry import Process, Values, insert, join_sessions
from tests.cookbook.talk import Talk

A = Attribute

SHOWN_DAY = "2026-11-20"

DEVELOPER: Values = {A.MODEL: "gemini-3.8-live", A.PLATFORM: "gemini_api"}
VERTEX: Values = {A.MODEL: "gemini-live-2.5-flash-native-audio", A.PLATFORM: "vertex_ai"}
UNPRICED: Values = {A.MODEL: "gemini-live-experimental", A.PLATFORM: "gemini_api"}

PRICES: Mapping[tuple[str, str], Mapping[tuple[str, str], str]] = {
    ("gemini-3.8-live", "gemini_api"): {
        ("input", "TEXT"): "0.75",
        ("input", "AUDIO"): "3",
        ("input", "IMAGE"): "1",
        ("output", "TEXT"): "4.5",
        ("output", "AUDIO"): "12",
        ("grounding", "QUERY"): "14000",
    },
    ("gemini-live-2.5-flash-native-audio", "vertex_ai"): {
        ("input", "TEXT"): "0.5",
        ("input", "AUDIO"): "3",
        ("output", "TEXT"): "2",
        ("output", "AUDIO"): "12",
        ("grounding", "QUERY"): "35000",
    },
}
"""Dollars for a million, by model and platform."""


def seed(store: Store) -> None:
    """Put the prices and the day into an empty store."""
    for (model, platform), prices in PRICES.items():
        for (direction, modality), usd in prices.items():
            store.command(
                "INSERT INTO livemeter.model_prices SELECT {model:String}, {platform:String}, 'standard',"
                " {direction:String}, {modality:String}, toDecimal128({usd:String}, 18),"
                " toDateTime('2020-01-01 00:00:00'), toDateTime('2100-01-01 00:00:00'), 'a test'",
                {
                    "model": model,
                    "platform": platform,
                    "direction": direction,
                    "modality": modality,
                    "usd": usd,
                },
            )
    store.command("SYSTEM RELOAD DICTIONARIES")
    lessons, kiosk = Process("lessons"), Process("kiosk")
    talks = [write(lessons) for write in (_lesson, _marathon, _broken, _forgotten, _short, _unpriced)]
    talks += [write(kiosk) for write in (_refused, _kiosk, _gaps, _provisioned)]
    insert(store, *(request for talk in talks for request in talk.requests))
    join_sessions(store)


def _person(user: str, plan: str, model: Values = DEVELOPER) -> Values:
    return {**model, A.USER_ID: user, "gemini_live.label.plan": plan}


def _lesson(process: Process) -> Talk:
    """A lesson in three phases with a photograph in the middle, over two connections."""
    talk = Talk(process, "ana-lesson", 1, "09:00", _person("ana", "premium"))
    talk.connect({A.DECLARED_TOOLS: '["look_up_word","score_answer","show_hint"]', A.COMPRESSION: False})
    warm_up: Values = {A.APP_PHASE: "warm-up"}
    talking: Values = {A.APP_PHASE: "conversation"}
    scoring: Values = {A.APP_PHASE: "scoring"}
    talk.turn(6, 8, {**warm_up, A.FIRST_AUDIO_MS: 520}, TEXT=1200, UNATTRIBUTED=25)
    talk.turn(9, 12, {**warm_up, A.FIRST_AUDIO_MS: 610}, UNATTRIBUTED=14, thoughts=60)
    talk.tool("look_up_word", 240)
    talk.turn(12, 15, {**talking, A.FIRST_AUDIO_MS: 1480}, TEXT=300, thoughts=120)
    talk.turn(10, 20, {**talking, A.FIRST_AUDIO_MS: 700, A.INTERRUPTED: True, A.END_REASON: "interrupted"})
    # A photograph to talk about, at full resolution.
    talk.turn(8, 18, {**talking, A.FIRST_AUDIO_MS: 1900}, IMAGE=24_000, thoughts=200)
    talk.turn(15, 22, {**talking, A.FIRST_AUDIO_MS: 830})
    talk.tell(Event.GO_AWAY, {A.GO_AWAY_TIME_LEFT_MS: 50_000})
    talk.wait(57)
    talk.close(
        1008,
        "server",
        CLOSE_REASON="Thread was cancelled when writing StartStep status",
        DIAGNOSIS="go-away-overrun",
        HINT="Open the next connection as soon as a goAway comes, with the latest handle.",
        GO_AWAY_OVERRUN_MS=9000,
    )
    talk.connect(resumed=True)
    talk.turn(14, 16, {**talking, A.FIRST_AUDIO_MS: 950, A.GROUNDING_QUERIES: 2})
    talk.tool("score_answer", 1900)
    talk.turn(4, 30, {**scoring, A.FIRST_AUDIO_MS: 2600}, TEXT=800, thoughts=400)
    talk.tell(Event.OUTCOME, {A.OUTCOME: "scored"})
    talk.close()
    return talk


def _marathon(process: Process) -> Talk:
    """Forty turns without compression: every turn pays for all that was said before."""
    talk = Talk(process, "ben-marathon", 2, "10:00", _person("ben", "free"))
    talk.connect()
    for number in range(1, 41):
        talk.turn(30, 40, {A.APP_PHASE: "conversation", A.FIRST_AUDIO_MS: 560 + 11 * number}, TEXT=20)
        if number in {15, 30}:
            talk.close()
            talk.connect(resumed=True)
    talk.close()
    return talk


def _broken(process: Process) -> Talk:
    """Closed by the server right after a large tool response."""
    talk = Talk(process, "chloe-lesson", 3, "11:05", _person("chloe", "free"))
    talk.connect({A.DECLARED_TOOLS: '["score_answer"]'})
    talk.turn(8, 10, {A.APP_PHASE: "conversation"}, TEXT=1200)
    talk.turn(9, 11, {A.APP_PHASE: "conversation", A.FIRST_AUDIO_MS: 720})
    talk.tool("score_answer", 3100, response_bytes=48_000)
    talk.usage({"TEXT": 28})
    talk.close(
        1011,
        "server",
        CLOSE_REASON="Internal error encountered.",
        DIAGNOSIS="internal-error-after-tool-response",
        HINT="Send less per tool response, and try again on a new connection.",
        SINCE_TOOL_RESPONSE_MS=140,
    )
    return talk


def _forgotten(process: Process) -> Talk:
    """Resumed, but the model had forgotten everything."""
    talk = Talk(process, "dan-lesson", 4, "11:30", _person("dan", "premium"))
    talk.connect({A.COMPRESSION: False})
    talk.turn(20, 25, {A.APP_PHASE: "conversation"}, TEXT=1200)
    talk.turn(18, 24, {A.APP_PHASE: "conversation", A.FIRST_AUDIO_MS: 680})
    talk.close(
        1006, "none", CLEAN=False, DIAGNOSIS="connection-lost", HINT="Reconnect with the latest handle."
    )
    talk.connect({A.COMPRESSION: False}, resumed=True)
    talk.lose_context(180)
    talk.turn(5, 6, {A.APP_PHASE: "conversation", A.FIRST_AUDIO_MS: 900})
    talk.close()
    return talk


def _short(process: Process) -> Talk:
    """A minute, every frame of its first seconds recorded; the last usage frame comes twice."""
    talk = Talk(process, "ana-review", 5, "14:20", _person("ana", "premium"))
    talk.connect()
    talk.frames(4)
    talk.turn(4, 6, {A.APP_PHASE: "warm-up", A.FIRST_AUDIO_MS: 505}, TEXT=400)
    talk.repeat_usage()
    talk.tell(Event.OUTCOME, {A.OUTCOME: "reviewed"})
    talk.close()
    return talk


def _unpriced(process: Process) -> Talk:
    """A model that no price list knows, told by an emitter that lost three records."""
    talk = Talk(process, "finn-trial", 6, "15:00", _person("finn", "free", UNPRICED))
    talk.connect()
    talk.turn(10, 12, TEXT=500)
    told: Values = {A.DROPPED_REASON: "queue_full", A.DROPPED_COUNT: 3}
    talk.tell(Event.DROPPED_RECORDS, told)
    talk.close()
    return talk


def _refused(process: Process) -> Talk:
    """A model's name of the other backend."""
    talk = Talk(process, "kiosk-1", 7, "08:10", {**VERTEX, A.MODEL: "gemini-3.8-live"})
    talk.connect(accepted=False)
    talk.close(
        1008,
        "server",
        PHASE="setup",
        DIAGNOSIS="model-backend-mismatch",
        HINT="Use gemini-live-2.5-flash-native-audio here.",
    )
    return talk


def _kiosk(process: Process) -> Talk:
    """Questions of passers-by, answered with Google Search."""
    talk = Talk(process, "kiosk-2", 8, "08:12", VERTEX)
    talk.connect()
    for queries in (1, 0, 2):
        talk.turn(5, 9, {A.GROUNDING_QUERIES: queries, A.FIRST_AUDIO_MS: 1100 + 300 * queries}, TEXT=60)
    talk.close()
    return talk


def _gaps(process: Process) -> Talk:
    """Three turns: one without details, one without any usage, one with everything."""
    talk = Talk(process, "kiosk-3", 9, "12:40", VERTEX)
    talk.connect()
    talk.turn(6, 8, {A.FIRST_AUDIO_MS: 990}, usage=False, TEXT=60)
    talk.usage({"AUDIO": 175}, details=False)
    talk.turn(5, 7, {A.FIRST_AUDIO_MS: 1010}, usage=False)
    talk.turn(5, 6, {A.FIRST_AUDIO_MS: 980})
    talk.close()
    return talk


def _provisioned(process: Process) -> Talk:
    """Paid by the month, so that no token of it has a price."""
    talk = Talk(process, "kiosk-4", 10, "16:30", {**VERTEX, A.TRAFFIC_TYPE: "PROVISIONED_THROUGHPUT"})
    talk.connect()
    talk.turn(6, 8, {A.FIRST_AUDIO_MS: 870}, TEXT=60)
    talk.close()
    return talk
