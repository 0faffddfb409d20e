"""Facts to log records: one fact, one record. Pure.

No handle, key or URL passes here: the facts hold none.
"""

import hashlib

from livemeter.emit.connections import Origin, closed_record, started_record
from livemeter.emit.tokens import token_attributes
from livemeter.emit.values import Attributes, Record, Values, known, pack, rounded_ms, unix_ms
from livemeter.observer.facts import (
    ConnectionClosed,
    ConnectionStarted,
    Endpoint,
    Fact,
    FramesRecorded,
    GoAwayReceived,
    Identity,
    ResumptionChanged,
    ToolCallEnded,
    TurnEnded,
    UsageReported,
)
from livemeter.vocabulary import Attribute, Event, FramesBody, Platform, UsageBody

PROVIDERS = {Platform.GEMINI_API: "gcp.gemini", Platform.VERTEX_AI: "gcp.vertex_ai"}
"""``gen_ai.provider.name`` by platform."""


def common_attributes(
    connection_id: str, identity: Identity, endpoint: Endpoint, model: str, *, hash_user_ids: bool
) -> Attributes:
    """Return what every record and span of a connection says about whose it is."""
    user_id = str(identity.user_id)
    if user_id and hash_user_ids:
        user_id = hashlib.sha256(user_id.encode("utf-8", "replace")).hexdigest()
    labels = {f"{Attribute.LABEL_PREFIX}{key}": str(value) for key, value in identity.labels.items()}
    return known(
        {
            Attribute.CONNECTION_ID: connection_id,
            Attribute.SESSION_ID: identity.session_id,
            Attribute.PROVIDER: PROVIDERS[endpoint.platform],
            Attribute.PLATFORM: endpoint.platform.value,
            Attribute.MODEL: model,
            Attribute.USER_ID: user_id,
            **labels,
        }
    )


def record_of(fact: Fact, origin: Origin) -> Record:
    """Return the record that tells a fact."""
    match fact:
        case FramesRecorded():
            record = _frames(fact)
        case UsageReported():
            record = _usage(fact)
        case TurnEnded():
            record = _turn(fact)
        case ToolCallEnded():
            record = _tool_call(fact)
        case GoAwayReceived():
            record = _go_away(fact)
        case ResumptionChanged():
            record = _resumption(fact)
        case ConnectionStarted():
            record = started_record(fact, origin)
        case ConnectionClosed():
            record = closed_record(fact, origin)
    return record


def _frames(fact: FramesRecorded) -> Record:
    body = {
        FramesBody.BASE: fact.base_ms,
        FramesBody.SEQ: fact.first_seq,
        FramesBody.OFFSET: fact.offsets_ms,
        FramesBody.DIRECTION: fact.directions,
        FramesBody.KIND: fact.kinds,
        FramesBody.CONTENTS: fact.contents,
        FramesBody.BYTES: fact.bytes,
        FramesBody.AUDIO_MS: fact.audio_ms,
        FramesBody.TURN: fact.turns,
    }
    attributes: Attributes = {Attribute.FRAMES_COUNT: len(fact.offsets_ms)}
    return Record(Event.FRAMES, fact.at_ns, attributes, pack(body))


