"""The SQL that generates a fleet: sessions, connections and turns, and the events that tell of them. Pure.

A session's number counts back from the newest. Its turns are numbered from 0, whatever its processes say.
What is drawn is a hash of that number, of the turn's or the connection's, and of a word.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template

from livemeter.diagnosis import CloseEvidence, diagnose_close
from livemeter.vocabulary import Attribute, Event, UsageBody

CHUNK = 1000
"""Sessions that are generated at once and share processes; a million frames need some 0.5 GB of memory."""

LONGEST_MS = 900_000
"""No session lasts longer, so that all have ended when the fleet does."""

DAY_MS = 86_400_000
_SQL = Path(__file__).parent / "fleet_sql"

FUNCTIONS = {
    "fleet_roll": "(session, part, what) -> sipHash64(what, session, part)",
    "fleet_hex": "(session, part, what) -> lower(hex(sipHash128(what, session, part)))",
    "fleet_details": "(text, audio) ->"
    " concat('{\"TEXT\":', toString(text), ',\"AUDIO\":', toString(audio), '}')",
    "fleet_field": "(name, json) -> if(json = '', '', concat('\"', name, '\":', json))",
    "fleet_known": "(attributes) -> mapFilter((name, value) -> value != '', attributes)",
}
"""What the statements need, by name."""


@dataclass(frozen=True)
class Plan:
    """What a fleet is to be; ``end_ms`` is the Unix time, in milliseconds, before which all of it was."""

    sessions: int
    frames: int
    days: float
    end_ms: int
    generator: int = 1
    """Changes with whatever is generated."""


def statements(plan: Plan, first: int, count: int) -> list[str]:
    """Return what generates the sessions of these numbers, given ``FUNCTIONS`` and a database ``fleet``."""
    fill = {**_CONSTANTS, **_numbers_of(plan), "first": str(first), "count": str(count)}
    tables = {name: _text(name) for name in ("sessions", "connections", "turns")} | {"events": _event_rows()}
    made: list[str] = []
    for name, rows in tables.items():
        select = Template(rows).substitute(fill)
        made.append(f"CREATE OR REPLACE TABLE fleet.{name} ENGINE = Memory AS {select}")
    return [*made, *(Template(_text(name)).substitute(fill) for name in ("landing", "frames"))]


def session_rows(plan: Plan, first: int, count: int) -> str:
    """Return a SELECT of sessions by number."""
    fill = {**_CONSTANTS, **_numbers_of(plan), "first": str(first), "count": str(count)}
    return Template(_text("sessions")).substitute(fill)


def _text(name: str) -> str:
    return (_SQL / f"{name}.sql").read_text("utf-8")


def _numbers_of(plan: Plan) -> dict[str, str]:
    return {
        "sessions": str(plan.sessions),
        "frames_each": str(plan.frames // plan.sessions),
        "span_ms": str(round(plan.days * DAY_MS)),
        "end_ms": str(plan.end_ms),
        "longest_ms": str(LONGEST_MS),
        "chunk": str(CHUNK),
    }


def _event_rows() -> str:
    """Return all events; what is common to a connection's is added where they land."""
    return "\nUNION ALL\n".join(each.select(event) for event, each in _EVENTS.items())


@dataclass(frozen=True)
class _Told:
    """Events of one kind: the rows that they are made of, and expressions for when and what they tell."""

    rows: str
    at_ms: str
    attributes: Mapping[Attribute, str] | Mapping[str, str]
    body: str = "''"
    severity: str = "9"
    more: str = "map()"
    """Attributes that are a map already."""

    def select(self, event: Event) -> str:
        """Return the SELECT of these events, with placeholders of its own left in it."""
        return Template(_text("event")).safe_substitute(
            rows=self.rows,
            at_ms=self.at_ms,
            event=event,
            severity=self.severity,
            body=self.body,
            attributes=_map(self.attributes),
            more=self.more,
        )


