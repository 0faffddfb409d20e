"""Events of processes, connections and sessions as OTLP, from the vocabulary and protobuf messages alone."""

import json
import time
import uuid
from collections.abc import Mapping, Sequence

from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from livemeter.vocabulary import Attribute, Direction, Event, FramesBody
from livemeter_collector.store.contract import Scalar, Signal, Store
from tests.collector.otlp_messages import any_value, key_values

Row = dict[str, object]
Values = Mapping[str, Scalar]
Frame = tuple[int, str, str, Sequence[str], int, int, int, int]
"""Milliseconds after the first, direction, kind, contents, bytes, audio_ms, sample_rate, turn."""

NOW_MS = int(time.time() * 1000)
MODEL = "gemini-3.8-live"


def new_id() -> str:
    """Return a connection's id, or a handle's hash: 32 hex digits."""
    return uuid.uuid4().hex


class Process:
    """One emitter: numbers its records as they are made."""

    def __init__(self, app: str = "lessons") -> None:
        self.app = app
        self.emitter_id = new_id()
        self._next = 0

    def record(
        self, event: Event, values: Values, body: str | None = None, at_ms: float = 0
    ) -> ExportLogsServiceRequest:
        """Return a request of one record, ``at_ms`` after the tests began."""
        request = ExportLogsServiceRequest()
        resource = request.resource_logs.add()
        resource.resource.attributes.extend(key_values({"service.name": self.app}))
        own: Values = {Attribute.EMITTER_ID: self.emitter_id, Attribute.EMITTER_SEQ: self._next}
        self._next += 1
        resource.scope_logs.add().log_records.add(
            time_unix_nano=(NOW_MS * 1000 + round(at_ms * 1000)) * 1000,
            event_name=str(event),
            body=any_value(body),
            attributes=key_values({str(name): value for name, value in {**own, **values}.items()}),
        )
        return request

    def connection(self, session: str = "", *, connection_id: str = "") -> "Connection":
        """Return a connection of this process; without a name its session has its own id."""
        return Connection(self, connection_id or new_id(), session)


