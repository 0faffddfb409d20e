"""What the observer knows about a Live session: plain facts, without I/O, OpenTelemetry or SDK types.

Times are ``*_ns`` (Unix, nanoseconds) when they say when, and ``*_ms`` (float, milliseconds, from the
monotonic clock) when they say how long. ``None`` means "not known", never zero.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from livemeter.vocabulary import ClosedBy, IdMatch, Phase, Platform, ToolStatus, TurnEnd


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a connection goes, read from its URL without query or credentials."""

    platform: Platform
    address: str
    api_version: str = ""
    location: str = ""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a connection belongs to; the application's words win over our own.

    From the application ``session_id`` may be empty: then the observer says which session it is.
    """

    session_id: str
    user_id: str = ""
    labels: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Setup:
    """The setup frame, as sent. ``model`` is bare: no ``models/`` and no publisher path."""

    model: str = ""
    location: str = ""
    response_modalities: tuple[str, ...] = ()
    voice: str = ""
    vad_mode: str = ""
    input_transcription: bool = False
    output_transcription: bool = False
    session_resumption: bool = False
    resumption_handle_hash: str = ""
    compression: bool = False
    compression_trigger_tokens: int | None = None
    compression_target_tokens: int | None = None
    declared_tools: tuple[str, ...] = ()
    instruction_bytes: int = 0
    instruction_hash: str = ""


@dataclass(frozen=True, slots=True)
class Usage:
    """One usageMetadata frame; both spellings and both cases read. ``None``: the server sent no figure.

    ``*_details`` map the modality as sent to tokens; a lone detail without a count has taken the rest.
    """

    prompt: int | None = None
    tool_use: int | None = None
    cached: int | None = None
    response: int | None = None
    thoughts: int | None = None
    total: int | None = None
    prompt_details: Mapping[str, int] = field(default_factory=dict[str, int])
    tool_use_details: Mapping[str, int] = field(default_factory=dict[str, int])
    cached_details: Mapping[str, int] = field(default_factory=dict[str, int])
    response_details: Mapping[str, int] = field(default_factory=dict[str, int])
    traffic_type: str = ""
    service_tier: str = ""


@dataclass(frozen=True, slots=True)
class ConnectionStarted:
    """Setup is complete: the server answered the setup frame."""

    at_ns: int
    opened_at_ns: int
    setup_ms: float
    setup: Setup
    google_session_id: str
    attempt: int
    resumed_from: str
    reconnect_delay_ms: float | None
    gap_ms: float | None


@dataclass(frozen=True, slots=True)
class FramesRecorded:
    """Up to half a second of frames of one connection, as equally long columns.

    ``directions``: 0 sent, 1 received. ``contents`` is empty where a frame carried its kind alone.
    """

    at_ns: int
    first_seq: int
    base_ms: int
    offsets_ms: tuple[int, ...]
    directions: tuple[int, ...]
    kinds: tuple[str, ...]
    contents: tuple[tuple[str, ...], ...]
    bytes: tuple[int, ...]
    audio_ms: tuple[int, ...]
    turns: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class UsageReported:
    """A usageMetadata frame in its place: which turn, which pass, and what the pass before it held.

    ``previous_context`` maps modality (``UNATTRIBUTED`` included) to the tokens of the previous pass's
    prompt and response; ``context_audio_ms`` is the audio of both sides before this pass's own.
    """

    at_ns: int
    turn: int
    pass_number: int
    usage: Usage
    repeat: bool
    first_after_resume: bool
    previous_prompt: int | None
    previous_context: Mapping[str, int]
    context_audio_ms: float
    response_audio_ms: float


@dataclass(frozen=True, slots=True)
class TurnEnded:
    """One exchange, from its first frame (``started_at_ns``).

    ``generation_ms`` runs from the model's first output to generationComplete;
    ``user_speech_ms`` is known only where both ends were marked.
    """

    at_ns: int
    turn: int
    started_at_ns: int
    turn_ms: float
    first_audio_ms: float | None
    first_audio_from: str
    first_output_at_ns: int | None
    generation_ms: float | None
    user_speech_ms: float | None
    model_speech_ms: float
    interrupted: bool
    end_reason: TurnEnd
    has_output: bool
    transcript_chars_in: int
    transcript_chars_out: int
    transcript_bytes_in: int
    transcript_bytes_out: int
    grounding_queries: int


@dataclass(frozen=True, slots=True)
class ToolCallEnded:
    """A tool call from its request to its answer, its cancellation or the end of the connection."""

    at_ns: int
    turn: int
    call_id: str
    name: str
    called_at_ns: int | None
    responded_at_ns: int | None
    latency_ms: float | None
    request_bytes: int
    response_bytes: int
    id_match: IdMatch
    in_flight: int
    status: ToolStatus


@dataclass(frozen=True, slots=True)
class GoAwayReceived:
    """The server announced that it will close; ``time_left_ms`` is None when it did not say when."""

    at_ns: int
    time_left_ms: float | None


@dataclass(frozen=True, slots=True)
class ResumptionChanged:
    """A resumption handle was given or withdrawn. Only its hash is kept."""

    at_ns: int
    handle_hash: str
    resumable: bool


@dataclass(frozen=True, slots=True)
class ConnectionClosed:
    """The end of a connection, also of one that never came to life (``phase`` handshake or setup)."""

    at_ns: int
    opened_at_ns: int
    duration_ms: float
    setup: Setup
    code: int | None
    reason: str
    closed_by: ClosedBy
    clean: bool
    phase: Phase
    http_status: int | None
    error_type: str
    attempt: int
    resumed_from: str
    since_tool_response_ms: float | None
    since_go_away_ms: float | None
    go_away_overrun_ms: float | None
    context_tokens: int | None
    last_sent_at_ns: int | None
    last_received_at_ns: int | None


Fact = (
    ConnectionStarted
    | FramesRecorded
    | UsageReported
    | TurnEnded
    | ToolCallEnded
    | GoAwayReceived
    | ResumptionChanged
    | ConnectionClosed
)
