"""The steps of a script, as data: what the fake server waits for, sends and does.

Pure. Every step checks its own fields when it is made, so that a wrong script fails where it is written
and not in the middle of a conversation. Messages are written in the server's spelling, camelCase.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Literal

from livemeter.testing.checked import Checked
from livemeter.testing.client_frames import EXPECTABLE_KINDS

UsageSpelling = Literal["platform", "response", "candidates"]
"""How output tokens are named in usage: as the connection's platform does, or one way always."""

SERVER_KEYS = (
    "setupComplete",
    "serverContent",
    "toolCall",
    "toolCallCancellation",
    "usageMetadata",
    "goAway",
    "sessionResumptionUpdate",
    "voiceActivity",
    "voiceActivityDetectionSignal",
)
"""Top-level keys of server messages. The SDK raises on a message that has none of them."""

MODALITIES = ("MODALITY_UNSPECIFIED", "TEXT", "IMAGE", "VIDEO", "AUDIO", "DOCUMENT")

_NO_MAPPING: Mapping[str, Any] = {}


def _empty() -> Mapping[str, Any]:
    return _NO_MAPPING


@dataclass(frozen=True, repr=False)
class Step(Checked):
    """One step; what the steps are is a closed set, ``STEP_NAMES``."""


@dataclass(frozen=True, repr=False)
class Expect(Step):
    """Wait for client messages of a kind.

    ``count`` messages must come; further ones are left for the steps that follow. ``at_least`` and
    ``at_least_audio_ms`` replace the count by a minimum: more of the same kind may come at any later time.
    Messages named by ``ignoring`` are dropped while this step waits; by default that is ``realtimeInput``
    (audio goes on while the model or the application works), and nothing when waiting for ``setup``.
    Anything else is a script error. ``or_closed`` lets the client leave instead: the script then ends
    without error, and the step waits for ever unless ``timeout_s`` is given.
    The kind ``turn`` is a message that asks for an answer: ``clientContent`` with ``turnComplete``,
    ``realtimeInput`` with ``text``, ``activityEnd`` or ``audioStreamEnd``.
    """

    kind: str
    count: int = 1
    at_least: int | None = None
    at_least_audio_ms: float | None = None
    timeout_s: float | None = None
    ignoring: tuple[str, ...] | None = None
    or_closed: bool = False

    def problem(self) -> str:  # noqa: D102 - see Checked
        for kind in (self.kind, *(self.ignoring or ())):
            if kind not in EXPECTABLE_KINDS:
                return f"unknown kind {kind!r}; kinds are {', '.join(EXPECTABLE_KINDS)}"
        numbers = (self.count, self.at_least, self.at_least_audio_ms, self.timeout_s)
        if any(number is not None and number <= 0 for number in numbers):
            return "counts, milliseconds and seconds to wait for must be above 0"
        return ""

    @property
    def ignored(self) -> tuple[str, ...]:
        """Kinds that are dropped while this step waits."""
        if self.ignoring is not None:
            return self.ignoring
        return () if self.kind == "setup" else ("realtimeInput",)


@dataclass(frozen=True, repr=False)
class SetupComplete(Step):
    """Answer the setup, which is waited for if no earlier step did.

    ``session_id``: ``None`` sends ``session-<connection>``, an empty string sends none.
    """

    session_id: str | None = None


@dataclass(frozen=True, repr=False)
class Send(Step):
    """Send one JSON message.

    A message whose top-level keys are all unknown makes the SDK raise, so it needs ``allow_unknown``.
    ``spelling`` applies to a ``usageMetadata`` in it; ``response`` leaves the names as they are written.
    """

    message: Mapping[str, Any]
    allow_unknown: bool = False
    spelling: UsageSpelling = "platform"

    def problem(self) -> str:  # noqa: D102 - see Checked
        if not self.allow_unknown and not any(key in SERVER_KEYS for key in self.message):
            keys = ", ".join(self.message) or "none"
            return f"message has only unknown keys ({keys}): set allow_unknown if that is meant"
        return _json_problem(self.message)


@dataclass(frozen=True, repr=False)
class SendAudio(Step):
    """Send ``ms`` milliseconds of a 16 bit mono PCM tone in ``modelTurn`` messages of ``chunk_ms``.

    ``pacing_ms`` is the time from one message to the next; without it they go back to back.
    """

    ms: float
    chunk_ms: float = 20
    sample_rate: int = 24_000
    pacing_ms: float | None = None

    def problem(self) -> str:  # noqa: D102 - see Checked
        numbers = (self.ms, self.chunk_ms, self.sample_rate, self.pacing_ms)
        return "" if all(n is None or n > 0 for n in numbers) else "every number must be above 0"