_APPS = ("tutor",) * 4 + ("concierge",) * 2 + ("helpdesk",) * 2 + ("translator", "kiosk")
_MODELS = (
    *((("gemini-3.8-live", "gemini_api"),) * 9),
    *((("gemini-3.8-live", "vertex_ai"),) * 3),
    *((("gemini-2.5-flash-native-audio-preview-12-2025", "gemini_api"),) * 4),
    *((("gemini-live-2.5-flash-native-audio", "vertex_ai"),) * 3),
    ("gemini-3.5-live-translate-preview", "gemini_api"),
)
_TOOLS = ("get_weather", "score", "next_exercise", "book_table", "lookup_order")
_PHASES = ("greeting", "exercise", "scoring")
_SETUP = {
    "generationConfig": {
        "responseModalities": ["AUDIO"],
        "speechConfig": {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}}},
    },
    "tools": _TOOLS,
    "sessionResumption": {},
    "contextWindowCompression": {"triggerTokens": "25600", "slidingWindow": {"targetTokens": "12800"}},
    "inputAudioTranscription": {},
    "outputAudioTranscription": {},
}


@dataclass(frozen=True)
class _Ending:
    """How a connection may end, and in how many of a hundred cases; the last of a session or another."""

    last: int
    other: int
    code: int | None
    closed_by: str
    reason: str = ""
    go_away: bool = False
    overrun_ms: float | None = None
    error_type: str = ""

    def attributes(self) -> dict[str, str]:
        """Return what a close says that is the same for all of its kind, as text."""
        clean = self.closed_by != "none"
        values: dict[str, object] = {
            Attribute.CLOSE_CODE: self.code,
            Attribute.CLOSE_REASON: self.reason,
            Attribute.CLOSED_BY: self.closed_by,
            Attribute.CLEAN: str(clean).lower(),
            Attribute.PHASE: "active",
            Attribute.ERROR_TYPE: self.error_type,
            Attribute.GO_AWAY_OVERRUN_MS: self.overrun_ms,
        }
        diagnosis = diagnose_close(
            CloseEvidence(
                code=self.code,
                reason=self.reason,
                closed_by=self.closed_by,
                clean=clean,
                model="gemini-3.8-live",
                platform="gemini_api",
                go_away_received=self.go_away,
                go_away_overrun_ms=self.overrun_ms,
                error_type=self.error_type,
            )
        )
        if diagnosis:
            values |= {
                Attribute.DIAGNOSIS: diagnosis.id,
                Attribute.CAUSE: diagnosis.cause,
                Attribute.HINT: diagnosis.hint,
                Attribute.RETRY_CLASS: diagnosis.retry_class.value,
                Attribute.CATALOGUE_VERSION: diagnosis.catalogue_version,
            }
        return {str(name): str(value) for name, value in values.items() if value not in (None, "")}


_LEFT_OPEN = _Ending(2, 0, None, "")
"""The process was killed: nobody says how the connection ended."""

_ENDINGS = (
    _Ending(87, 0, 1000, "client"),
    _Ending(0, 60, 1000, "client", go_away=True, overrun_ms=0),
    _Ending(
        0, 10, 1008, "server",
        "Connection aborted because the client failed to close the connection after receiving a GoAway signal"
        " once the session durat",
        go_away=True, overrun_ms=800, error_type="websockets.exceptions.ConnectionClosedError",
    ),
    _Ending(
        4, 0, 1008, "server", "Requested entity was not found.",
        error_type="websockets.exceptions.ConnectionClosedError",
    ),
    _Ending(
        4, 15, 1011, "server", "Internal error encountered.",
        error_type="websockets.exceptions.ConnectionClosedError",
    ),
    _Ending(3, 15, 1006, "none", error_type="websockets.exceptions.ConnectionClosedError"),
    _LEFT_OPEN,
)  # fmt: skip


