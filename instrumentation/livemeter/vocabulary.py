"""Every name that leaves the process, defined once.

Emitters write these names, the collector's SQL reads them and the dashboards show them; a test
compares the three. Names come from the OpenTelemetry GenAI conventions (drafts included) where they
have one, and carry the prefix ``gemini_live.`` elsewhere. Units are part of a name.
"""

from enum import StrEnum

SCOPE_NAME = "livemeter"
"""Instrumentation scope of every span, event and metric."""

SCHEMA_URL = ""
"""The GenAI registry has no tagged release yet, so no schema URL is claimed."""


class Event(StrEnum):
    """Event names of log records (``LogRecord.event_name``)."""

    CONNECTION_STARTED = "gemini_live.connection.started"
    FRAMES = "gemini_live.frames"
    FRAME = "gemini_live.frame"
    USAGE = "gemini_live.usage"
    TURN = "gemini_live.turn"
    TOOL_CALL = "gemini_live.tool_call"
    GO_AWAY = "gemini_live.go_away"
    RESUMPTION = "gemini_live.resumption"
    FLUSH = "gemini_live.flush"
    VOICE_ACTIVITY = "gemini_live.voice_activity"
    TRANSCRIPT = "gemini_live.transcript"
    PHASE = "gemini_live.phase"
    EXPECTATION = "gemini_live.expectation"
    OUTCOME = "gemini_live.outcome"
    DROPPED_RECORDS = "gemini_live.dropped_records"
    CONNECTION_CLOSED = "gemini_live.connection.closed"


