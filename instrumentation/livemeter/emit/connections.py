"""The records of a connection's two ends: how it was set up, how it closed and why. Pure."""

from dataclasses import dataclass

from livemeter.diagnosis import CloseEvidence, Diagnosis, diagnose_close
from livemeter.emit.values import Record, Severity, Values, clean, known, pack, pack_list, rounded_ms, unix_ms
from livemeter.observer.facts import ConnectionClosed, ConnectionStarted, Endpoint, Health, Setup
from livemeter.vocabulary import Attribute, ClosedBy, Event, Phase

_CODES_IN_ORDER = {1000, 1001}
_OWN_COMPLAINTS = {"keepalive-timeout", "frame-too-big-for-client"}


@dataclass(frozen=True, slots=True)
class Origin:
    """What is the same for all records of a connection but not part of its facts. Empty is not known.

    ``os_type`` is spelled as OpenTelemetry does (``linux``, ``darwin``, ``windows``). Ping settings are
    those in effect, in seconds; 0 is off.
    """

    endpoint: Endpoint
    sdk_version: str = ""
    websockets_version: str = ""
    framework_name: str = ""
    framework_version: str = ""
    python_version: str = ""
    os_type: str = ""
    ping_interval_s: float | None = None
    ping_timeout_s: float | None = None


def ended_well(fact: ConnectionClosed, diagnosis_id: str = "") -> bool:
    """Say whether a close was in order: the view ``live_connections`` decides by the same rule.

    It was when the application hung up (its library's own complaints aside) or the server said goodbye.
    """
    hung_up = fact.closed_by is ClosedBy.CLIENT and diagnosis_id not in _OWN_COMPLAINTS
    said_goodbye = fact.code in _CODES_IN_ORDER and fact.phase is Phase.ACTIVE
    return said_goodbye or hung_up


def started_record(fact: ConnectionStarted, origin: Origin) -> Record:
    """Return the record of a connection whose setup the server accepted; its body is all of the setup."""
    values: Values = {
        **_origin_values(origin),
        **_setup_values(fact.setup, origin.endpoint),
        Attribute.OPENED_AT: unix_ms(fact.opened_at_ns),
        Attribute.SETUP_MS: rounded_ms(fact.setup_ms),
        Attribute.GOOGLE_SESSION_ID: fact.google_session_id,
        Attribute.ATTEMPT: fact.attempt,
        Attribute.RESUMED_FROM: fact.resumed_from,
        Attribute.RECONNECT_DELAY_MS: rounded_ms(fact.reconnect_delay_ms),
        Attribute.GAP_MS: rounded_ms(fact.gap_ms),
    }
    return Record(Event.CONNECTION_STARTED, fact.at_ns, known(values), clean(fact.setup.config) or None)


def closed_record(fact: ConnectionClosed, origin: Origin) -> Record:
    """Return the record of a close, with its diagnosis unless there is nothing to say about it."""
    diagnosis = diagnose_close(close_evidence(fact, origin.endpoint))
    values: Values = {
        **_unheard_values(fact, origin),
        **_close_values(fact),
        **_health_values(fact.health),
        **(_diagnosis_values(diagnosis) if diagnosis else {}),
    }
    abnormal = diagnosis is not None and not ended_well(fact, diagnosis.id)
    severity = Severity.WARN if abnormal else Severity.INFO
    # A setup that was refused is told here, because no other record did.
    unheard = clean(fact.setup.config) if fact.phase is not Phase.ACTIVE else ""
    return Record(Event.CONNECTION_CLOSED, fact.at_ns, known(values), unheard or None, severity)


def _close_values(fact: ConnectionClosed) -> Values:
    return {
        Attribute.OPENED_AT: unix_ms(fact.opened_at_ns),
        Attribute.CONNECTION_MS: rounded_ms(fact.duration_ms),
        Attribute.ATTEMPT: fact.attempt,
        Attribute.RESUMED_FROM: fact.resumed_from,
        Attribute.CLOSE_CODE: fact.code,
        Attribute.CLOSE_REASON: fact.reason,
        Attribute.CLOSED_BY: fact.closed_by.value,
        Attribute.CLEAN: fact.clean,
        Attribute.PHASE: fact.phase.value,
        Attribute.HTTP_STATUS: fact.http_status,
        Attribute.ERROR_TYPE: fact.error_type,
        Attribute.EXCEPTION_CHAIN: pack_list(fact.exception_chain),
        Attribute.APP_PHASE: fact.app_phase,
        Attribute.SINCE_TOOL_RESPONSE_MS: rounded_ms(fact.since_tool_response_ms),
        Attribute.SINCE_GO_AWAY_MS: rounded_ms(fact.since_go_away_ms),
        Attribute.GO_AWAY_OVERRUN_MS: rounded_ms(fact.go_away_overrun_ms),
        Attribute.CONTEXT_TOKENS: fact.context_tokens,
        Attribute.LAST_SENT_AT: unix_ms(fact.last_sent_at_ns),
        Attribute.LAST_RECEIVED_AT: unix_ms(fact.last_received_at_ns),
        Attribute.FRAMES_OBSERVED: fact.frames,
        Attribute.TOOL_CALLS_OPEN: fact.tool_calls_open,
    }


