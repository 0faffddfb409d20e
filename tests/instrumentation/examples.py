"""One example of every fact: a talk on Vertex AI that was resumed, called a tool and was interrupted."""

from livemeter.observer.facts import (
    ConnectionClosed,
    ConnectionStarted,
    Endpoint,
    Flushed,
    FramesRecorded,
    GoAwayReceived,
    Health,
    Identity,
    OutcomeReached,
    PhaseEntered,
    ResumptionChanged,
    Setup,
    ToolCallEnded,
    ToolsExpected,
    TranscriptPiece,
    TurnEnded,
    Usage,
    UsageReported,
    VoiceActivityDetected,
)
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

SECOND_NS = 1_000_000_000
OPENED_NS = 1_800_000_000 * SECOND_NS
CONNECTION_ID = "01a3185c50007abc8def0123456789ab"
BEFORE_ID = "01a3185c40007abc8def0123456789ab"
HANDLE_HASH = "0f" * 16

VERTEX = Endpoint(
    Platform.VERTEX_AI,
    "europe-west4-aiplatform.googleapis.com",
    api_version="v1beta1",
    location="europe-west4",
)
GEMINI = Endpoint(Platform.GEMINI_API, "generativelanguage.googleapis.com", api_version="v1beta")
IDENTITY = Identity("lesson-7", user_id="ada@example.org", labels={"tenant": "acme"})

SETUP = Setup(
    model="gemini-live-2.5-flash",
    location="europe-west4",
    response_modalities=("AUDIO",),
    voice="Kore",
    vad_mode="manual",
    input_transcription=True,
    output_transcription=False,
    session_resumption=True,
    resumption_handle_hash=HANDLE_HASH,
    compression=True,
    compression_trigger_tokens=32_000,
    compression_target_tokens=16_000,
    declared_tools=("get_weather", "score"),
    instruction_bytes=812,
    instruction_hash="ab" * 16,
    thinking_budget=0,
    thinking_level="LOW",
    labels={"team": "tutors"},
    bytes=2310,
    config='{"model":"gemini-live-2.5-flash","tools":["get_weather","score"]}',
)

STARTED = ConnectionStarted(
    at_ns=OPENED_NS + 312_500_000,
    opened_at_ns=OPENED_NS,
    setup_ms=312.5,
    setup=SETUP,
    google_session_id="google-session",
    attempt=2,
    resumed_from=BEFORE_ID,
    reconnect_delay_ms=1004.25,
    gap_ms=1316.75,
)

FRAMES = FramesRecorded(
    at_ns=OPENED_NS + SECOND_NS,
    first_seq=17,
    base_ms=OPENED_NS // 1_000_000 + 500,
    offsets_ms=(0, 40, 3),
    directions=(0, 0, 1),
    kinds=("audio", "audio", "turnComplete"),
    contents=((), (), ("turnComplete", "usageMetadata")),
    bytes=(1790, 1791, 402),
    audio_ms=(40, 40, 0),
    sample_rates=(16_000, 16_000, 0),
    turns=(3, 3, 3),
    handle_hashes=(HANDLE_HASH,),
)

USAGE = UsageReported(
    at_ns=OPENED_NS + 4 * SECOND_NS,
    turn=3,
    pass_number=5,
    usage=Usage(
        prompt=1000,
        tool_use=50,
        cached=200,
        response=120,
        thoughts=30,
        total=1200,
        prompt_details={"TEXT": 300, "AUDIO": 650, "VIDEO": 20},
        tool_use_details={"TEXT": 50},
        cached_details={"TEXT": 200},
        response_details={"AUDIO": 110},
        traffic_type="ON_DEMAND",
        service_tier="",
    ),
    repeat=False,
    first_after_resume=True,
    previous_prompt=900,
    previous_context={"TEXT": 280, "AUDIO": 600, "UNATTRIBUTED": 20},
    context_audio_ms=41_000.0,
    response_audio_ms=4400.12345,
)

