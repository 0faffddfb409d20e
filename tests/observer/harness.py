"""A Live conversation in a few lines: frames and clock readings in, facts out. No socket, no mock.

``Process`` is one application process with its clock and its sessions; ``Line`` is one connection of it
under observation. The functions below build frames in the protocol's own spelling.
"""

import base64
import json
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeGuard, TypeVar, cast

from livemeter.observer.clock import Instant
from livemeter.observer.connection import Close, ConnectionObserver
from livemeter.observer.facts import Fact, Identity
from livemeter.observer.sessions import SessionDirectory
from livemeter.vocabulary import ClosedBy, Direction

Json = dict[str, Any]
FactKind = TypeVar("FactKind")

START = Instant(monotonic_ns=7_000_000_000, wall_ns=1_800_000_000_000_000_000)
MODEL = "gemini-3.8-live"
CLEAN_CLOSE = Close(code=1000, closed_by=ClosedBy.CLIENT, clean=True)


class Clock:
    """Stands still until told; both clocks move together unless the wall clock is set."""

    def __init__(self) -> None:
        self.now = START

    @property
    def wall_ms(self) -> int:
        return self.now.wall_ns // 1_000_000

    def wait(self, milliseconds: float) -> None:
        elapsed_ns = round(milliseconds * 1e6)
        self.now = Instant(self.now.monotonic_ns + elapsed_ns, self.now.wall_ns + elapsed_ns)

    def set_wall_back(self, milliseconds: float) -> None:
        self.now = self.now._replace(wall_ns=self.now.wall_ns - round(milliseconds * 1e6))


class Line:
    """One connection. What a call made known is returned, and kept in ``facts``."""

    def __init__(self, observer: ConnectionObserver, clock: Clock) -> None:
        self.observer = observer
        self.clock = clock
        self.facts: list[Fact] = []

    def client(self, message: Mapping[str, Any], *, after_ms: float = 0) -> list[Fact]:
        """The application sends ``message``, ``after_ms`` after whatever happened last."""
        return self.raw(Direction.SENT, json.dumps(message), after_ms=after_ms)

    def server(self, message: Mapping[str, Any], *, after_ms: float = 0) -> list[Fact]:
        """The server sends ``message``, as binary like the real one."""
        return self.raw(Direction.RECEIVED, json.dumps(message).encode(), after_ms=after_ms)

    def raw(self, direction: Direction, raw: str | bytes, *, after_ms: float = 0) -> list[Fact]:
        self.clock.wait(after_ms)
        return self._kept(self.observer.frame(direction, raw, self.clock.now))

    def flush(self) -> list[Fact]:
        return self._kept(self.observer.flush(self.clock.now))

    def close(self, close: Close = CLEAN_CLOSE, *, after_ms: float = 0) -> list[Fact]:
        self.clock.wait(after_ms)
        return self._kept(self.observer.closed(close, self.clock.now))

    def facts_of(self, kind: type[FactKind]) -> list[FactKind]:
        return [fact for fact in self.facts if isinstance(fact, kind)]

    def fact_of(self, kind: type[FactKind]) -> FactKind:
        """The only fact of that kind so far."""
        (fact,) = self.facts_of(kind)
        return fact

    def _kept(self, facts: list[Fact]) -> list[Fact]:
        self.facts += facts
        return facts


