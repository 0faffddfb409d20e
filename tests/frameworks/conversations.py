"""What the fake Live server says to each framework, and who listens."""

from dataclasses import dataclass

from livemeter.testing import (
    Close,
    Expect,
    GoAway,
    Match,
    Pause,
    ResumptionUpdate,
    Script,
    Send,
    SendAudio,
    SetupComplete,
    Step,
    Usage,
)

OLDER_MODEL = "gemini-2.5-flash-native-audio-preview-12-2025"

ABORTED = (
    "Connection aborted because the client failed to close the connection after receiving a GoAway signal"
    " once the session durat"
)
"""The service's own words to who stays after goAway, cut to the 123 bytes that a close has room for."""

TURN_COMPLETE = {"serverContent": {"turnComplete": True}}

# Frameworks talk on while the model works, and some replay the conversation when they connect again.
SPOKEN_TO = Expect("realtimeInput.audio", at_least_audio_ms=1000, ignoring=("realtimeInput", "clientContent"))
ANSWERED_BY_THE_TOOL = Expect("toolResponse", ignoring=("realtimeInput", "clientContent"))


def heard(words: str) -> Step:
    return Send({"serverContent": {"inputTranscription": {"text": words}}})


def said(words: str, audio_ms: float) -> tuple[Step, ...]:
    return (
        Send({"serverContent": {"outputTranscription": {"text": words}}}),
        SendAudio(audio_ms),
        Send({"serverContent": {"generationComplete": True}}),
    )


QUESTION: tuple[Step, ...] = (
    SPOKEN_TO,
    heard("What is the weather in Lisbon?"),
    Send(
        {"toolCall": {"functionCalls": [{"id": "call-1", "name": "get_weather", "args": {"city": "Lisbon"}}]}}
    ),
)
FIRST_PASS = Usage(prompt={"TEXT": 300, "AUDIO": 25}, response={"TEXT": 15})
SECOND_PASS: tuple[Step, ...] = (
    ANSWERED_BY_THE_TOOL,
    *said("Sunny.", 800),
    Usage(prompt={"TEXT": 340, "AUDIO": 25}, response={"AUDIO": 20}, bundled_with=TURN_COMPLETE),
)
TOOL_TURN: tuple[Step, ...] = (*QUESTION, FIRST_PASS, *SECOND_PASS)
SECOND_TURN: tuple[Step, ...] = (
    SPOKEN_TO,
    heard("And tomorrow?"),
    *said("Rain.", 400),
    Usage(prompt={"TEXT": 350, "AUDIO": 70}, response={"AUDIO": 10}, bundled_with=TURN_COMPLETE),
)
THIRD_TURN: tuple[Step, ...] = (
    SPOKEN_TO,
    heard("And tomorrow?"),
    *said("Rain.", 600),
    Usage(
        prompt={"TEXT": 360, "AUDIO": 105},
        response={"AUDIO": 15},
        thoughts_token_count=8,
        bundled_with=TURN_COMPLETE,
    ),
)

IGNORED_GO_AWAY: tuple[Step, ...] = (GoAway("0.2s"), Pause(300, or_closed=True), Close(1008, ABORTED))
OBEYED_GO_AWAY: tuple[Step, ...] = (GoAway("5s"),)


def over_three_connections(after_turn: tuple[Step, ...], before_failure: Step) -> tuple[Script, ...]:
    """A turn with a tool call, then goAway; a turn, then an internal error; a turn, and the client leaves."""
    failure = (ResumptionUpdate(), before_failure, Close(1011, "Internal error encountered."))
    return (
        Script("first", (SetupComplete(), *TOOL_TURN, ResumptionUpdate(), *after_turn), Match(connection=1)),
        Script("second", (SetupComplete(), *SECOND_TURN, *failure), Match(connection=2)),
        Script("third", (SetupComplete(), *THIRD_TURN), Match(connection=3)),
    )


@dataclass(frozen=True)
class Conversation:
    """A framework's application (its folder and environment), its arguments and the other side's scripts."""

    framework: str
    arguments: tuple[str, ...]
    scripts: tuple[Script, ...]


CONVERSATIONS = {
    "adk": Conversation("adk", ("3",), over_three_connections(OBEYED_GO_AWAY, Pause(200))),
    "adk-before-3": Conversation(
        "adk",
        ("2", OLDER_MODEL),
        (
            Script(
                "held back",
                (
                    SetupComplete(),
                    *QUESTION,
                    # Time enough to answer at once, which ADK does not.
                    Pause(100),
                    Usage(prompt=FIRST_PASS.prompt, response=FIRST_PASS.response, bundled_with=TURN_COMPLETE),
                    *SECOND_PASS,
                ),
            ),
        ),
    ),
    "adk-oldest": Conversation("adk-oldest", ("3",), over_three_connections(IGNORED_GO_AWAY, Pause(200))),
    "livekit": Conversation("livekit", ("3",), over_three_connections(OBEYED_GO_AWAY, Pause(200))),
    "livekit-oldest": Conversation(
        "livekit-oldest", ("2",), (Script("only", (SetupComplete(), *TOOL_TURN, *SECOND_TURN)),)
    ),
    # Pipecat sends the tool's answer again after each reconnect.
    "pipecat": Conversation("pipecat", ("3",), over_three_connections(IGNORED_GO_AWAY, ANSWERED_BY_THE_TOOL)),
    "pydantic-ai": Conversation("pydantic-ai", ("3",), over_three_connections(IGNORED_GO_AWAY, Pause(200))),
}