class Attribute(StrEnum):
    """Attribute names of log records and spans."""

    # On every event.
    CONNECTION_ID = "gemini_live.connection.id"
    SESSION_ID = "gemini_live.session.id"
    EMITTER_ID = "gemini_live.emitter.id"
    EMITTER_SEQ = "gemini_live.emitter.seq"
    PROVIDER = "gen_ai.provider.name"
    MODEL = "gen_ai.request.model"
    PLATFORM = "gemini_live.platform"
    TURN = "gemini_live.turn.number"
    SOURCE = "gemini_live.source"

    # What the application said about the session.
    USER_ID = "user.id"
    LABEL_PREFIX = "gemini_live.label."
    APP_PHASE = "gemini_live.app.phase"
    EXPECTED_TOOLS = "gemini_live.app.expected_tools"
    OUTCOME = "gemini_live.app.outcome"
    OUTCOME_DETAIL = "gemini_live.app.outcome_detail"

    # Connection started: the setup as it went over the wire.
    ATTEMPT = "gemini_live.connection.attempt"
    RESUMED_FROM = "gemini_live.connection.resumed_from"
    RESUMED = "gemini_live.connection.resumed"
    RECONNECT_DELAY_MS = "gemini_live.connection.reconnect_delay_ms"
    GAP_MS = "gemini_live.connection.gap_ms"
    GOOGLE_SESSION_ID = "gen_ai.realtime_session.id"
    API_VERSION = "gemini_live.api_version"
    SERVER_ADDRESS = "server.address"
    LOCATION = "gemini_live.location"
    RESPONSE_MODALITIES = "gemini_live.setup.response_modalities"
    VOICE = "gemini_live.setup.voice"
    VAD_MODE = "gemini_live.setup.vad_mode"
    INPUT_TRANSCRIPTION = "gemini_live.setup.input_transcription"
    OUTPUT_TRANSCRIPTION = "gemini_live.setup.output_transcription"
    RESUMPTION_ENABLED = "gemini_live.setup.session_resumption"
    COMPRESSION = "gemini_live.setup.context_window_compression"
    COMPRESSION_TRIGGER_TOKENS = "gemini_live.setup.compression_trigger_tokens"
    COMPRESSION_TARGET_TOKENS = "gemini_live.setup.compression_target_tokens"
    DECLARED_TOOLS = "gemini_live.setup.declared_tools"
    THINKING_BUDGET = "gemini_live.setup.thinking_budget"
    THINKING_LEVEL = "gemini_live.setup.thinking_level"
    SETUP_BYTES = "gemini_live.setup.bytes"
    SETUP_LABELS = "gemini_live.setup.labels"
    INSTRUCTION_BYTES = "gemini_live.setup.system_instruction_bytes"
    INSTRUCTION_HASH = "gemini_live.setup.system_instruction_hash"
    SETUP_MS = "gemini_live.setup_ms"
    SDK_VERSION = "gemini_live.sdk.version"
    WEBSOCKETS_VERSION = "gemini_live.websockets.version"
    FRAMEWORK_NAME = "gemini_live.framework.name"
    FRAMEWORK_VERSION = "gemini_live.framework.version"
    PYTHON_VERSION = "process.runtime.version"
    OS_TYPE = "os.type"
    PING_INTERVAL_S = "gemini_live.websocket.ping_interval_s"
    PING_TIMEOUT_S = "gemini_live.websocket.ping_timeout_s"

    # Frames, packed: how many the body holds, so that a cut body is seen.
    FRAMES_COUNT = "gemini_live.frames.count"

    # A frame as a record of its own.
    FRAME_SEQ = "gemini_live.frame.seq"
    FRAME_DIRECTION = "gemini_live.frame.direction"
    FRAME_KIND = "gemini_live.frame.kind"
    FRAME_CONTENTS = "gemini_live.frame.contents"
    FRAME_BYTES = "gemini_live.frame.bytes"
    FRAME_AUDIO_MS = "gemini_live.frame.audio_ms"
    FRAME_SAMPLE_RATE = "gemini_live.frame.sample_rate_hz"

    # Usage: one event per usageMetadata; the exact figures are in the body.
    PASS = "gemini_live.usage.pass"  # noqa: S105 - a generation pass, not a password
    REPEAT = "gemini_live.usage.repeat"
    INPUT_TOKENS = "gen_ai.usage.input_tokens"
    OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
    REASONING_TOKENS = "gen_ai.usage.reasoning.output_tokens"
    CACHE_READ_TOKENS = "gen_ai.usage.cache_read.input_tokens"
    TRAFFIC_TYPE = "gemini_live.usage.traffic_type"
    SERVICE_TIER = "gemini_live.usage.service_tier"
    FIRST_AFTER_RESUME = "gemini_live.usage.first_after_resume"

    # Turn.
    TURN_STARTED_AT = "gemini_live.turn.started_at_unix_ms"
    FIRST_AUDIO_MS = "gemini_live.turn.first_audio_ms"
    FIRST_AUDIO_FROM = "gemini_live.turn.first_audio_from"
    GENERATION_MS = "gemini_live.turn.generation_ms"
    TURN_MS = "gemini_live.turn.turn_ms"
    USER_SPEECH_MS = "gemini_live.turn.user_speech_ms"
    MODEL_SPEECH_MS = "gemini_live.turn.model_speech_ms"
    INTERRUPTED = "gemini_live.turn.interrupted"
    END_REASON = "gemini_live.turn.end_reason"
    HAS_OUTPUT = "gemini_live.turn.has_output"
    TRANSCRIPT_CHARS_IN = "gemini_live.turn.transcript_chars_in"
    TRANSCRIPT_CHARS_OUT = "gemini_live.turn.transcript_chars_out"
    TRANSCRIPT_BYTES_IN = "gemini_live.turn.transcript_bytes_in"
    TRANSCRIPT_BYTES_OUT = "gemini_live.turn.transcript_bytes_out"
    TRANSCRIPT_LONGEST_GAP_MS = "gemini_live.turn.transcript_longest_gap_ms"
    GROUNDING_QUERIES = "gemini_live.turn.grounding_queries"
    COMPLETE_REASON = "gemini_live.turn.complete_reason"
    GENERATION_COMPLETE = "gemini_live.turn.generation_complete"
    BEGAN_WHILE_USER_SPOKE = "gemini_live.turn.began_while_user_spoke"
    FLUSHES = "gemini_live.turn.flushes"

    # Flush: the user's activity was ended and begun again to force a transcription.
    FLUSH_SPELLING = "gemini_live.flush.spelling"
    FLUSH_SPEECH_MS = "gemini_live.flush.speech_ms"
    FLUSH_GAP_MS = "gemini_live.flush.gap_ms"
    FLUSH_TRANSCRIPT_CHARS = "gemini_live.flush.transcript_chars"

    # What the server's own voice activity detection said.
    VOICE_ACTIVITY_TYPE = "gemini_live.voice_activity.type"
    VOICE_ACTIVITY_OFFSET_MS = "gemini_live.voice_activity.audio_offset_ms"

    # Transcript: content, only when it is switched on. The text is the body.
    TRANSCRIPT_SIDE = "gemini_live.transcript.side"
    CONTENT_TRUNCATED = "gemini_live.content.truncated"

    # Tool call.
    TOOL_NAME = "gen_ai.tool.name"
    TOOL_CALL_ID = "gen_ai.tool.call.id"
    TOOL_STATUS = "gemini_live.tool.status"
    TOOL_CALLED_AT = "gemini_live.tool.called_at_unix_ms"
    TOOL_RESPONDED_AT = "gemini_live.tool.responded_at_unix_ms"
    TOOL_LATENCY_MS = "gemini_live.tool.latency_ms"
    TOOL_REQUEST_BYTES = "gemini_live.tool.request_bytes"
    TOOL_RESPONSE_BYTES = "gemini_live.tool.response_bytes"
    TOOL_ID_MATCH = "gemini_live.tool.id_match"
    TOOL_IN_FLIGHT = "gemini_live.tool.in_flight"
    TOOL_ENCODING = "gemini_live.tool.encoding"
    TOOL_SCHEDULING = "gemini_live.tool.scheduling"
    TOOL_WILL_CONTINUE = "gemini_live.tool.will_continue"
    TOOL_ARGUMENTS = "gen_ai.tool.call.arguments"
    TOOL_RESULT = "gen_ai.tool.call.result"

    # goAway and resumption. Handles leave the process as hashes only.
    GO_AWAY_TIME_LEFT_MS = "gemini_live.go_away.time_left_ms"
    RESUMABLE = "gemini_live.resumption.resumable"
    HANDLE_HASH = "gemini_live.resumption.handle_hash"
    HANDLE_HASHES = "gemini_live.resumption.handle_hashes"

    # Connection closed.
    OPENED_AT = "gemini_live.connection.opened_at_unix_ms"
    CLOSE_CODE = "gemini_live.close.code"
    CLOSE_REASON = "gemini_live.close.reason"
    CLOSED_BY = "gemini_live.close.closed_by"
    CLEAN = "gemini_live.close.clean"
    PHASE = "gemini_live.close.phase"
    HTTP_STATUS = "http.response.status_code"
    ERROR_TYPE = "error.type"
    EXCEPTION_CHAIN = "gemini_live.close.exception_chain"
    DIAGNOSIS = "gemini_live.close.diagnosis"
    CAUSE = "gemini_live.close.cause"
    HINT = "gemini_live.close.hint"
    RETRY_CLASS = "gemini_live.close.retry_class"
    CATALOGUE_VERSION = "gemini_live.close.catalogue_version"
    SINCE_TOOL_RESPONSE_MS = "gemini_live.close.since_tool_response_ms"
    SINCE_GO_AWAY_MS = "gemini_live.close.since_go_away_ms"
    GO_AWAY_OVERRUN_MS = "gemini_live.close.go_away_overrun_ms"
    CONTEXT_TOKENS = "gemini_live.close.context_tokens"
    LAST_SENT_AT = "gemini_live.close.last_sent_at_unix_ms"
    LAST_RECEIVED_AT = "gemini_live.close.last_received_at_unix_ms"
    CONNECTION_MS = "gemini_live.connection.duration_ms"
    FRAMES_OBSERVED = "gemini_live.close.frames"
    TOOL_CALLS_OPEN = "gemini_live.close.tool_calls_open"
    PINGS_SENT = "gemini_live.close.pings_sent"
    PINGS_MISSED = "gemini_live.close.pings_missed"
    PING_P50_MS = "gemini_live.close.ping_p50_ms"
    PING_MAX_MS = "gemini_live.close.ping_max_ms"
    LOOP_LAG_MAX_MS = "gemini_live.close.loop_lag_max_ms"

    # Dropped records: what a full queue, a dead collector or a length limit cost.
    DROPPED_COUNT = "gemini_live.dropped.count"
    DROPPED_REASON = "gemini_live.dropped.reason"
    DROPPED_FIRST_SEQ = "gemini_live.dropped.first_seq"
    DROPPED_LAST_SEQ = "gemini_live.dropped.last_seq"

    # Spans and metrics only.
    OPERATION = "gen_ai.operation.name"
    OUTPUT_TYPE = "gen_ai.output.type"
    FINISH_REASONS = "gen_ai.response.finish_reasons"
    TOKEN_MODALITY = "gen_ai.token.modality"  # noqa: S105 - tokens of a model, no secret