class Process:
    """One application process."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.directory = SessionDirectory()

    def dial(
        self, connection_id: str = "c1", *, identity: Identity | None = None, frames_interval_ms: float = 500
    ) -> Line:
        """A connection on which nothing has passed yet."""
        observer = ConnectionObserver(
            connection_id,
            self.directory,
            self.clock.now,
            identity=identity,
            frames_interval_ms=frames_interval_ms,
        )
        return Line(observer, self.clock)

    def connect(
        self, connection_id: str = "c1", *, identity: Identity | None = None, handle: str = ""
    ) -> Line:
        """A connection whose setup is complete."""
        line = self.dial(connection_id, identity=identity)
        line.client(setup(handle=handle))
        line.server(SETUP_COMPLETE)
        return line


def live() -> Line:
    """A ready connection in a process of its own."""
    return Process().connect()


def as_is(message: Json) -> Json:
    return message


def to_snake(message: Json) -> Json:
    """The same message with every key in snake_case, at every level."""
    return {_snake(key): _snake_inside(value) for key, value in message.items()}


def _snake(key: str) -> str:
    return re.sub(r"(?<!^)([A-Z])", r"_\1", key).lower()


def _snake_inside(value: Any) -> Any:
    if isinstance(value, dict):
        return to_snake(cast("Json", value))
    return [_snake_inside(item) for item in value] if _is_list(value) else value


def elements(value: Any) -> list[Any]:
    """The elements of a JSON array; none of anything else."""
    return value if _is_list(value) else []


def _is_list(value: object) -> TypeGuard[list[Any]]:
    return isinstance(value, list)


Spelling = Callable[[Json], Json]
SPELLINGS: list[Spelling] = [as_is, to_snake]


def bundle(*messages: Json) -> Json:
    """Several server messages in one frame, as 3.x models send them."""
    whole: Json = {}
    for message in messages:
        for key, value in message.items():
            if key == "serverContent":
                whole.setdefault(key, {}).update(value)
            else:
                whole[key] = value
    return whole


def silence(milliseconds: float, rate_hz: int) -> str:
    """Base64 of that much PCM16."""
    return base64.b64encode(bytes(2 * round(milliseconds * rate_hz / 1000))).decode()


# What an application sends.


def setup(*, handle: str = "", **fields: Any) -> Json:
    resumption = {"sessionResumption": {"handle": handle} if handle else {}}
    return {"setup": {"model": f"models/{MODEL}", **resumption, **fields}}


def microphone(milliseconds: float = 20) -> Json:
    blob = {"mimeType": "audio/pcm;rate=16000", "data": silence(milliseconds, 16_000)}
    return {"realtimeInput": {"audio": blob}}


def ask(words: str = "Hello", *, turn_complete: bool = True) -> Json:
    turns = [{"role": "user", "parts": [{"text": words}]}]
    return {"clientContent": {"turns": turns, "turnComplete": turn_complete}}


def tool_response(*answers: Json) -> Json:
    return {"toolResponse": {"functionResponses": list(answers)}}


REALTIME_TEXT: Json = {"realtimeInput": {"text": "Hello"}}
CAMERA: Json = {"realtimeInput": {"video": {"mimeType": "image/jpeg", "data": "AAAA"}}}
ACTIVITY_START: Json = {"realtimeInput": {"activityStart": {}}}
ACTIVITY_END: Json = {"realtimeInput": {"activityEnd": {}}}


# What the server sends.

SETUP_COMPLETE: Json = {"setupComplete": {"sessionId": "google-session"}}
TURN_COMPLETE: Json = {"serverContent": {"turnComplete": True}}
STILL_WORKING: Json = {"serverContent": {"turnComplete": True, "interactionStatus": "IN_PROGRESS"}}
GENERATION_COMPLETE: Json = {"serverContent": {"generationComplete": True}}
INTERRUPTED: Json = {"serverContent": {"interrupted": True}}


def audio(milliseconds: float = 40) -> Json:
    blob = {"mimeType": "audio/pcm;rate=24000", "data": silence(milliseconds, 24_000)}
    return {"serverContent": {"modelTurn": {"parts": [{"inlineData": blob}]}}}


def words(text: str) -> Json:
    return {"serverContent": {"modelTurn": {"parts": [{"text": text}]}}}


def heard(text: str) -> Json:
    return {"serverContent": {"inputTranscription": {"text": text}}}


def said(text: str) -> Json:
    return {"serverContent": {"outputTranscription": {"text": text}}}


def usage(prompt: int, response: int, **more: Any) -> Json:
    counts = {"promptTokenCount": prompt, "responseTokenCount": response}
    return {"usageMetadata": {**counts, **more}}


def details(**by_modality: int) -> list[Json]:
    return [{"modality": modality, "tokenCount": tokens} for modality, tokens in by_modality.items()]


def tool_call(*calls: Json) -> Json:
    return {"toolCall": {"functionCalls": list(calls)}}


def cancellation(*ids: str) -> Json:
    return {"toolCallCancellation": {"ids": list(ids)}}


def new_handle(handle: str, *, resumable: bool = True) -> Json:
    return {"sessionResumptionUpdate": {"newHandle": handle, "resumable": resumable}}


def go_away(time_left: str = "50s") -> Json:
    return {"goAway": {"timeLeft": time_left}}


# Whole exchanges.


def whole_turn(line: Line) -> None:
    line.client(ask())
    line.server(audio())
    line.server(TURN_COMPLETE)
