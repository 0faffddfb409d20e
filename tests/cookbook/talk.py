"""One voice session as its emitter tells it: keeps the clock, the numbers and what is in the context."""

import json
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from livemeter.vocabulary import Attribute, Event, FramesBody, UsageBody
from livemeter_collector.store.contract import Scalar
from tests.collector.sql.telemetry import NOW_MS, Connection, Process, Values

if TYPE_CHECKING:
    from google.protobuf.message import Message

A = Attribute

TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
TOKENS_PER_S = 25
BYTES_PER_S = 15
"""Of transcript."""


class Talk:
    """A session of today; ``requests`` is what it sent. Its connections have the same ids in every run."""

    def __init__(self, process: Process, session_id: str, number: int, clock: str, common: Values) -> None:
        hours, minutes = map(int, clock.split(":"))
        self.requests: list[Message] = []
        self._process, self._session_id, self._number, self._common = process, session_id, number, common
        self._now_ms = round(TODAY.timestamp() * 1000) + (hours * 60 + minutes) * 60_000
        self._connections = self._turns = self._passes = 0
        self._connection: Connection | None = None
        self._resumed: Values = {A.RESUMED: False}
        self._is_first_after_resume = False
        self._context: Counter[str] = Counter()
        self._previous: Counter[str] | None = None
        self._previous_prompt = 0
        self._last_usage: tuple[Values, str] = {}, ""

    def connect(self, values: Values | None = None, *, resumed: bool = False, accepted: bool = True) -> None:
        """Open the first connection, or the next one a while after the last."""
        before = self._connection.id if self._connection else ""
        self._connections += 1
        self._connection = self._process.connection(
            self._session_id, connection_id=f"0199a7c2{self._number:04x}70008{self._connections:015x}"
        )
        self._resumed = {A.RESUMED: resumed, A.RESUMED_FROM: before} if resumed else {A.RESUMED: False}
        self._is_first_after_resume = resumed
        gap: Values = {A.GAP_MS: 900 + 400 * self._connections, A.RECONNECT_DELAY_MS: 600} if resumed else {}
        self.wait(1)
        opened: Values = {A.OPENED_AT: self._now_ms - 300, A.SETUP_MS: 300, A.ATTEMPT: self._connections}
        if accepted:
            self.tell(Event.CONNECTION_STARTED, {**opened, **self._resumed, **gap, **(values or {})})

    def turn(
        self, user_s: float, reply_s: float, values: Values | None = None, *, usage: bool = True, **new: int
    ) -> None:
        """The user speaks, the model answers, and tells what it used.

        ``new`` is what else came into the prompt by modality, and ``thoughts``.
        """
        thoughts = new.pop("thoughts", 0)
        self.wait(user_s + reply_s + 0.6)
        self._turns += 1
        self._context.update({**new, "AUDIO": round(user_s * TOKENS_PER_S)})
        said = {"AUDIO": round(reply_s * TOKENS_PER_S)}
        if usage:
            self.usage(said, thoughts)
        else:
            self._context.update(said)
        told: Values = {
            A.TURN: self._turns,
            A.TURN_STARTED_AT: self._now_ms - round((user_s + reply_s + 0.6) * 1000),
            A.TURN_MS: (user_s + reply_s + 0.6) * 1000,
            A.FIRST_AUDIO_MS: 600,
            A.FIRST_AUDIO_FROM: "activity_end",
            A.USER_SPEECH_MS: user_s * 1000,
            A.MODEL_SPEECH_MS: reply_s * 1000,
            A.HAS_OUTPUT: True,
            A.END_REASON: "complete",
            A.TRANSCRIPT_BYTES_IN: round(user_s * BYTES_PER_S),
            A.TRANSCRIPT_BYTES_OUT: round(reply_s * BYTES_PER_S),
        }
        self.tell(Event.TURN, {**told, **(values or {})})

    def usage(self, response: Mapping[str, int], thoughts: int = 0, *, details: bool = True) -> None:
        """The server tells of a pass; without ``details`` it gives totals alone."""
        self._passes += 1
        body: dict[UsageBody, object] = {
            UsageBody.PROMPT: self._context.total(),
            UsageBody.RESPONSE: sum(response.values()),
            UsageBody.THOUGHTS: thoughts,
        }
        if not details:
            heard_ms = self._context["AUDIO"] * 1000 // TOKENS_PER_S
            said_ms = response["AUDIO"] * 1000 // TOKENS_PER_S
            body |= {UsageBody.CONTEXT_AUDIO_MS: heard_ms, UsageBody.RESPONSE_AUDIO_MS: said_ms}
        else:
            known = {name: tokens for name, tokens in self._context.items() if name != "UNATTRIBUTED"}
            body |= {UsageBody.PROMPT_DETAILS: known, UsageBody.RESPONSE_DETAILS: dict(response)}
        if self._previous is not None:
            body[UsageBody.PREVIOUS_CONTEXT] = dict(self._previous)
            body[UsageBody.PREVIOUS_PROMPT] = self._previous_prompt
        place: Values = {A.TURN: self._turns, A.PASS: self._passes}
        self._last_usage = place, json.dumps({str(name): value for name, value in body.items()})
        resumed: Values = {A.REPEAT: False, A.FIRST_AFTER_RESUME: self._is_first_after_resume}
        self.tell(Event.USAGE, {**place, **resumed}, self._last_usage[1])
        self._is_first_after_resume = False
        self._previous_prompt = self._context.total()
        self._context.update(response)
        self._previous = Counter(self._context)

    def repeat_usage(self) -> None:
        """The server tells of the last pass again."""
        place, text = self._last_usage
        self.tell(Event.USAGE, {**place, A.REPEAT: True}, text)

    def lose_context(self, left: int) -> None:
        """The server forgets everything but so many tokens of text."""
        self._context = Counter(TEXT=left)

    def tool(self, name: str, latency_ms: int, status: str = "ok", response_bytes: int = 900) -> None:
        """The model calls a function in the turn to come."""
        self.wait(latency_ms / 1000)
        self.tell(
            Event.TOOL_CALL,
            {
                A.TURN: self._turns + 1,
                A.TOOL_NAME: name,
                A.TOOL_CALL_ID: f"call-{self._turns + 1}",
                A.TOOL_CALLED_AT: self._now_ms - latency_ms,
                A.TOOL_RESPONDED_AT: self._now_ms,
                A.TOOL_LATENCY_MS: latency_ms,
                A.TOOL_REQUEST_BYTES: 120,
                A.TOOL_RESPONSE_BYTES: response_bytes,
                A.TOOL_ID_MATCH: "yes",
                A.TOOL_STATUS: status,
            },
        )

    def close(self, code: int | None = 1000, closed_by: str = "client", **more: Scalar) -> None:
        """The connection ends; by default the application hangs up."""
        self.wait(2)
        coded: Values = {} if code is None else {A.CLOSE_CODE: code}
        told: Values = {
            A.ATTEMPT: self._connections,
            A.CLOSED_BY: closed_by,
            A.CLEAN: True,
            A.PHASE: "active",
        }
        named: Values = {Attribute[name]: value for name, value in more.items()}
        self.tell(Event.CONNECTION_CLOSED, {**told, **self._resumed, **coded, **named})

    def frames(self, seconds: int) -> None:
        """Frames of the next seconds: the user's of 20 ms, and from half a second on the model's of 40 ms."""
        sent = [(at, 0) for at in range(0, seconds * 1000, 20)]
        frames = sorted(sent + [(at, 1) for at in range(505, seconds * 1000, 40)])
        times = [at for at, _ in frames]
        sides = [side for _, side in frames]
        columns: dict[FramesBody, object] = {
            FramesBody.BASE: self._now_ms,
            FramesBody.SEQ: 0,
            FramesBody.OFFSET: [at - before for before, at in zip([0, *times], times, strict=False)],
            FramesBody.DIRECTION: sides,
            FramesBody.KIND: [("realtimeInput.audio", "serverContent.modelTurn")[side] for side in sides],
            FramesBody.CONTENTS: [[] for _ in sides],
            FramesBody.BYTES: [(920, 2640)[side] for side in sides],
            FramesBody.AUDIO_MS: [(20, 40)[side] for side in sides],
            FramesBody.SAMPLE_RATE: [(16_000, 24_000)[side] for side in sides],
            FramesBody.TURN: [1 for _ in sides],
        }
        text = json.dumps({str(name): value for name, value in columns.items()})
        self.tell(Event.FRAMES, {A.FRAMES_COUNT: len(frames)}, text)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self._now_ms += round(seconds * 1000)

    def tell(self, event: Event, values: Values, body: str | None = None) -> None:
        """Send any event of the connection."""
        assert self._connection is not None
        told = self._connection.event(event, {**self._common, **values}, body, self._now_ms - NOW_MS)
        self.requests.append(told)
