"""The spans of one connection, made from facts with explicit times; none is ever made current.

The root span begins with the dial. Its children are the setup, one inference per generation and one span
per tool call. A duration that nobody measured makes no span. A span ends where it began plus what the
monotonic clock measured, so that a wall clock that is set cannot turn it around.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, set_span_in_context

from livemeter.emit.connections import ended_well
from livemeter.emit.tokens import token_attributes
from livemeter.emit.values import Attributes, Scalar
from livemeter.observer.facts import (
    ConnectionClosed,
    ConnectionStarted,
    Fact,
    ToolCallEnded,
    TurnEnded,
    UsageReported,
)
from livemeter.vocabulary import Attribute, ToolStatus
from livemeter.vocabulary import Span as SpanName

TRAILING_USAGE_NS = 2_000_000_000
"""How long the span of a generation waits for usage frames that trail its turn's end. They come within
milliseconds; a later one is on its event and in the metrics, only not on the span."""

_FAILED_CALLS = {ToolStatus.ERROR, ToolStatus.SEND_FAILED}


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A generation whose turn ended and whose usage may still trail."""

    span: Span
    turn: int
    ends_at_ns: int
    waits_until_ns: int


class ConnectionSpans:
    """The spans of one connection; ``context`` is what its log records belong to."""

    def __init__(self, tracer: Tracer, parent: Context, opened_at_ns: int, attributes: Attributes) -> None:
        self._tracer = tracer
        self._root = tracer.start_span(
            SpanName.CONNECTION,
            context=parent,
            kind=SpanKind.CLIENT,
            start_time=opened_at_ns,
            attributes=attributes,
        )
        self.context = set_span_in_context(self._root, parent)
        self._tokens: dict[int, dict[str, int]] = {}
        self._waiting: _Waiting | None = None
        self._output_type = ""

    def observe(self, fact: Fact, attributes: Attributes) -> None:
        """Make the spans that a fact completes; ``attributes`` are those of its record."""
        if self._waiting is not None and fact.at_ns >= self._waiting.waits_until_ns:
            self._end_generation()
        match fact:
            case UsageReported():
                self._count(fact)
            case TurnEnded():
                self._turn_ended(fact, attributes)
            case ToolCallEnded():
                self._tool_call(fact, attributes)
            case ConnectionStarted():
                self._started(fact, attributes)
            case ConnectionClosed():
                self._closed(fact, attributes)
            case _:
                pass

    def _started(self, fact: ConnectionStarted, attributes: Attributes) -> None:
        if fact.setup.response_modalities:
            self._output_type = "speech" if "AUDIO" in fact.setup.response_modalities else "text"
        self._root.set_attributes(attributes)
        if fact.setup_ms is None:
            return
        span = self._child(SpanName.SETUP, SpanKind.INTERNAL, fact.opened_at_ns, attributes)
        span.end(_later(fact.opened_at_ns, fact.setup_ms))

    def _closed(self, fact: ConnectionClosed, attributes: Attributes) -> None:
        self._end_generation()
        diagnosis_id = str(attributes.get(Attribute.DIAGNOSIS, ""))
        attributes = {name: value for name, value in attributes.items() if name != Attribute.ERROR_TYPE}
        self._root.set_attributes(attributes)
        if not ended_well(fact, diagnosis_id):
            kind = fact.error_type or str(fact.http_status or fact.code or "_OTHER")
            _failed(self._root, kind, str(attributes.get(Attribute.CAUSE, fact.reason)))
        self._root.end(_later(fact.opened_at_ns, fact.duration_ms))

    def _tool_call(self, fact: ToolCallEnded, attributes: Attributes) -> None:
        if fact.called_at_ns is None or fact.responded_at_ns is None or fact.latency_ms is None:
            return
        operation: Attributes = {Attribute.OPERATION: SpanName.TOOL.value}
        name = f"{SpanName.TOOL} {fact.name}".rstrip()
        span = self._child(name, SpanKind.INTERNAL, fact.called_at_ns, {**attributes, **operation})
        if fact.status in _FAILED_CALLS:
            _failed(span, fact.status.value, "")
        span.end(_later(fact.called_at_ns, fact.latency_ms))

    # Generations wait for the usage that trails their turn.

    def _turn_ended(self, fact: TurnEnded, attributes: Attributes) -> None:
        self._end_generation()
        if fact.first_output_at_ns is None or fact.generation_ms is None:
            self._forget_tokens(fact.turn)
            return
        model = attributes.get(Attribute.MODEL, "")
        name = f"{SpanName.INFERENCE} {model}".rstrip()
        span = self._child(name, SpanKind.CLIENT, fact.first_output_at_ns, attributes)
        span.set_attribute(Attribute.OPERATION, SpanName.INFERENCE.value)
        span.set_attribute(Attribute.FINISH_REASONS, (fact.end_reason.value,))
        if self._output_type:
            span.set_attribute(Attribute.OUTPUT_TYPE, self._output_type)
        self._waiting = _Waiting(
            span,
            fact.turn,
            _later(fact.first_output_at_ns, fact.generation_ms),
            fact.at_ns + TRAILING_USAGE_NS,
        )

    def _count(self, fact: UsageReported) -> None:
        if fact.repeat:
            return
        tokens = self._tokens.setdefault(fact.turn, {})
        for name, count in token_attributes(fact.usage).items():
            tokens[name] = tokens.get(name, 0) + count

    def _end_generation(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.span.set_attributes(self._tokens.get(waiting.turn, {}))
            waiting.span.end(waiting.ends_at_ns)
            self._forget_tokens(waiting.turn)

    def _forget_tokens(self, turn: int) -> None:
        self._tokens = {later: tokens for later, tokens in self._tokens.items() if later > turn}

    def _child(self, name: str, kind: SpanKind, start_ns: int, attributes: Mapping[str, Scalar]) -> Span:
        return self._tracer.start_span(
            name, context=self.context, kind=kind, start_time=start_ns, attributes=attributes
        )


def _failed(span: Span, error_type: str, description: str) -> None:
    span.set_attribute(Attribute.ERROR_TYPE, error_type)
    span.set_status(Status(StatusCode.ERROR, description or None))


def _later(start_ns: int, milliseconds: float) -> int:
    return start_ns + round(milliseconds * 1e6)