def _health_values(health: Health) -> Values:
    return {
        Attribute.PINGS_SENT: health.pings_sent,
        Attribute.PINGS_MISSED: health.pings_missed,
        Attribute.PING_P50_MS: rounded_ms(health.ping_p50_ms),
        Attribute.PING_MAX_MS: rounded_ms(health.ping_max_ms),
        Attribute.LOOP_LAG_MAX_MS: rounded_ms(health.loop_lag_max_ms),
    }


def close_evidence(fact: ConnectionClosed, endpoint: Endpoint) -> CloseEvidence:
    """Return what a diagnosis is made from."""
    return CloseEvidence(
        code=fact.code,
        reason=fact.reason,
        phase=fact.phase,
        closed_by=fact.closed_by,
        clean=fact.clean,
        model=fact.setup.model or None,
        platform=endpoint.platform,
        since_tool_response_ms=fact.since_tool_response_ms,
        go_away_received=fact.since_go_away_ms is not None,
        go_away_overrun_ms=fact.go_away_overrun_ms,
        http_status=fact.http_status,
        resumed=bool(fact.setup.resumption_handle_hash),
        context_tokens=fact.context_tokens,
        error_type=fact.error_type,
    )


def _diagnosis_values(diagnosis: Diagnosis) -> Values:
    return {
        Attribute.DIAGNOSIS: diagnosis.id,
        Attribute.CAUSE: diagnosis.cause,
        Attribute.HINT: diagnosis.hint,
        Attribute.RETRY_CLASS: diagnosis.retry_class.value,
        Attribute.CATALOGUE_VERSION: diagnosis.catalogue_version,
    }


def _unheard_values(fact: ConnectionClosed, origin: Origin) -> Values:
    """Return what a connection that never started has had no other record to say."""
    if fact.phase is Phase.ACTIVE:
        return {}
    # A dial that was refused has sent no setup, and its defaults are nobody's choice.
    if fact.setup == Setup():
        return _origin_values(origin)
    return {**_origin_values(origin), **_setup_values(fact.setup, origin.endpoint)}


def _origin_values(origin: Origin) -> Values:
    return {
        Attribute.API_VERSION: origin.endpoint.api_version,
        Attribute.SERVER_ADDRESS: origin.endpoint.address,
        Attribute.LOCATION: origin.endpoint.location,
        Attribute.SDK_VERSION: origin.sdk_version,
        Attribute.WEBSOCKETS_VERSION: origin.websockets_version,
        Attribute.FRAMEWORK_NAME: origin.framework_name,
        Attribute.FRAMEWORK_VERSION: origin.framework_version,
        Attribute.PYTHON_VERSION: origin.python_version,
        Attribute.OS_TYPE: origin.os_type,
        Attribute.PING_INTERVAL_S: origin.ping_interval_s,
        Attribute.PING_TIMEOUT_S: origin.ping_timeout_s,
    }


def _setup_values(setup: Setup, endpoint: Endpoint) -> Values:
    return {
        Attribute.LOCATION: setup.location or endpoint.location,
        Attribute.RESPONSE_MODALITIES: pack_list(setup.response_modalities),
        Attribute.VOICE: setup.voice,
        Attribute.VAD_MODE: setup.vad_mode,
        Attribute.INPUT_TRANSCRIPTION: setup.input_transcription,
        Attribute.OUTPUT_TRANSCRIPTION: setup.output_transcription,
        Attribute.RESUMPTION_ENABLED: setup.session_resumption,
        Attribute.RESUMED: bool(setup.resumption_handle_hash),
        Attribute.HANDLE_HASH: setup.resumption_handle_hash,
        Attribute.COMPRESSION: setup.compression,
        Attribute.COMPRESSION_TRIGGER_TOKENS: setup.compression_trigger_tokens,
        Attribute.COMPRESSION_TARGET_TOKENS: setup.compression_target_tokens,
        Attribute.DECLARED_TOOLS: pack_list(setup.declared_tools),
        Attribute.THINKING_BUDGET: setup.thinking_budget,
        Attribute.THINKING_LEVEL: setup.thinking_level,
        Attribute.SETUP_LABELS: pack(dict(setup.labels)) if setup.labels else "",
        Attribute.SETUP_BYTES: setup.bytes,
        Attribute.INSTRUCTION_BYTES: setup.instruction_bytes,
        Attribute.INSTRUCTION_HASH: setup.instruction_hash,
    }