class Span(StrEnum):
    """Span names; the model or the tool follows where the conventions say so."""

    CONNECTION = "gemini_live.connection"
    SETUP = "setup"
    INFERENCE = "realtime_inference"
    TOOL = "execute_tool"


class Metric(StrEnum):
    """Metric names."""

    INPUT_TOKENS = "gen_ai.client.inference.usage.input_tokens"
    OUTPUT_TOKENS = "gen_ai.client.inference.usage.output_tokens"
    TIME_TO_FIRST_CHUNK = "gen_ai.client.inference.time_to_first_chunk"
    INFERENCE_DURATION = "gen_ai.client.inference.duration"
    CONNECTIONS_ACTIVE = "gemini_live.connections.active"
    CLOSES = "gemini_live.connection.closes"
    GO_AWAYS = "gemini_live.go_aways"
    INTERRUPTIONS = "gemini_live.interruptions"
    TOOL_DURATION = "gen_ai.execute_tool.duration"
    LOOP_LAG = "gemini_live.event_loop.lag"
    DROPPED_RECORDS = "gemini_live.dropped_records"


class UsageBody(StrEnum):
    """Keys of a usage event's JSON body. A figure that the server did not send is absent.

    A ``*_details`` value maps a modality as sent to its tokens. The observer has resolved a lone
    detail without a count; nothing else is changed.
    """

    PROMPT = "prompt"
    PROMPT_DETAILS = "prompt_details"
    TOOL_USE = "tool_use"
    TOOL_USE_DETAILS = "tool_use_details"
    CACHED = "cached"
    CACHED_DETAILS = "cached_details"
    RESPONSE = "response"
    RESPONSE_DETAILS = "response_details"
    THOUGHTS = "thoughts"
    TOTAL = "total"
    PREVIOUS_PROMPT = "previous_prompt"
    PREVIOUS_CONTEXT = "previous_context"
    CONTEXT_AUDIO_MS = "context_audio_ms"
    RESPONSE_AUDIO_MS = "response_audio_ms"


