"""What happened as it is told: Live frames through the session machine and the emitter to OTLP records.

The frames are written from the truth; who reads them is the product's own: ``livemeter.observer`` and
``livemeter.emit`` with the OpenTelemetry SDK's encoder.
"""

import base64
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.resource.v1.resource_pb2 import Resource as ResourceMessage
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import NoOpTracerProvider

from livemeter.emit.emitter import ConnectionEmitter, Emitter
from livemeter.observer.clock import Instant
from livemeter.observer.connection import Close, ConnectionObserver
from livemeter.observer.facts import Endpoint, Fact, Identity
from livemeter.observer.sessions import SessionDirectory
from livemeter.settings import FramesForm, Settings
from livemeter.vocabulary import ClosedBy, Direction, Platform
from tests.accounting.truth import (
    Answered,
    Asked,
    Closing,
    Connection,
    Counts,
    Ended,
    Heard,
    Interrupted,
    Late,
    Leaving,
    Made,
    Named,
    Part,
    Paused,
    Reported,
    Said,
    Searched,
    Session,
    Spelling,
    Spoke,
    Step,
    Told,
)
from tests.observer.harness import bundle, to_snake

Json = dict[str, Any]
MILLISECOND_NS = 1_000_000
STEP_NS = 30 * MILLISECOND_NS
"""How much the monotonic clock moves from step to step, wherever the wall clock goes."""

ENDPOINTS = {platform.value: Endpoint(platform, "example.invalid") for platform in Platform}


@dataclass(frozen=True, slots=True)
class Delivered:
    """A log record with the resource that it came from."""

    resource: ResourceMessage
    record: LogRecord


class Process:
    """One application process: its sessions, its emitter, and what the emitter has sent."""

    def __init__(self, form: FramesForm = FramesForm.PACKED, app: str = "oracle") -> None:
        self.directory = SessionDirectory()
        self._exporter = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
        provider = LoggerProvider(Resource({"service.name": app}), shutdown_on_exit=False)
        provider.add_log_record_processor(SimpleLogRecordProcessor(self._exporter))
        settings = Settings(frames=form)
        self._emitter = Emitter(provider, NoOpTracerProvider(), NoOpMeterProvider(), settings)

    def connection(self, connection: Connection) -> ConnectionEmitter:
        endpoint = ENDPOINTS[connection.platform]
        opened_at_ns = connection.dialled_ms * MILLISECOND_NS
        return self._emitter.connection(connection.id, endpoint, Context(), opened_at_ns=opened_at_ns)

    def delivered(self) -> list[Delivered]:
        """All that was sent."""
        request = encode_logs(self._exporter.get_finished_logs())
        return [
            Delivered(of_resource.resource, record)
            for of_resource in request.resource_logs
            for of_scope in of_resource.scope_logs
            for record in of_scope.log_records
        ]


def live(session: Session, processes: list[Process]) -> None:
    """Live through a session, connection by connection."""
    for connection in session.connections:
        handle = "" if connection.resumes is None else handle_of(session.connections[connection.resumes])
        _Line(connection, session.name, handle, processes[connection.process]).live()


def handle_of(connection: Connection) -> str:
    return f"handle-of-{connection.id}"


class _Line:
    """One connection under observation, frame by frame."""

    def __init__(self, connection: Connection, name: str, handle: str, process: Process) -> None:
        self._connection = connection
        self._name = name
        self._handle = handle
        self._monotonic_ns = STEP_NS
        self._emitter = process.connection(connection)
        self._observer = ConnectionObserver(
            connection.id,
            process.directory,
            self._at(connection.dialled_ms),
            identity=Identity(name) if connection.is_named else None,
        )

    def live(self) -> None:
        connection = self._connection
        if connection.refused_at != "handshake":
            self._observer.opened()
            self._send(setup(connection, self._handle), connection.dialled_ms)
        if not connection.refused_at:
            self._receive({"setupComplete": {"sessionId": "google"}}, connection.dialled_ms)
            self._receive(new_handle(handle_of(connection)), connection.dialled_ms)
        for step in connection.steps:
            self._step(step)
        self._end(connection.closing)

    def _step(self, step: Step) -> None:
        if isinstance(step, Named):
            self._emit(self._observer.identify(Identity(self._name)))
        elif isinstance(step, Spoke | Asked | Answered):
            for message in sent(step):
                self._send(message, step.at_ms)
        else:
            self._receive(received(step), step.at_ms)

    def _end(self, closing: Closing | None) -> None:
        if closing is None:
            # What the last half second's timer would have told; the rest dies with the process.
            steps = self._connection.steps
            last_ms = steps[-1].at_ms if steps else self._connection.dialled_ms
            self._emit(self._observer.flush(self._at(last_ms)))
            return
        close = Close(closing.code, closing.reason, ClosedBy(closing.by), closing.is_clean)
        self._emit(self._observer.closed(close, self._at(closing.at_ms)))

    def _send(self, message: Json, at_ms: int) -> None:
        self._emit(self._observer.frame(Direction.SENT, json.dumps(message), self._at(at_ms)))

    def _receive(self, message: Json, at_ms: int) -> None:
        raw = json.dumps(message).encode()
        self._emit(self._observer.frame(Direction.RECEIVED, raw, self._at(at_ms)))

    def _emit(self, facts: Iterable[Fact]) -> None:
        self._emitter.emit(self._observer.identity, facts)

    def _at(self, wall_ms: int) -> Instant:
        self._monotonic_ns += STEP_NS
        return Instant(self._monotonic_ns, wall_ms * MILLISECOND_NS)