def _map(values: Mapping[Attribute, str] | Mapping[str, str]) -> str:
    """Return a map of texts from expressions by name."""
    return "map(" + ", ".join(f"'{name}', toString({value})" for name, value in values.items()) + ")"


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _weighted(weights: list[int]) -> str:
    """Return a hundred numbers, each as often as its weight."""
    return str([number for number, weight in enumerate(weights) for _ in range(weight)])


_COMMON = {
    Attribute.CONNECTION_ID: "connection_id",
    Attribute.SESSION_ID: "session_id",
    Attribute.PROVIDER: "if(platform = 'gemini_api', 'gcp.gemini', 'gcp.vertex_ai')",
    Attribute.PLATFORM: "platform",
    Attribute.MODEL: "model",
    Attribute.USER_ID: "user_id",
}

_STARTED = {
    Attribute.API_VERSION: "'v1beta'",
    Attribute.SERVER_ADDRESS: "if(platform = 'gemini_api', 'generativelanguage.googleapis.com',"
    " 'europe-west4-aiplatform.googleapis.com')",
    Attribute.LOCATION: "if(platform = 'gemini_api', '', 'europe-west4')",
    Attribute.SDK_VERSION: "'3.4.0'",
    Attribute.WEBSOCKETS_VERSION: "'17.4'",
    Attribute.FRAMEWORK_NAME: "if(app = 'helpdesk', 'livekit-plugins-google', 'google-genai')",
    Attribute.FRAMEWORK_VERSION: "if(app = 'helpdesk', '1.5.2', '3.4.0')",
    Attribute.PYTHON_VERSION: "'3.11.7'",
    Attribute.OS_TYPE: "'linux'",
    Attribute.PING_INTERVAL_S: "'20.0'",
    Attribute.PING_TIMEOUT_S: "'20.0'",
    Attribute.RESPONSE_MODALITIES: """'["AUDIO"]'""",
    Attribute.VOICE: "'Kore'",
    Attribute.VAD_MODE: "if(app = 'tutor', 'manual', 'automatic')",
    Attribute.INPUT_TRANSCRIPTION: "'true'",
    Attribute.OUTPUT_TRANSCRIPTION: "'true'",
    Attribute.RESUMPTION_ENABLED: "'true'",
    Attribute.RESUMED: "if(resumed_handle = '', 'false', 'true')",
    Attribute.HANDLE_HASH: "resumed_handle",
    Attribute.COMPRESSION: "if(session % 3 = 0, 'true', 'false')",
    Attribute.COMPRESSION_TRIGGER_TOKENS: "if(session % 3 = 0, '25600', '')",
    Attribute.COMPRESSION_TARGET_TOKENS: "if(session % 3 = 0, '12800', '')",
    Attribute.DECLARED_TOOLS: "$tools_json",
    Attribute.SETUP_BYTES: "2310 + session % 100",
    Attribute.INSTRUCTION_BYTES: "812",
    Attribute.INSTRUCTION_HASH: "fleet_hex(0, 0, app)",
    Attribute.OPENED_AT: "opened_ms",
    Attribute.SETUP_MS: "setup_ms + 0.25",
    Attribute.GOOGLE_SESSION_ID: "fleet_hex(session, part, 'google')",
    Attribute.ATTEMPT: "attempt",
    Attribute.RESUMED_FROM: "resumed_from",
    Attribute.RECONNECT_DELAY_MS: "if(resumed_from = '', '', '400.0')",
    Attribute.GAP_MS: "if(resumed_from = '', '', toString(400.25 + setup_ms))",
}

