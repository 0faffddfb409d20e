"""Facts to metrics: what a fleet does, by model and platform; never by session, connection or user.

Token details that the server did not give are counted without a modality.
"""

from collections.abc import Mapping

from opentelemetry.metrics import Counter, Meter

from livemeter.emit.tokens import input_details, input_tokens, modality_name, output_details, output_tokens
from livemeter.emit.values import Attributes, Scalar, clean
from livemeter.observer.facts import (
    ConnectionClosed,
    ConnectionStarted,
    Fact,
    GoAwayReceived,
    ToolCallEnded,
    TurnEnded,
    UsageReported,
)
from livemeter.vocabulary import Attribute, DropReason, Metric, Phase

MAX_TOOL_NAMES = 200
"""Tools that a metric names; those beyond are ``_OTHER``. A model may call names that nobody declared."""

OTHER_TOOL = "_OTHER"

# The semantic conventions' own buckets, in seconds.
_FIRST_CHUNK_BUCKETS = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
_DURATION_BUCKETS = tuple(0.01 * 2**power for power in range(14))
_LAG_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Instruments:
    """The instruments of one meter. Every ``attributes`` given is provider, platform and model, no more."""

    def __init__(self, meter: Meter) -> None:
        self._input_tokens = meter.create_counter(
            Metric.INPUT_TOKENS, "{token}", "Tokens of input, cached ones and tool use included."
        )
        self._output_tokens = meter.create_counter(
            Metric.OUTPUT_TOKENS, "{token}", "Tokens of output, thoughts included."
        )
        self._first_chunk = meter.create_histogram(
            Metric.TIME_TO_FIRST_CHUNK,
            "s",
            "From the end of the input to the first audio.",
            explicit_bucket_boundaries_advisory=_FIRST_CHUNK_BUCKETS,
        )
        self._duration = meter.create_histogram(
            Metric.INFERENCE_DURATION,
            "s",
            "From the first output of a generation to its end.",
            explicit_bucket_boundaries_advisory=_DURATION_BUCKETS,
        )
        self._tool_duration = meter.create_histogram(
            Metric.TOOL_DURATION,
            "s",
            "From a tool call to its answer.",
            explicit_bucket_boundaries_advisory=_DURATION_BUCKETS,
        )
        self._loop_lag = meter.create_histogram(
            Metric.LOOP_LAG,
            "s",
            "How much later than asked an event loop with Live connections ran a timer.",
            explicit_bucket_boundaries_advisory=_LAG_BUCKETS,
        )
        self._dropped = meter.create_counter(
            Metric.DROPPED_RECORDS, "{record}", "Events that did not reach the collector, or not whole."
        )
        self._tool_names: set[str] = set()
        self._active = meter.create_up_down_counter(
            Metric.CONNECTIONS_ACTIVE, "{connection}", "Connections that are set up and open."
        )
        self._closes = meter.create_counter(Metric.CLOSES, "{connection}", "Connections that ended.")
        self._go_aways = meter.create_counter(Metric.GO_AWAYS, "{message}", "goAway messages received.")
        self._interruptions = meter.create_counter(
            Metric.INTERRUPTIONS, "{turn}", "Turns that the user interrupted."
        )

    def observe(self, fact: Fact, attributes: Attributes) -> None:
        """Count what a fact says."""
        match fact:
            case UsageReported():
                self._usage(fact, attributes)
            case TurnEnded():
                self._turn(fact, attributes)
            case ToolCallEnded():
                self._tool_call(fact, attributes)
            case GoAwayReceived():
                self._go_aways.add(1, attributes)
            case ConnectionStarted():
                self._active.add(1, attributes)
            case ConnectionClosed():
                self._closed(fact, attributes)
            case _:
                pass

    def loop_lag(self, seconds: float) -> None:
        """Record by how much an event loop ran a timer too late."""
        self._loop_lag.record(seconds)

    def dropped(self, count: int, reason: DropReason) -> None:
        """Count events that were lost, or cut."""
        self._dropped.add(count, {Attribute.DROPPED_REASON: reason.value})

    def _usage(self, fact: UsageReported, attributes: Attributes) -> None:
        if fact.repeat:
            return
        usage = fact.usage
        _add_tokens(self._input_tokens, input_tokens(usage), input_details(usage), attributes)
        _add_tokens(self._output_tokens, output_tokens(usage), output_details(usage), attributes)

    def _turn(self, fact: TurnEnded, attributes: Attributes) -> None:
        if fact.first_audio_ms is not None:
            measured = {**attributes, Attribute.FIRST_AUDIO_FROM: fact.first_audio_from}
            self._first_chunk.record(fact.first_audio_ms / 1000, measured)
        if fact.generation_ms is not None:
            self._duration.record(fact.generation_ms / 1000, attributes)
        if fact.interrupted:
            self._interruptions.add(1, attributes)

    def _tool_call(self, fact: ToolCallEnded, attributes: Attributes) -> None:
        if fact.latency_ms is None:
            return
        call: Attributes = {
            Attribute.TOOL_NAME: self._bounded_tool_name(fact.name),
            Attribute.TOOL_STATUS: fact.status.value,
        }
        self._tool_duration.record(fact.latency_ms / 1000, {**attributes, **call})

    def _bounded_tool_name(self, name: str) -> str:
        if name not in self._tool_names:
            if len(self._tool_names) >= MAX_TOOL_NAMES:
                return OTHER_TOOL
            self._tool_names.add(name)
        return clean(name)

    def _closed(self, fact: ConnectionClosed, attributes: Attributes) -> None:
        if fact.phase is Phase.ACTIVE:
            self._active.add(-1, attributes)
        close: Attributes = {Attribute.CLOSED_BY: fact.closed_by.value, Attribute.CLEAN: fact.clean}
        if fact.code is not None:
            close[Attribute.CLOSE_CODE] = fact.code
        self._closes.add(1, {**attributes, **close})


def _add_tokens(
    counter: Counter, total: int | None, details: Mapping[str, int], attributes: Mapping[str, Scalar]
) -> None:
    for modality, tokens in details.items():
        if tokens:
            counter.add(tokens, {**attributes, Attribute.TOKEN_MODALITY: modality_name(modality)})
    remainder = (total or 0) - sum(details.values())
    if remainder > 0:
        counter.add(remainder, attributes)