@dataclass(frozen=True, repr=False)
class Usage(Step):
    """Send ``usageMetadata``, alone or on the message ``bundled_with``.

    ``prompt``, ``response``, ``tool_use_prompt`` and ``cached_content`` are tokens by modality. The counts
    are their sums unless given: the real service's counts are often larger than its details. The total is
    prompt, response, tool use and thoughts unless given.
    """

    prompt: Mapping[str, int] = field(default_factory=_empty)
    response: Mapping[str, int] = field(default_factory=_empty)
    tool_use_prompt: Mapping[str, int] = field(default_factory=_empty)
    cached_content: Mapping[str, int] = field(default_factory=_empty)
    prompt_token_count: int | None = None
    response_token_count: int | None = None
    tool_use_prompt_token_count: int | None = None
    cached_content_token_count: int | None = None
    thoughts_token_count: int | None = None
    total_token_count: int | None = None
    traffic_type: str = ""
    service_tier: str = ""
    bundled_with: Mapping[str, Any] = field(default_factory=_empty)
    spelling: UsageSpelling = "platform"

    def problem(self) -> str:  # noqa: D102 - see Checked
        details = (self.prompt, self.response, self.tool_use_prompt, self.cached_content)
        for modality in (name for detail in details for name in detail):
            if modality not in MODALITIES:
                return f"unknown modality {modality!r}; modalities are {', '.join(MODALITIES)}"
        return _json_problem(self.bundled_with)


@dataclass(frozen=True, repr=False)
class GoAway(Step):
    """Announce the end of the connection; ``time_left`` is a duration such as ``"50s"``."""

    time_left: str = "50s"

    def problem(self) -> str:  # noqa: D102 - see Checked
        right = re.fullmatch(r"\d+(\.\d+)?s", self.time_left)
        return "" if right else f'time_left is {self.time_left!r}, it must be a duration such as "50s"'


@dataclass(frozen=True, repr=False)
class ResumptionUpdate(Step):
    """Send a session resumption handle: ``handle-<connection>-<n>`` unless given, none if not resumable.

    Skipped for a client whose setup did not ask for ``sessionResumption``, so that one script serves
    both; ``Send`` can send one unasked.
    """

    handle: str | None = None
    resumable: bool = True


@dataclass(frozen=True, repr=False)
class Pause(Step):
    """Do nothing for ``ms`` milliseconds, or until the connection ends.

    ``or_closed`` lets the client leave meanwhile: the script then ends without error. Otherwise the next
    step finds out.
    """

    ms: float
    or_closed: bool = False

    def problem(self) -> str:  # noqa: D102 - see Checked
        return "" if self.ms >= 0 else "ms must not be negative"


@dataclass(frozen=True, repr=False)
class Close(Step):
    """Close the connection. The reason is cut to 123 bytes, as the protocol requires; must be the last step.

    Code 1005 sends a close frame without a code.
    """

    code: int = 1000
    reason: str = ""

    def problem(self) -> str:  # noqa: D102 - see Checked
        if self.code == 1006:
            return "1006 is what a client sees without a close frame: use Abort"
        if self.code == 1005 and self.reason:
            return "1005 stands for a close frame without a code, which cannot have a reason"
        sendable = self.code in {1000, 1001, 1002, 1003, 1005, *range(1007, 1015), *range(3000, 5000)}
        return "" if sendable else f"{self.code} is no close code that can be sent"


@dataclass(frozen=True, repr=False)
class Abort(Step):
    """Drop the TCP connection without a close frame (1006 for the client); must be the last step.

    What is still in the send buffer is lost, as when a network dies.
    """


@dataclass(frozen=True, repr=False)
class RefuseHandshake(Step):
    """Answer the WebSocket handshake with an HTTP error; must be the only step."""

    status: int
    body: str = ""

    def problem(self) -> str:  # noqa: D102 - see Checked
        known = self.status >= 400 and self.status in set(HTTPStatus)
        return "" if known else f"{self.status} is no HTTP error status"


@dataclass(frozen=True, repr=False)
class Repeat(Step):
    """Play steps again and again: ``times`` times, or until the connection ends."""

    steps: tuple[Step, ...]
    times: int | None = None

    def problem(self) -> str:  # noqa: D102 - see Checked
        if any(isinstance(step, ENDING_STEPS) for step in self.steps):
            return "a step that ends the connection cannot be repeated"
        if any(isinstance(step, Repeat) and step.times is None for step in self.steps):
            return "what never ends cannot be repeated"
        if self.times is None and not any(isinstance(step, Expect) for step in self.steps):
            return "repeating without end needs an Expect among the steps"
        return "" if self.times is None or self.times > 0 else "times must be above 0"


AnyStep = (
    Expect
    | SetupComplete
    | Send
    | SendAudio
    | Usage
    | GoAway
    | ResumptionUpdate
    | Pause
    | Close
    | Abort
    | RefuseHandshake
    | Repeat
)

ENDING_STEPS = (Close, Abort, RefuseHandshake)

STEP_NAMES: Mapping[str, type[Step]] = {
    "expect": Expect,
    "setup_complete": SetupComplete,
    "send": Send,
    "send_audio": SendAudio,
    "usage": Usage,
    "go_away": GoAway,
    "resumption_update": ResumptionUpdate,
    "pause": Pause,
    "close": Close,
    "abort": Abort,
    "refuse_handshake": RefuseHandshake,
    "repeat": Repeat,
}
"""Names of the steps in script files."""


def _json_problem(message: Mapping[str, Any]) -> str:
    try:
        json.dumps(message)
    except (TypeError, ValueError) as error:
        return f"message is not JSON: {error}"
    return ""
