"""What Livemeter must have recorded, worked out by hand from the scripts and the published prices.

Prices in USD per million tokens, so that tokens x price is micro-dollars:

    gemini-3.8-live                      in: text 0.75, audio 3    out: text 4.50, audio 12
    gemini-2.5-flash-native-audio-...    in: text 0.50, audio 3    out: text 2.00, audio 12

Transcripts, UTF-8 bytes in and out, four to a token, each rounded up, priced as text out:
30 and 6: 8 + 2 = 10    13 and 5: 4 + 2 = 6
"""

from dataclasses import dataclass
from decimal import Decimal


def usd(micro: str) -> Decimal:
    """Micro-dollars to dollars."""
    return Decimal(micro) / 1_000_000


@dataclass(frozen=True)
class Turn:
    input_tokens: int
    output_tokens: int
    model_speech_ms: float
    cost: Decimal


@dataclass(frozen=True)
class Close:
    code: int
    reason: str
    closed_by: str
    diagnosis: str | None
    ended_well: bool


Tokens = dict[tuple[str, str], int]

# gemini-3.8-live. Thoughts count as output and are priced as text.
TOOL_TURN = Turn(690, 35, 800, usd("982.50"))  # 225 + 75 + 67.50, then 255 + 75 + 240, and 10 x 4.50
SECOND_TURN = Turn(420, 10, 400, usd("619.50"))  # 262.50 + 210 + 120, and 6 x 4.50
THIRD_TURN = Turn(465, 23, 600, usd("828.00"))  # 270 + 315 + 180 + 36, and 6 x 4.50

# gemini-2.5-flash-native-audio-preview-12-2025.
OLDER_TOOL_TURN = Turn(690, 35, 800, usd("760.00"))  # 150 + 75 + 30, then 170 + 75 + 240, and 10 x 2
OLDER_SECOND_TURN = Turn(420, 10, 400, usd("517.00"))  # 175 + 210 + 120, and 6 x 2
OLDER_THIRD_TURN = Turn(465, 23, 600, usd("703.00"))  # 180 + 315 + 180 + 16, and 6 x 2
# ADK gets turnComplete with the tool call: what was one turn of two passes is two turns.
HELD_BACK_CALL = Turn(325, 15, 0, usd("271.00"))  # 150 + 75 + 30, and 8 x 2
HELD_BACK_ANSWER = Turn(365, 20, 800, usd("489.00"))  # 170 + 75 + 240, and 2 x 2

TURNS: dict[str, list[Turn]] = {
    "adk": [TOOL_TURN, SECOND_TURN, THIRD_TURN],
    "adk-before-3": [HELD_BACK_CALL, HELD_BACK_ANSWER],
    "adk-oldest": [OLDER_TOOL_TURN, OLDER_SECOND_TURN, OLDER_THIRD_TURN],
    "livekit": [TOOL_TURN, SECOND_TURN, THIRD_TURN],
    "livekit-oldest": [OLDER_TOOL_TURN, OLDER_SECOND_TURN],
    "pipecat": [TOOL_TURN, SECOND_TURN, THIRD_TURN],
    "pydantic-ai": [TOOL_TURN, SECOND_TURN, THIRD_TURN],
}

_TOOL_TURN_TOKENS: Tokens = {
    ("prompt", "TEXT"): 640,  # 300 + 340
    ("prompt", "AUDIO"): 50,  # 25 + 25
    ("response", "TEXT"): 15,
    ("response", "AUDIO"): 20,
    ("transcription", "TEXT"): 10,
}
_TWO_TURNS_TOKENS: Tokens = {
    ("prompt", "TEXT"): 990,  # 640 + 350
    ("prompt", "AUDIO"): 120,  # 50 + 70
    ("response", "TEXT"): 15,
    ("response", "AUDIO"): 30,  # 20 + 10
    ("transcription", "TEXT"): 16,  # 10 + 6
}
_THREE_TURNS_TOKENS: Tokens = {
    ("prompt", "TEXT"): 1350,  # 990 + 360
    ("prompt", "AUDIO"): 225,  # 120 + 105
    ("response", "TEXT"): 15,
    ("response", "AUDIO"): 45,  # 30 + 15
    ("thoughts", "TEXT"): 8,
    ("transcription", "TEXT"): 22,  # 16 + 6
}

TOKENS: dict[str, Tokens] = {
    "adk": _THREE_TURNS_TOKENS,
    "adk-before-3": _TOOL_TURN_TOKENS,
    "adk-oldest": _THREE_TURNS_TOKENS,
    "livekit": _THREE_TURNS_TOKENS,
    "livekit-oldest": _TWO_TURNS_TOKENS,
    "pipecat": _THREE_TURNS_TOKENS,
    "pydantic-ai": _THREE_TURNS_TOKENS,
}

_ABORTED = (
    "Connection aborted because the client failed to close the connection after receiving a GoAway signal"
    " once the session durat"
)
_INTERNAL = "Internal error encountered."
_LEFT = Close(1000, "", "client", None, ended_well=True)
# websockets 17.2 and newer closes with 1011 when the application's task is cancelled.
_LEFT_CANCELLED = Close(1011, "", "client", "client-left-with-exception", ended_well=True)
_GO_AWAY_IGNORED = Close(1008, _ABORTED, "server", "go-away-ignored", ended_well=False)
_FAILED = Close(1011, _INTERNAL, "server", "internal-error", ended_well=False)
_FAILED_AFTER_TOOL = Close(1011, _INTERNAL, "server", "internal-error-after-tool-response", ended_well=False)

CLOSES: dict[str, list[Close]] = {
    "adk": [_LEFT, _FAILED, _LEFT],
    "adk-before-3": [_LEFT],
    "adk-oldest": [_GO_AWAY_IGNORED, _FAILED, _LEFT],
    "livekit": [_LEFT, _FAILED, _LEFT_CANCELLED],
    "livekit-oldest": [_LEFT],
    "pipecat": [_GO_AWAY_IGNORED, _FAILED_AFTER_TOOL, _LEFT_CANCELLED],
    "pydantic-ai": [_GO_AWAY_IGNORED, _FAILED, _LEFT],
}

SESSIONS: dict[str, list[int]] = {
    "adk": [3],
    "adk-before-3": [1],
    # Without a resumption handle the service starts afresh, and so does the account.
    "adk-oldest": [1, 1, 1],
    "livekit": [3],
    "livekit-oldest": [1],
    "pipecat": [3],
    "pydantic-ai": [3],
}
"""Connections of each session, oldest first."""