_USAGE: dict[str, str] = {
    Attribute.TURN: "turn",
    Attribute.PASS: "pass + again",
    Attribute.REPEAT: "toBool(is_repeat)",
    Attribute.FIRST_AFTER_RESUME: "toBool(is_first_after_resume AND again = 0)",
    Attribute.TRAFFIC_TYPE: "if(platform = 'gemini_api', '',"
    " if(session % 30 = 0, 'PROVISIONED_THROUGHPUT', 'ON_DEMAND'))",
    Attribute.SERVICE_TIER: "if(platform = 'gemini_api' AND session % 20 = 0, 'priority', '')",
    Attribute.INPUT_TOKENS: "prompt",
    Attribute.OUTPUT_TOKENS: "response + thoughts_tokens",
    Attribute.REASONING_TOKENS: "if(thoughts_tokens = 0, '', toString(thoughts_tokens))",
    Attribute.CACHE_READ_TOKENS: "if(cached = 0, '', toString(cached))",
    "gen_ai.usage.text.input_tokens": "if(has_details, toString(prompt_text), '')",
    "gen_ai.usage.audio.input_tokens": "if(has_details, toString(audio_tokens), '')",
    "gen_ai.usage.text.output_tokens": "if(has_details, toString(response_text + thoughts_tokens), '')",
    "gen_ai.usage.audio.output_tokens": "if(has_details, toString(response_audio), '')",
}

_USAGE_FIELDS = {
    UsageBody.PROMPT: "toString(prompt)",
    UsageBody.PROMPT_DETAILS: "if(has_details, fleet_details(prompt_text, audio_tokens), '')",
    UsageBody.CACHED: "if(cached = 0, '', toString(cached))",
    UsageBody.CACHED_DETAILS: "if(cached = 0 OR NOT has_details OR cached_luck % 8 = 0, '',"
    " fleet_details(cached_text, cached - cached_text))",
    UsageBody.RESPONSE: "toString(response)",
    UsageBody.RESPONSE_DETAILS: "if(has_details, fleet_details(response_text, response_audio), '')",
    UsageBody.THOUGHTS: "if(thoughts_tokens = 0, '', toString(thoughts_tokens))",
    UsageBody.TOTAL: "toString(prompt + response + thoughts_tokens)",
    UsageBody.PREVIOUS_PROMPT: "if(is_later, toString(past_prompt), '')",
    UsageBody.PREVIOUS_CONTEXT: "if(is_later,"
    " fleet_details(past_text, past_audio + if(again = 1, 0, spoken_before)), '')",
    UsageBody.CONTEXT_AUDIO_MS: "toString(40 * audio_tokens + 0.5)",
    UsageBody.RESPONSE_AUDIO_MS: "toString(40 * response_audio + 0.25)",
}

_TURN = {
    Attribute.TURN: "turn",
    Attribute.TURN_STARTED_AT: "started_ms",
    Attribute.TURN_MS: "lasted + 0.5",
    Attribute.FIRST_AUDIO_MS: "500.5 + fleet_roll(session, turn_index, 'first audio') % 700",
    Attribute.FIRST_AUDIO_FROM: "if(app = 'tutor', 'activity_end', 'last_audio')",
    Attribute.GENERATION_MS: "intDiv(model_speech * 6, 10) + 0.25",
    Attribute.USER_SPEECH_MS: "user_speech + 0.0",
    Attribute.MODEL_SPEECH_MS: "model_speech + 0.0",
    Attribute.INTERRUPTED: "toBool(is_interrupted)",
    Attribute.END_REASON: "if(is_interrupted, 'interrupted', 'complete')",
    Attribute.HAS_OUTPUT: "'true'",
    Attribute.TRANSCRIPT_CHARS_IN: "intDiv(user_speech, 66)",
    Attribute.TRANSCRIPT_CHARS_OUT: "intDiv(model_speech, 66)",
    Attribute.TRANSCRIPT_BYTES_IN: "intDiv(user_speech, 65)",
    Attribute.TRANSCRIPT_BYTES_OUT: "intDiv(model_speech, 65)",
    Attribute.TRANSCRIPT_LONGEST_GAP_MS: "intDiv(user_speech, 2) + 0.5",
    Attribute.GROUNDING_QUERIES: "if(fleet_roll(session, turn_index, 'grounding') % 50 = 0, '1', '')",
    Attribute.COMPLETE_REASON: "if(is_interrupted, '', 'NEED_MORE_INPUT')",
    Attribute.GENERATION_COMPLETE: "toBool(NOT is_interrupted)",
    Attribute.BEGAN_WHILE_USER_SPOKE: "'false'",
    Attribute.FLUSHES: "0",
    Attribute.APP_PHASE: "if(app = 'tutor', $phases[least(3, 1 + intDiv(turn_index, 4))], '')",
}

