"""Usage events as OTLP, built from protobuf messages and the vocabulary alone."""

import json
import time
from collections.abc import Iterable

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from livemeter.vocabulary import Attribute, Event, UsageBody
from tests.accounting.oracle import Frame


def usage_body(frame: Frame) -> str:
    """Return the body of a usage event; what the server did not send is absent."""
    figures = {
        UsageBody.PROMPT: frame.prompt,
        UsageBody.PROMPT_DETAILS: frame.prompt_details,
        UsageBody.TOOL_USE: frame.tool_use,
        UsageBody.TOOL_USE_DETAILS: frame.tool_use_details,
        UsageBody.CACHED: frame.cached,
        UsageBody.CACHED_DETAILS: frame.cached_details,
        UsageBody.RESPONSE: frame.response,
        UsageBody.RESPONSE_DETAILS: frame.response_details,
        UsageBody.THOUGHTS: frame.thoughts,
        UsageBody.CONTEXT_AUDIO_MS: frame.context_audio_ms,
        UsageBody.RESPONSE_AUDIO_MS: frame.response_audio_ms,
    }
    return json.dumps({str(key): value for key, value in figures.items() if value})


class Exported:
    """One OTLP request in the making."""

    def __init__(self, app: str = "test") -> None:
        self._request = ExportLogsServiceRequest()
        resource = self._request.resource_logs.add()
        _set(resource.resource.attributes.add(), "service.name", app)
        self._records = resource.scope_logs.add().log_records

    def event(
        self, event: Event, seq: int, session: str, model: str, attributes: dict[str, object], body: str = ""
    ) -> None:
        """Add one event of a session whose one connection is named after it."""
        record = self._records.add(time_unix_nano=time.time_ns(), event_name=str(event))
        record.body.string_value = body
        common: dict[str, object] = {
            Attribute.CONNECTION_ID: connection_id(session),
            Attribute.SESSION_ID: session,
            Attribute.EMITTER_ID: "emitter",
            Attribute.EMITTER_SEQ: seq,
            Attribute.MODEL: model,
            Attribute.PLATFORM: "gemini_api",
        }
        for name, value in {**common, **attributes}.items():
            _set(record.attributes.add(), str(name), value)

    def usage(self, session: str, model: str, frames: Iterable[Frame]) -> None:
        """Add a session's usage frames, each the one pass of a turn of its own."""
        for seq, frame in enumerate(frames, start=1):
            attributes: dict[str, object] = {
                Attribute.TURN: seq,
                Attribute.PASS: seq,
                Attribute.REPEAT: frame.repeat,
            }
            self.event(Event.USAGE, seq, session, model, attributes, usage_body(frame))

    def to_bytes(self) -> bytes:
        """Return the request as it goes over the wire."""
        return self._request.SerializeToString()


def connection_id(session: str) -> str:
    """Return 32 hex digits for a session's only connection."""
    return session.encode().hex().ljust(32, "0")[:32]


def _set(pair: object, key: str, value: object) -> None:
    pair.key = key  # type: ignore[attr-defined]
    field = {bool: "bool_value", int: "int_value", float: "double_value", str: "string_value"}[type(value)]
    setattr(pair.value, field, value)  # type: ignore[attr-defined]