class FramesBody(StrEnum):
    """Keys of a packed frames event's JSON body: equally long arrays but for the scalars.

    ``base`` is a Unix time in milliseconds and ``offset`` the milliseconds since the frame before
    (since ``base`` for the first); ``seq`` is the first frame's number, counted up by one; ``sample_rate``
    is in hertz, 0 where there is no PCM. ``handles``, when there, are the hashes of the resumption handles
    that were given meanwhile.
    """

    BASE = "base"
    SEQ = "seq"
    OFFSET = "offset"
    DIRECTION = "direction"
    KIND = "kind"
    CONTENTS = "contents"
    BYTES = "bytes"
    AUDIO_MS = "audio_ms"
    SAMPLE_RATE = "sample_rate"
    TURN = "turn"
    HANDLES = "handles"


class Platform(StrEnum):
    """Which of Google's two doors a connection uses."""

    GEMINI_API = "gemini_api"
    VERTEX_AI = "vertex_ai"


class Direction(StrEnum):
    """Which way a frame crossed the socket, as the application sees it."""

    SENT = "sent"
    RECEIVED = "received"


class ToolStatus(StrEnum):
    """How a tool call ended."""

    OK = "ok"
    ERROR = "error"
    CANCELLED = "cancelled"
    UNANSWERED = "unanswered"
    SEND_FAILED = "send_failed"


class IdMatch(StrEnum):
    """How a tool response's id relates to the calls that were made."""

    YES = "yes"
    NO = "no"
    ABSENT = "absent"
    DUPLICATE = "duplicate"
    LATE = "late"


class ClosedBy(StrEnum):
    """Which side sent the first close frame; ``none`` when no close frame was seen."""

    SERVER = "server"
    CLIENT = "client"
    NONE = "none"


class Phase(StrEnum):
    """How far a connection had come when it closed."""

    HANDSHAKE = "handshake"
    SETUP = "setup"
    ACTIVE = "active"


class TurnEnd(StrEnum):
    """Why a turn ended."""

    COMPLETE = "complete"
    INTERRUPTED = "interrupted"
    CONNECTION_CLOSED = "connection_closed"


class FlushSpelling(StrEnum):
    """How an application ended and began the user's activity to force a transcription."""

    ACTIVITY = "activity"
    CLIENT_CONTENT = "client_content"


class Side(StrEnum):
    """Whose words a transcript holds."""

    INPUT = "input"
    OUTPUT = "output"


class EncodingFinding(StrEnum):
    """What was found in a tool response that is known to matter to servers."""

    NON_ASCII = "non_ascii"
    INVALID_UTF8 = "invalid_utf8"
    LONE_SURROGATE = "lone_surrogate"
    CONTROL_CHARACTER = "control_character"
    NOT_AN_OBJECT = "not_an_object"
    PLAIN_STRING = "plain_string"
    JSON_IN_STRING = "json_in_string"
    NESTED_OBJECT = "nested_object"


class DropReason(StrEnum):
    """Why records did not reach the collector, or not whole."""

    QUEUE_FULL = "queue_full"
    EXPORT_FAILED = "export_failed"
    TRUNCATED = "truncated"