_TOOL_CALL = {
    Attribute.TURN: "turn",
    Attribute.TOOL_NAME: "$tools[1 + fleet_roll(session, turn_index, 'which') % 5]",
    Attribute.TOOL_CALL_ID: "concat('function-call-', fleet_hex(session, turn_index, 'call'))",
    Attribute.TOOL_STATUS: "multiIf(luck < 3, 'error', luck < 5, 'cancelled', luck < 6, 'unanswered', 'ok')",
    Attribute.TOOL_CALLED_AT: "called_ms",
    Attribute.TOOL_RESPONDED_AT: "if(luck < 3 OR luck > 5, toString(responded_ms), '')",
    Attribute.TOOL_LATENCY_MS: "if(luck < 3 OR luck > 5, toString(latency + 0.125), '')",
    Attribute.TOOL_REQUEST_BYTES: "40 + session % 60",
    Attribute.TOOL_RESPONSE_BYTES: "if(luck < 3 OR luck > 5,"
    " 300 + fleet_roll(session, turn_index, 'size') % 4000, 0)",
    Attribute.TOOL_ID_MATCH: "'yes'",
    Attribute.TOOL_IN_FLIGHT: "1",
    Attribute.TOOL_ENCODING: """if(luck > 94, '["non_ascii"]', '')""",
}

_RESUMPTION = {
    Attribute.RESUMABLE: "if(is_first, 'true', '')",
    Attribute.HANDLE_HASH: "if(is_first, fleet_hex(session, first_turn, 'handle'), '')",
    Attribute.HANDLE_HASHES: "if(is_first, '', concat('[\"', arrayStringConcat("
    "arrayMap(turn -> fleet_hex(session, turn, 'handle'), range(first_turn, end_turn)), '\",\"'), '\"]'))",
}

_PHASE = {
    Attribute.TURN: "greatest(1, 4 * number)",
    Attribute.APP_PHASE: "$phases[number + 1]",
}

_EXPECTATION = {Attribute.TURN: "1", Attribute.EXPECTED_TOOLS: """'["score"]'"""}

_OUTCOME = {
    Attribute.TURN: "turns",
    Attribute.OUTCOME: "if(session % 9 = 0, 'scored_by_fallback', 'scored')",
    Attribute.OUTCOME_DETAIL: "if(session % 9 = 0, 'no call of score came', '')",
}

_GO_AWAY = {Attribute.GO_AWAY_TIME_LEFT_MS: "'1000.0'"}

_CLOSED = {
    Attribute.OPENED_AT: "opened_ms",
    Attribute.CONNECTION_MS: "closed_ms - opened_ms + 0.5",
    Attribute.ATTEMPT: "attempt",
    Attribute.RESUMED_FROM: "resumed_from",
    Attribute.APP_PHASE: "if(app = 'tutor', $phases[3], '')",
    Attribute.SINCE_GO_AWAY_MS: "if(has($go_aways, ending), '1000.0', '')",
    Attribute.CONTEXT_TOKENS: "900 + 15 * end_turn + intDiv(until_ms[end_turn], 50)",
    Attribute.LAST_SENT_AT: "closed_ms - 400",
    Attribute.LAST_RECEIVED_AT: "closed_ms - 60",
    Attribute.FRAMES_OBSERVED: "frames",
    Attribute.TOOL_CALLS_OPEN: "0",
    Attribute.PINGS_SENT: "intDiv(closed_ms - opened_ms, 20000)",
    Attribute.PINGS_MISSED: "0",
    Attribute.PING_P50_MS: "20.125 + fleet_roll(session, part, 'ping') % 30",
    Attribute.PING_MAX_MS: "60.5 + fleet_roll(session, part, 'slow ping') % 200",
    Attribute.LOOP_LAG_MAX_MS: "3.062 + fleet_roll(session, part, 'lag') % 40",
}