# Frames.


def setup(connection: Connection, handle: str) -> Json:
    fields: Json = {"model": f"models/{connection.model}"}
    fields["sessionResumption"] = {"handle": handle} if handle else {}
    if connection.compression:
        fields["contextWindowCompression"] = {"triggerTokens": "25000", "slidingWindow": {}}
    return {"setup": fields}


def new_handle(handle: str) -> Json:
    return {"sessionResumptionUpdate": {"newHandle": handle, "resumable": True}}


def sent(step: Spoke | Asked | Answered) -> list[Json]:
    match step:
        case Spoke():
            return [{"realtimeInput": {"audio": pcm(step.audio_ms, 16_000)}}]
        case Answered():
            answer = {"id": step.call, "name": "score", "response": {"result": 1}}
            return [{"toolResponse": {"functionResponses": [answer]}}]
        case Asked(way="activity"):
            return [{"realtimeInput": {way: {}}} for way in ("activityStart", "activityEnd")]
        case Asked(way="text"):
            return [{"realtimeInput": {"text": "Hello"}}]
        case Asked():
            turns = [{"role": "user", "parts": [{"text": "Hello"}]}]
            return [{"clientContent": {"turns": turns, "turnComplete": True}}]


def received(step: Step) -> Json:
    """Return the server's message for what is no step of the application's."""
    if isinstance(step, Made | Reported | Ended):
        return _with(step.told, _bare(step))
    if isinstance(step, Leaving):
        return {"goAway": {"timeLeft": "50s"}}
    return {"serverContent": _content(step)}


def _bare(step: Made | Reported | Ended) -> Json:
    if isinstance(step, Made):
        return made(step)
    return {"serverContent": {"turnComplete": True}} if isinstance(step, Ended) else {}


def _content(step: Step) -> Json:
    match step:
        case Paused():
            return {"turnComplete": True, "interactionStatus": "IN_PROGRESS"}
        case Interrupted():
            return {"interrupted": True}
        case Heard():
            return {"inputTranscription": {"text": step.text}}
        case Said() | Late():
            return {"outputTranscription": {"text": step.text}}
        case Searched():
            return {"groundingMetadata": {"webSearchQueries": list(step.queries)}}
        case _:
            raise TypeError(step)


def made(step: Made) -> Json:
    if step.what == "call":
        return {"toolCall": {"functionCalls": [{"id": step.call, "name": "score", "args": {}}]}}
    part: Json = {"inlineData": pcm(step.audio_ms, 24_000)} if step.what == "audio" else {"text": "So."}
    if step.what == "thought":
        part["thought"] = True
    return {"serverContent": {"modelTurn": {"parts": [part]}}}


def pcm(audio_ms: int, rate_hz: int) -> Json:
    data = base64.b64encode(bytes(2 * audio_ms * rate_hz // 1000)).decode()
    return {"mimeType": f"audio/pcm;rate={rate_hz}", "data": data}


def _with(told: Told | None, message: Json) -> Json:
    return (
        message
        if told is None
        else bundle(message, {"usageMetadata": usage_metadata(told.counts, told.spelling)})
    )


def usage_metadata(counts: Counts, spelling: Spelling) -> Json:
    """Return the object as that API would write it."""
    response = "candidates" if spelling.candidates else "response"
    parts = {
        ("promptTokenCount", "promptTokensDetails"): counts.prompt,
        ("toolUsePromptTokenCount", "toolUsePromptTokensDetails"): counts.tool_use,
        ("cachedContentTokenCount", "cacheTokensDetails"): counts.cached,
        (f"{response}TokenCount", f"{response}TokensDetails"): counts.response,
    }
    written: Json = {}
    for (total, details), part in parts.items():
        written |= _part(total, details, part, spelling)
    plain = {
        "thoughtsTokenCount": _number(counts.thoughts, spelling),
        "totalTokenCount": _number(counts.total, spelling),
        "trafficType": counts.traffic_type or None,
        "serviceTier": counts.service_tier or None,
    }
    written |= {name: value for name, value in plain.items() if value is not None}
    return to_snake(written) if spelling.snake else written


def _part(total_name: str, details_name: str, part: Part, spelling: Spelling) -> Json:
    written: Json = {}
    if part.total is not None:
        written[total_name] = _number(part.total, spelling)
    if part.details is not None:
        entries = [{"modality": name, "tokenCount": _number(n, spelling)} for name, n in part.details]
        written[details_name] = [
            {key: value for key, value in entry.items() if value not in (None, "")} for entry in entries
        ]
    return written


def _number(count: int | None, spelling: Spelling) -> int | str | None:
    return str(count) if spelling.digits and count is not None else count
