"""The demo's figures, worked out by hand from its script and the published prices; no code under test.

Prices in USD per million tokens, so that tokens x price is micro-dollars:

    gemini-3.8-live                      in: text 0.75, audio 3, video 1    out: text 4.50, audio 12
    gemini-2.5-flash-native-audio-...    in: text 0.50, audio 3             out: text 2.00, audio 12
    gemini-live-2.5-flash-native-audio   the same as above

UNATTRIBUTED tokens are priced as text; the range goes from the cheapest to the dearest modality of the
direction (3.8 in: 0.75 to 3; 2.5 in: 0.50 to 3; 2.5 out: 2 to 12).
"""

from dataclasses import dataclass
from decimal import Decimal


def usd(micro: str) -> Decimal:
    """Micro-dollars to dollars."""
    return Decimal(micro) / 1_000_000


@dataclass(frozen=True)
class Session:
    turns: int
    connections: int
    tool_calls: int
    input_tokens: int
    output_tokens: int
    cost: Decimal
    low: Decimal
    high: Decimal
    covered: int
    with_output: int
    close_code: int
    closed_by: str
    status: str
    diagnosis: str | None
    context_lost: bool = False
    carried: Decimal = Decimal(0)


# Tokens of the conversation, turn by turn (turn 4's second usage frame is a trailing copy: not counted):
#   1  522 in = 332 text + 165 audio + 25 untold        42 audio out, 136 thoughts
#   2  610 in = 340 text + 231 audio + 39 untold        55 audio + 5 text out, 20 thoughts
#   3  720 in = 348 text + 321 audio + 51 untold        58 audio out, interrupted
#   4 1058 in = 350 text + 450 audio + 258 video       100 audio out
#   5 1200 in = 400 text + 542 audio + 258 video        30 audio out
# Transcripts, UTF-8 bytes in and out, four to a token, each rounded up:
#   1 59 and 46: 15 + 12    2 37 and 45: 10 + 12    3 0 and 28: 7    4 29 and 24: 8 + 6    5 0 and 22: 6
#   together 76 tokens x 4.50 = 342.00
CONVERSATION = {
    ("input", "TEXT"): (1770, usd("1327.50")),  # 332 + 340 + 348 + 350 + 400
    ("input", "AUDIO"): (1709, usd("5127.00")),  # 165 + 231 + 321 + 450 + 542
    ("input", "VIDEO"): (516, usd("516.00")),  # 258 + 258
    ("input", "UNATTRIBUTED"): (115, usd("86.25")),  # 25 + 39 + 51
    ("output", "AUDIO"): (285, usd("3420.00")),  # 42 + 55 + 58 + 100 + 30
    ("output", "TEXT"): (161, usd("724.50")),  # 5 + 136 + 20
    ("output", "TRANSCRIPTION"): (76, usd("342.00")),
}

# Cost of each turn of the conversation, transcription included.
CONVERSATION_TURNS = {
    1: usd("2000.25"),  # 249 + 495 + 18.75 + 504 + 612, and 27 x 4.50 = 121.50
    2: usd("1848.75"),  # 255 + 693 + 29.25 + 660 + 22.50 + 90, and 22 x 4.50 = 99
    3: usd("1989.75"),  # 261 + 963 + 38.25 + 696, and 7 x 4.50 = 31.50
    4: usd("3133.50"),  # 262.50 + 1350 + 258 + 1200, and 14 x 4.50 = 63
    5: usd("2571.00"),  # 300 + 1626 + 258 + 360, and 6 x 4.50 = 27
}