_BODY_OF_USAGE = "concat('{', arrayStringConcat(arrayFilter(field -> field != '', $fields), ','), '}')"

_EVENTS = {
    Event.CONNECTION_STARTED: _Told(
        "fleet.connections",
        "opened_ms + setup_ms",
        _STARTED,
        body="""concat('{"model":"models/', model, '",', $setup)""",
    ),
    Event.USAGE: _Told(
        f"({_text('passes')})",
        "ended_ms - if(is_tool AND again = 0, 900, 20) + 10 * is_repeat",
        _USAGE,
        body=_BODY_OF_USAGE,
    ),
    Event.TURN: _Told("fleet.turns", "ended_ms", _TURN),
    Event.TOOL_CALL: _Told(f"({_text('tool_calls')})", "responded_ms", _TOOL_CALL),
    # The first handle changes what a connection can do, and is told at once; the others later.
    Event.RESUMPTION: _Told(
        "fleet.connections ARRAY JOIN [true, false] AS is_first",
        "if(is_first, opened_ms + 900, closed_ms - 50)",
        _RESUMPTION,
    ),
    Event.PHASE: _Told(
        "fleet.connections ARRAY JOIN range(3) AS number WHERE app = 'tutor' AND part = 0",
        "opened_ms + 600 + 5000 * number",
        _PHASE,
    ),
    Event.EXPECTATION: _Told(
        "fleet.connections WHERE app = 'tutor' AND part = 0", "opened_ms + 650", _EXPECTATION
    ),
    Event.OUTCOME: _Told(
        "fleet.connections WHERE app = 'tutor' AND end_turn = turns", "closed_ms - 20", _OUTCOME
    ),
    Event.GO_AWAY: _Told("fleet.connections WHERE has($go_aways, ending)", "closed_ms - 1000", _GO_AWAY),
    Event.CONNECTION_CLOSED: _Told(
        "fleet.connections WHERE ending != $left_open",
        "closed_ms",
        _CLOSED,
        severity="if(ending < 2, 9, 13)",
        more="$endings[1 + ending]",
    ),
}

_CONSTANTS = {
    "apps": str(list(_APPS)),
    "models": str(list(_MODELS)),
    "tools": str(list(_TOOLS)),
    "tools_json": _quoted(json.dumps(_TOOLS, separators=(",", ":"))),
    "phases": str(list(_PHASES)),
    "setup": _quoted(json.dumps(_SETUP, separators=(",", ":"))[1:]),
    "common": _map(_COMMON),
    "label": str(Attribute.LABEL_PREFIX),
    "emitter_id": str(Attribute.EMITTER_ID),
    "emitter_seq": str(Attribute.EMITTER_SEQ),
    "last_endings": _weighted([ending.last for ending in _ENDINGS]),
    "other_endings": _weighted([ending.other for ending in _ENDINGS]),
    "go_aways": str([number for number, ending in enumerate(_ENDINGS) if ending.go_away]),
    "left_open": str(_ENDINGS.index(_LEFT_OPEN)),
    "fields": "[" + ", ".join(f"fleet_field('{name}', {json})" for name, json in _USAGE_FIELDS.items()) + "]",
    "endings": "["
    + ", ".join(
        "map("
        + ", ".join(f"{_quoted(name)}, {_quoted(value)}" for name, value in ending.attributes().items())
        + ")"
        for ending in _ENDINGS
        if ending is not _LEFT_OPEN
    )
    + "]",
}