def _usage(fact: UsageReported) -> Record:
    usage = fact.usage
    values: Values = {
        Attribute.TURN: fact.turn,
        Attribute.PASS: fact.pass_number,
        Attribute.REPEAT: fact.repeat,
        Attribute.FIRST_AFTER_RESUME: fact.first_after_resume,
        Attribute.TRAFFIC_TYPE: usage.traffic_type,
        Attribute.SERVICE_TIER: usage.service_tier,
        **token_attributes(usage),
    }
    figures = {
        UsageBody.PROMPT: usage.prompt,
        UsageBody.PROMPT_DETAILS: dict(usage.prompt_details),
        UsageBody.TOOL_USE: usage.tool_use,
        UsageBody.TOOL_USE_DETAILS: dict(usage.tool_use_details),
        UsageBody.CACHED: usage.cached,
        UsageBody.CACHED_DETAILS: dict(usage.cached_details),
        UsageBody.RESPONSE: usage.response,
        UsageBody.RESPONSE_DETAILS: dict(usage.response_details),
        UsageBody.THOUGHTS: usage.thoughts,
        UsageBody.TOTAL: usage.total,
        UsageBody.PREVIOUS_PROMPT: fact.previous_prompt,
        UsageBody.PREVIOUS_CONTEXT: dict(fact.previous_context),
        UsageBody.CONTEXT_AUDIO_MS: rounded_ms(fact.context_audio_ms),
        UsageBody.RESPONSE_AUDIO_MS: rounded_ms(fact.response_audio_ms),
    }
    body = {name: figure for name, figure in figures.items() if figure not in (None, {})}
    return Record(Event.USAGE, fact.at_ns, known(values), pack(body))


def _turn(fact: TurnEnded) -> Record:
    values: Values = {
        Attribute.TURN: fact.turn,
        Attribute.TURN_STARTED_AT: unix_ms(fact.started_at_ns),
        Attribute.TURN_MS: rounded_ms(fact.turn_ms),
        Attribute.FIRST_AUDIO_MS: rounded_ms(fact.first_audio_ms),
        Attribute.FIRST_AUDIO_FROM: fact.first_audio_from,
        Attribute.GENERATION_MS: rounded_ms(fact.generation_ms),
        Attribute.USER_SPEECH_MS: rounded_ms(fact.user_speech_ms),
        Attribute.MODEL_SPEECH_MS: rounded_ms(fact.model_speech_ms),
        Attribute.INTERRUPTED: fact.interrupted,
        Attribute.END_REASON: fact.end_reason.value,
        Attribute.HAS_OUTPUT: fact.has_output,
        Attribute.TRANSCRIPT_CHARS_IN: fact.transcript_chars_in,
        Attribute.TRANSCRIPT_CHARS_OUT: fact.transcript_chars_out,
        Attribute.TRANSCRIPT_BYTES_IN: fact.transcript_bytes_in,
        Attribute.TRANSCRIPT_BYTES_OUT: fact.transcript_bytes_out,
        Attribute.GROUNDING_QUERIES: fact.grounding_queries,
    }
    return Record(Event.TURN, fact.at_ns, known(values))


def _tool_call(fact: ToolCallEnded) -> Record:
    values: Values = {
        Attribute.TURN: fact.turn,
        Attribute.TOOL_NAME: fact.name,
        Attribute.TOOL_CALL_ID: fact.call_id,
        Attribute.TOOL_STATUS: fact.status.value,
        Attribute.TOOL_CALLED_AT: unix_ms(fact.called_at_ns),
        Attribute.TOOL_RESPONDED_AT: unix_ms(fact.responded_at_ns),
        Attribute.TOOL_LATENCY_MS: rounded_ms(fact.latency_ms),
        Attribute.TOOL_REQUEST_BYTES: fact.request_bytes,
        Attribute.TOOL_RESPONSE_BYTES: fact.response_bytes,
        Attribute.TOOL_ID_MATCH: fact.id_match.value,
        Attribute.TOOL_IN_FLIGHT: fact.in_flight,
    }
    return Record(Event.TOOL_CALL, fact.at_ns, known(values))


def _go_away(fact: GoAwayReceived) -> Record:
    values: Values = {Attribute.GO_AWAY_TIME_LEFT_MS: rounded_ms(fact.time_left_ms)}
    return Record(Event.GO_AWAY, fact.at_ns, known(values))


def _resumption(fact: ResumptionChanged) -> Record:
    values: Values = {Attribute.HANDLE_HASH: fact.handle_hash, Attribute.RESUMABLE: fact.resumable}
    return Record(Event.RESUMPTION, fact.at_ns, known(values))
