"""What the observer knows about a Live session: plain facts, without I/O, OpenTelemetry or SDK types.

Times are ``*_ns`` (Unix, nanoseconds) when they say when, and ``*_ms`` (float, milliseconds, from the
monotonic clock) when they say how long. ``None`` means "not known", never zero.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from livemeter.vocabulary import (
    ClosedBy,
    EncodingFinding,
    FlushSpelling,
    IdMatch,
    Phase,
    Platform,
    Side,
    ToolStatus,
    TurnEnd,
)


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
    """The setup frame, as sent. ``model`` is bare: no ``models/`` and no publisher path.

    ``config`` is all of it as compact JSON, without content: instructions, history and handles are left
    out, tools are names. ``bytes`` is the size of the whole frame.
    """

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
    thinking_budget: int | None = None
    thinking_level: str = ""
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    bytes: int = 0
    config: str = ""


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
    """Setup is complete: the server answered it. ``setup_ms`` is None where nobody watched the setup."""

    at_ns: int
    opened_at_ns: int
    setup_ms: float | None
    setup: Setup
    google_session_id: str
    attempt: int
    resumed_from: str
    reconnect_delay_ms: float | None
    gap_ms: float | None


@dataclass(frozen=True, slots=True)
class FramesRecorded:
    """Up to half a second of frames of one connection, as equally long columns.

    ``directions``: 0 sent, 1 received. ``contents`` is empty where a frame carried its kind alone;
    ``sample_rates`` is in hertz, 0 where there was no PCM. ``handle_hashes`` are those of the resumption
    handles that were given meanwhile.
    """

    at_ns: int
    first_seq: int
    base_ms: int
    offsets_ms: Sequence[int]
    directions: Sequence[int]
    kinds: Sequence[str]
    contents: Sequence[tuple[str, ...]]
    bytes: Sequence[int]
    audio_ms: Sequence[int]
    sample_rates: Sequence[int]
    turns: Sequence[int]
    handle_hashes: tuple[str, ...] = ()


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
    ``user_speech_ms`` is known only where both ends were marked. ``complete_reason`` is the server's
    turnCompleteReason, as sent. ``transcript_longest_gap_ms`` is the longest time without a piece of the
    user's transcript while the user spoke, None where no speech was marked and no two pieces came.
    ``app_phase`` is what the application called the time in which the turn began.
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
    complete_reason: str = ""
    generation_complete: bool = False
    began_while_user_spoke: bool = False
    flushes: int = 0
    transcript_longest_gap_ms: float | None = None
    app_phase: str = ""


@dataclass(frozen=True, slots=True)
class Flushed:
    """The user's activity was ended and begun again to force a transcription, with no answer between.

    ``speech_ms`` is the activity that was ended, ``gap_ms`` the time until it went on, and
    ``transcript_chars`` the characters of the user's transcript since the flush before, or since the
    turn began.
    """

    at_ns: int
    turn: int
    spelling: FlushSpelling
    speech_ms: float | None
    gap_ms: float
    transcript_chars: int


@dataclass(frozen=True, slots=True)
class VoiceActivityDetected:
    """The server's own detection said that speech began or ended. ``kind`` is its type, as sent."""

    at_ns: int
    turn: int
    kind: str
    audio_offset_ms: float | None


@dataclass(frozen=True, slots=True)
class TranscriptPiece:
    """A piece of transcript as it came: content, made only when the application switched content on."""

    at_ns: int
    turn: int
    side: Side
    text: str


@dataclass(frozen=True, slots=True)
class ToolCallEnded:
    """A tool call from its request to its answer, its cancellation or the end of the connection.

    ``arguments`` and ``result`` are compact JSON and empty unless the application switched content on.
    """

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
    encoding: tuple[EncodingFinding, ...] = ()
    scheduling: str = ""
    will_continue: bool | None = None
    arguments: str = ""
    result: str = ""


@dataclass(frozen=True, slots=True)
class GoAwayReceived:
    """The server announced that it will close; ``time_left_ms`` is None when it did not say when."""

    at_ns: int
    time_left_ms: float | None


@dataclass(frozen=True, slots=True)
class ResumptionChanged:
    """The session became resumable, or ceased to be. Only the hash of a handle is kept."""

    at_ns: int
    handle_hash: str
    resumable: bool


@dataclass(frozen=True, slots=True)
class PhaseEntered:
    """The application named what it does now."""

    at_ns: int
    turn: int
    phase: str


@dataclass(frozen=True, slots=True)
class ToolsExpected:
    """The application said which tools it expects the model to call in this session."""

    at_ns: int
    turn: int
    tools: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OutcomeReached:
    """The application said how the session came out; ``detail`` is its own words."""

    at_ns: int
    turn: int
    outcome: str
    detail: str


@dataclass(frozen=True, slots=True)
class Health:
    """How the connection and its event loop fared, as far as somebody watched.

    A ping counts as missed when no pong came before the connection closed or the next ping was sent.
    """

    pings_sent: int | None = None
    pings_missed: int | None = None
    ping_p50_ms: float | None = None
    ping_max_ms: float | None = None
    loop_lag_max_ms: float | None = None


NOT_WATCHED = Health()


@dataclass(frozen=True, slots=True)
class ConnectionClosed:
    """The end of a connection, also of one that never came to life (``phase`` handshake or setup).

    ``exception_chain`` names the types of the exception that told of it and of its causes, outermost
    first. ``frames`` counts what crossed the socket, so that SQL sees whether all of it arrived.
    """

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
    frames: int = 0
    tool_calls_open: int = 0
    app_phase: str = ""
    exception_chain: tuple[str, ...] = ()
    health: Health = NOT_WATCHED


Fact = (
    ConnectionStarted
    | FramesRecorded
    | UsageReported
    | TurnEnded
    | ToolCallEnded
    | GoAwayReceived
    | ResumptionChanged
    | Flushed
    | VoiceActivityDetected
    | TranscriptPiece
    | PhaseEntered
    | ToolsExpected
    | OutcomeReached
    | ConnectionClosed
)