SESSIONS = {
    "conversation": Session(
        turns=5,
        connections=1,
        tool_calls=0,
        input_tokens=4110,  # 522 + 610 + 720 + 1058 + 1200
        output_tokens=446,  # 178 + 80 + 58 + 100 + 30
        cost=usd("11543.25"),  # 1327.50 + 5127 + 516 + 86.25 + 3420 + 724.50 + 342
        low=usd("11543.25"),
        high=usd("11802.00"),  # 115 untold at 3 instead of 0.75: + 258.75
        covered=5,
        with_output=5,
        close_code=1000,
        closed_by="client",
        status="ended",
        diagnosis=None,
        # Billed again because it was there before: text 332 + 345 + 348 + 350 = 1375 x 0.75 = 1031.25,
        # audio 207 + 286 + 379 + 542 = 1414 x 3 = 4242, video 258, untold 25 + 39 = 64 x 0.75 = 48.
        carried=usd("5579.25"),
    ),
    "tools": Session(
        turns=3,
        connections=1,
        tool_calls=3,
        input_tokens=10703,  # 3401 + 3582 + 3720
        output_tokens=180,  # 100 + 60 + 20
        # Pass 1: 3401 x 0.75 + 100 x 4.50 = 3000.75. Pass 2: 3582 x 0.75 + 60 x 12 = 3406.50.
        # Pass 3: 3660 x 0.75 + 60 x 3 + 20 x 12 = 3165. The third turn died before its usage came.
        cost=usd("9572.25"),
        low=usd("9572.25"),
        high=usd("9572.25"),
        covered=2,
        with_output=3,
        close_code=1011,
        closed_by="server",
        status="failed",
        diagnosis="internal-error-after-tool-response",
        # Pass 2: min(3582, 3401 + 100) = 3501 x 0.75 = 2625.75. Pass 3: 3582 text and 60 audio:
        # 2686.50 + 180 = 2866.50.
        carried=usd("5492.25"),
    ),
    "go_away": Session(
        turns=2,
        connections=2,
        tool_calls=0,
        input_tokens=455,  # 200 + 255
        output_tokens=75,
        cost=usd("1297.50"),  # 150 + 300, then 172.50 + 75 + 600
        low=usd("1297.50"),
        high=usd("1297.50"),
        covered=2,
        with_output=2,
        close_code=1000,
        closed_by="client",
        status="ended",
        diagnosis=None,
        carried=usd("225.00"),  # after the resume: 200 x 0.75 + 25 x 3
    ),
    "forgotten": Session(
        turns=2,
        connections=2,
        tool_calls=0,
        input_tokens=2580,  # 2400 + 180
        output_tokens=60,
        cost=usd("4455.00"),  # 1200 + 2400 + 480, then 135 + 240
        low=usd("4455.00"),
        high=usd("4455.00"),
        covered=2,
        with_output=2,
        close_code=1000,
        closed_by="client",
        status="ended",
        diagnosis=None,
        context_lost=True,
        carried=usd("135.00"),  # 180 x 0.75: all of the small prompt could have been there before
    ),
    "wrong-backend": Session(
        turns=0,
        connections=1,
        tool_calls=0,
        input_tokens=0,
        output_tokens=0,
        cost=usd("0"),
        low=usd("0"),
        high=usd("0"),
        covered=0,
        with_output=0,
        close_code=1008,
        closed_by="server",
        status="failed",
        diagnosis="model-backend-mismatch",
    ),
    "gaps": Session(
        turns=3,
        connections=1,
        tool_calls=0,
        input_tokens=775,  # 300 + 475
        output_tokens=90,  # 60 + 30
        # Turn 1 has no details. In: 3 s of speech x 25 = 75 audio (225) and 225 untold (112.50).
        # Out: 2 s x 25 = 50 audio (600) and 10 untold (20). Turn 3: 125 + 675 + 360.
        cost=usd("2117.50"),
        low=usd("2117.50"),
        high=usd("2780.00"),  # 225 untold in at 3: 675; 10 untold out at 12: 120
        covered=2,
        with_output=3,
        close_code=1000,
        closed_by="client",
        status="ended",
        diagnosis=None,
        # After turn 1 the context is 75 + 50 audio and 225 + 10 untold, as far as the server told: it told
        # no details, so all 360 tokens are untold, and nothing of turn 3's text and audio matches them.
        carried=usd("0"),
    ),
    "cut": Session(
        turns=2,
        connections=1,
        tool_calls=0,
        input_tokens=90,
        output_tokens=25,
        cost=usd("367.50"),  # 67.50 + 300
        low=usd("367.50"),
        high=usd("367.50"),
        covered=1,
        with_output=2,
        close_code=1006,
        closed_by="none",
        status="failed",
        diagnosis="connection-lost",
    ),
    "pair-developer": Session(
        turns=2,
        connections=1,
        tool_calls=0,
        input_tokens=2125,  # 1000 + 1125
        output_tokens=50,
        cost=usd("2250.00"),  # 750 + 300, then 825 + 75 + 300
        low=usd("2250.00"),
        high=usd("2250.00"),
        covered=2,
        with_output=2,
        close_code=1000,
        closed_by="client",
        status="ended",
        diagnosis=None,
        carried=usd("825.00"),  # 1000 x 0.75 + 25 x 3
    ),
    "pair-vertex": Session(
        turns=2,
        connections=1,
        tool_calls=0,
        input_tokens=4250,  # 2000 + 2250
        output_tokens=100,
        cost=usd("3450.00"),  # 1000 + 600, then 1100 + 150 + 600
        low=usd("3450.00"),
        high=usd("3450.00"),
        covered=2,
        with_output=2,
        close_code=1000,
        closed_by="client",
        status="ended",
        diagnosis=None,
        carried=usd("1150.00"),  # 2000 x 0.50 + 50 x 3
    ),
}
