"""Facts to log records: one fact, one record, but for frames that travel one by one. Pure.

No handle, key or URL passes here: the facts hold none.
"""

import hashlib
from collections.abc import Sequence
from typing import assert_never

from livemeter.emit.connections import Origin, closed_record, started_record
from livemeter.emit.frames import frame_records, handles_record, packed_record
from livemeter.emit.tokens import token_attributes
from livemeter.emit.values import (
    Attributes,
    Content,
    Record,
    Values,
    known,
    pack,
    pack_list,
    rounded_ms,
    unix_ms,
)
from livemeter.observer.facts import (
    ConnectionClosed,
    ConnectionStarted,
    Endpoint,
    Fact,
    Flushed,
    FramesRecorded,
    GoAwayReceived,
    Identity,
    OutcomeReached,
    PhaseEntered,
    ResumptionChanged,
    ToolCallEnded,
    ToolsExpected,
    TranscriptPiece,
    TurnEnded,
    UsageReported,
    VoiceActivityDetected,
)
from livemeter.settings import FramesForm
from livemeter.vocabulary import Attribute, Event, Platform, UsageBody

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


def records_of(fact: Fact, origin: Origin, form: FramesForm) -> Sequence[Record]:
    """Return the records that tell a fact; frames travel in ``form``."""
    if not isinstance(fact, FramesRecorded) or form is FramesForm.PACKED:
        return (record_of(fact, origin),)
    handles = (handles_record(fact),) if fact.handle_hashes else ()
    return (*frame_records(fact), *handles) if form is FramesForm.RECORDS else handles


def record_of(fact: Fact, origin: Origin) -> Record:  # noqa: C901, PLR0912 - one line a fact
    """Return the record that tells a fact; frames are packed."""
    match fact:
        case FramesRecorded():
            record = packed_record(fact)
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
        case Flushed():
            record = _flush(fact)
        case VoiceActivityDetected():
            record = _voice_activity(fact)
        case TranscriptPiece():
            record = _transcript(fact)
        case PhaseEntered():
            record = _phase(fact)
        case ToolsExpected():
            record = _expectation(fact)
        case OutcomeReached():
            record = _outcome(fact)
        case ConnectionStarted():
            record = started_record(fact, origin)
        case ConnectionClosed():
            record = closed_record(fact, origin)
        case _:
            assert_never(fact)
    return record


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
        Attribute.TRANSCRIPT_LONGEST_GAP_MS: rounded_ms(fact.transcript_longest_gap_ms),
        Attribute.GROUNDING_QUERIES: fact.grounding_queries,
        Attribute.COMPLETE_REASON: fact.complete_reason,
        Attribute.GENERATION_COMPLETE: fact.generation_complete,
        Attribute.BEGAN_WHILE_USER_SPOKE: fact.began_while_user_spoke,
        Attribute.FLUSHES: fact.flushes,
        Attribute.APP_PHASE: fact.app_phase,
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
        Attribute.TOOL_ENCODING: pack_list(fact.encoding),
        Attribute.TOOL_SCHEDULING: fact.scheduling,
        Attribute.TOOL_WILL_CONTINUE: fact.will_continue,
    }
    said: Values = {Attribute.TOOL_ARGUMENTS: fact.arguments, Attribute.TOOL_RESULT: fact.result}
    return Record(Event.TOOL_CALL, fact.at_ns, known(values), content=Content(known(said)))


def _go_away(fact: GoAwayReceived) -> Record:
    values: Values = {Attribute.GO_AWAY_TIME_LEFT_MS: rounded_ms(fact.time_left_ms)}
    return Record(Event.GO_AWAY, fact.at_ns, known(values))


def _resumption(fact: ResumptionChanged) -> Record:
    values: Values = {Attribute.HANDLE_HASH: fact.handle_hash, Attribute.RESUMABLE: fact.resumable}
    return Record(Event.RESUMPTION, fact.at_ns, known(values))


def _flush(fact: Flushed) -> Record:
    values: Values = {
        Attribute.TURN: fact.turn,
        Attribute.FLUSH_SPELLING: fact.spelling.value,
        Attribute.FLUSH_SPEECH_MS: rounded_ms(fact.speech_ms),
        Attribute.FLUSH_GAP_MS: rounded_ms(fact.gap_ms),
        Attribute.FLUSH_TRANSCRIPT_CHARS: fact.transcript_chars,
    }
    return Record(Event.FLUSH, fact.at_ns, known(values))


def _voice_activity(fact: VoiceActivityDetected) -> Record:
    values: Values = {
        Attribute.TURN: fact.turn,
        Attribute.VOICE_ACTIVITY_TYPE: fact.kind,
        Attribute.VOICE_ACTIVITY_OFFSET_MS: rounded_ms(fact.audio_offset_ms),
    }
    return Record(Event.VOICE_ACTIVITY, fact.at_ns, known(values))


def _transcript(fact: TranscriptPiece) -> Record:
    values: Values = {Attribute.TURN: fact.turn, Attribute.TRANSCRIPT_SIDE: fact.side.value}
    return Record(Event.TRANSCRIPT, fact.at_ns, known(values), content=Content(body=fact.text))


def _phase(fact: PhaseEntered) -> Record:
    values: Values = {Attribute.TURN: fact.turn, Attribute.APP_PHASE: fact.phase}
    return Record(Event.PHASE, fact.at_ns, known(values))


def _expectation(fact: ToolsExpected) -> Record:
    values: Values = {Attribute.TURN: fact.turn, Attribute.EXPECTED_TOOLS: pack_list(fact.tools)}
    return Record(Event.EXPECTATION, fact.at_ns, known(values))


def _outcome(fact: OutcomeReached) -> Record:
    values: Values = {
        Attribute.TURN: fact.turn,
        Attribute.OUTCOME: fact.outcome,
        Attribute.OUTCOME_DETAIL: fact.detail,
    }
    return Record(Event.OUTCOME, fact.at_ns, known(values))