class Connection:
    """Makes one connection's events; each method returns what it made."""

    def __init__(self, process: Process, connection_id: str, session: str) -> None:
        self.id = connection_id
        self.session = session or connection_id
        self._process = process

    def event(
        self, event: Event, values: Values | None = None, body: str | None = None, at_ms: float = 0
    ) -> ExportLogsServiceRequest:
        common: Values = {
            Attribute.CONNECTION_ID: self.id,
            Attribute.SESSION_ID: self.session,
            Attribute.MODEL: MODEL,
            Attribute.PLATFORM: "gemini_api",
        }
        return self._process.record(event, {**common, **(values or {})}, body, at_ms)

    def started(
        self, at_ms: float = 0, handle: str = "", body: str | None = None, **more: Scalar
    ) -> ExportLogsServiceRequest:
        """Dialled 300 ms before; ``handle`` is the hash of the handle that it resumes with."""
        return self.event(
            Event.CONNECTION_STARTED,
            {
                Attribute.OPENED_AT: NOW_MS + round(at_ms) - 300,
                Attribute.SETUP_MS: 300,
                Attribute.ATTEMPT: 1,
                **_resumed(handle),
                **_named(more),
            },
            body,
            at_ms,
        )

    def closed(self, at_ms: float = 0, handle: str = "", **more: Scalar) -> ExportLogsServiceRequest:
        return self.event(
            Event.CONNECTION_CLOSED,
            {
                Attribute.ATTEMPT: 1,
                Attribute.CLOSE_CODE: 1000,
                Attribute.CLOSED_BY: "client",
                Attribute.CLEAN: True,
                Attribute.PHASE: "active",
                **_resumed(handle),
                **_named(more),
            },
            at_ms=at_ms,
        )

    def given(self, *handles: str, at_ms: float = 0) -> ExportLogsServiceRequest:
        """Tell handles as emitters do whose frames do not travel packed."""
        return self.event(Event.RESUMPTION, {Attribute.HANDLE_HASHES: json.dumps(handles)}, at_ms=at_ms)

    def usage(
        self, prompt: int, response: int = 0, at_ms: float = 0, **more: Scalar
    ) -> ExportLogsServiceRequest:
        body = {"prompt": prompt, "prompt_details": {"TEXT": prompt}, "response": response}
        values: Values = {Attribute.TURN: 1, Attribute.PASS: 1, Attribute.REPEAT: False, **_named(more)}
        return self.event(Event.USAGE, values, json.dumps(body), at_ms)

    def turn(self, at_ms: float = 0, **more: Scalar) -> ExportLogsServiceRequest:
        values: Values = {Attribute.TURN: 1, Attribute.HAS_OUTPUT: True, Attribute.END_REASON: "complete"}
        return self.event(Event.TURN, {**values, **_named(more)}, at_ms=at_ms)

    def tool_call(self, name: str = "score", at_ms: float = 0, **more: Scalar) -> ExportLogsServiceRequest:
        values: Values = {
            Attribute.TURN: 1,
            Attribute.TOOL_NAME: name,
            Attribute.TOOL_CALL_ID: "call-1",
            Attribute.TOOL_CALLED_AT: NOW_MS + round(at_ms),
            Attribute.TOOL_STATUS: "ok",
        }
        return self.event(Event.TOOL_CALL, {**values, **_named(more)}, at_ms=at_ms)

    def packed(
        self, frames: Sequence[Frame], handles: Sequence[str] = (), first: int = 0
    ) -> ExportLogsServiceRequest:
        """Frames as one record; with ``handles``, the hashes of those that were given meanwhile."""
        times = [frame[0] for frame in frames]
        body: dict[str, object] = {
            FramesBody.BASE: NOW_MS,
            FramesBody.SEQ: first,
            FramesBody.OFFSET: [after - before for before, after in zip([0, *times], times, strict=False)],
            FramesBody.DIRECTION: [int(frame[1] == Direction.RECEIVED) for frame in frames],
            FramesBody.KIND: [frame[2] for frame in frames],
            FramesBody.CONTENTS: [list(frame[3]) for frame in frames],
            FramesBody.BYTES: [frame[4] for frame in frames],
            FramesBody.AUDIO_MS: [frame[5] for frame in frames],
            FramesBody.SAMPLE_RATE: [frame[6] for frame in frames],
            FramesBody.TURN: [frame[7] for frame in frames],
        }
        if handles:
            body[FramesBody.HANDLES] = list(handles)
        return self.event(Event.FRAMES, {Attribute.FRAMES_COUNT: len(frames)}, json.dumps(body))

    def frame_records(self, frames: Sequence[Frame], first: int = 0) -> list[ExportLogsServiceRequest]:
        """The same frames as a record each."""
        records: list[ExportLogsServiceRequest] = []
        for seq, (offset_ms, direction, kind, contents, size, audio_ms, rate, turn) in enumerate(
            frames, first
        ):
            values: dict[str, Scalar] = {
                Attribute.FRAME_SEQ: seq,
                Attribute.FRAME_DIRECTION: direction,
                Attribute.FRAME_KIND: kind,
                Attribute.FRAME_BYTES: size,
                Attribute.FRAME_AUDIO_MS: audio_ms,
                Attribute.TURN: turn,
            }
            if contents:
                values[Attribute.FRAME_CONTENTS] = json.dumps(contents)
            if rate:
                values[Attribute.FRAME_SAMPLE_RATE] = rate
            records.append(self.event(Event.FRAME, values, at_ms=offset_ms))
        return records


def insert(store: Store, *requests: Message) -> None:
    """Insert requests together, as a batch that was never sent before."""
    body = b"".join(request.SerializeToString() for request in requests)
    store.insert_otlp(Signal.LOGS, body, new_id())


def insert_each(store: Store, requests: Sequence[Message]) -> None:
    """Insert requests one by one, in this order."""
    for request in requests:
        insert(store, request)


def join_sessions(store: Store) -> None:
    """Let the store see which sessions went on in another process, as a running collector does."""
    store.command("SYSTEM RELOAD DICTIONARY livemeter.session_root")


def rows(store: Store, sql: str, **parameters: str) -> list[Row]:
    """Return rows by column name."""
    table = store.query(sql, parameters)
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


def row_of(store: Store, view: str, connection: Connection) -> Row:
    """Return a view's one row of a connection."""
    (row,) = rows(store, f"SELECT * FROM {view} WHERE connection_id = {{id:String}}", id=connection.id)
    return row


def _resumed(handle: str) -> Values:
    if not handle:
        return {Attribute.RESUMED: False}
    return {Attribute.RESUMED: True, Attribute.HANDLE_HASH: handle}


def _named(more: Mapping[str, Scalar]) -> Values:
    """Return attributes by the names of their members: ``TURN=2``."""
    return {str(Attribute[name]): value for name, value in more.items()}