TURN = TurnEnded(
    at_ns=OPENED_NS + 5 * SECOND_NS,
    turn=3,
    started_at_ns=OPENED_NS + SECOND_NS,
    turn_ms=4000.0,
    first_audio_ms=640.5,
    first_audio_from="activity_end",
    first_output_at_ns=OPENED_NS + 2 * SECOND_NS,
    generation_ms=2500.0,
    user_speech_ms=800.0,
    model_speech_ms=4400.0,
    interrupted=True,
    end_reason=TurnEnd.INTERRUPTED,
    has_output=True,
    transcript_chars_in=12,
    transcript_chars_out=96,
    transcript_bytes_in=14,
    transcript_bytes_out=99,
    grounding_queries=1,
    complete_reason="NEED_MORE_INPUT",
    generation_complete=True,
    began_while_user_spoke=True,
    flushes=2,
    transcript_longest_gap_ms=15_250.0,
    app_phase="scoring",
)

TOOL_CALL = ToolCallEnded(
    at_ns=OPENED_NS + 3 * SECOND_NS,
    turn=3,
    call_id="function-call-1",
    name="get_weather",
    called_at_ns=OPENED_NS + 2 * SECOND_NS,
    responded_at_ns=OPENED_NS + 3 * SECOND_NS,
    latency_ms=1000.0,
    request_bytes=17,
    response_bytes=2048,
    id_match=IdMatch.YES,
    in_flight=1,
    status=ToolStatus.OK,
    encoding=(EncodingFinding.NON_ASCII, EncodingFinding.JSON_IN_STRING),
    scheduling="WHEN_IDLE",
    will_continue=False,
    arguments='{"city":"Köln"}',
    result='{"celsius":21}',
)

GO_AWAY = GoAwayReceived(OPENED_NS + 6 * SECOND_NS, time_left_ms=50_000.0)

RESUMPTION = ResumptionChanged(OPENED_NS + 7 * SECOND_NS, HANDLE_HASH, resumable=True)

CLOSED = ConnectionClosed(
    at_ns=OPENED_NS + 8 * SECOND_NS,
    opened_at_ns=OPENED_NS,
    duration_ms=8000.0,
    setup=SETUP,
    code=1000,
    reason="",
    closed_by=ClosedBy.CLIENT,
    clean=True,
    phase=Phase.ACTIVE,
    http_status=None,
    error_type="",
    attempt=2,
    resumed_from=BEFORE_ID,
    since_tool_response_ms=5000.0,
    since_go_away_ms=2000.0,
    go_away_overrun_ms=0.0,
    context_tokens=1120,
    last_sent_at_ns=OPENED_NS + 7_900_000_000,
    last_received_at_ns=OPENED_NS + 7 * SECOND_NS,
    frames=4711,
    tool_calls_open=1,
    app_phase="scoring",
    exception_chain=("app.Hangup", "websockets.exceptions.ConnectionClosedOK"),
    health=Health(pings_sent=4, pings_missed=1, ping_p50_ms=20.125, ping_max_ms=48.5, loop_lag_max_ms=3.0625),
)

FLUSHED = Flushed(
    at_ns=OPENED_NS + 1_500_000_000,
    turn=3,
    spelling=FlushSpelling.ACTIVITY,
    speech_ms=15_000.0,
    gap_ms=2.5,
    transcript_chars=140,
)

VOICE_ACTIVITY = VoiceActivityDetected(OPENED_NS + 1_600_000_000, 3, "ACTIVITY_START", audio_offset_ms=320.0)

TRANSCRIPT = TranscriptPiece(OPENED_NS + 1_700_000_000, 3, Side.INPUT, "Wie ist das Wetter in Köln?")

PHASE_ENTERED = PhaseEntered(OPENED_NS + 1_800_000_000, 3, "scoring")

EXPECTED = ToolsExpected(OPENED_NS + 1_900_000_000, 3, ("score", "get_weather"))

OUTCOME = OutcomeReached(OPENED_NS + 7_500_000_000, 3, "scored_by_fallback", "no call of score came")

FACTS = (
    STARTED,
    FRAMES,
    FLUSHED,
    VOICE_ACTIVITY,
    TRANSCRIPT,
    PHASE_ENTERED,
    EXPECTED,
    TOOL_CALL,
    USAGE,
    TURN,
    GO_AWAY,
    RESUMPTION,
    OUTCOME,
    CLOSED,
)
"""One of every kind, in the order of their times."""
