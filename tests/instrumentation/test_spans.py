"""Facts to spans."""

from dataclasses import replace

import pytest
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode

from livemeter.emit.spans import TRAILING_USAGE_NS
from livemeter.observer.facts import TurnEnded
from livemeter.vocabulary import Attribute, ClosedBy, Phase, ToolStatus, TurnEnd
from tests.instrumentation.examples import (
    CLOSED,
    CONNECTION_ID,
    FACTS,
    FRAMES,
    IDENTITY,
    OPENED_NS,
    SECOND_NS,
    STARTED,
    TOOL_CALL,
    TURN,
    USAGE,
)
from tests.instrumentation.memory import Memory

ROOT = "gemini_live.connection"
INFERENCE = "realtime_inference gemini-live-2.5-flash"


def attributes(span: ReadableSpan) -> dict[str, object]:
    return dict(span.attributes or {})


def test_a_connection_is_a_root_with_setup_inference_and_tool_below_it(memory: Memory) -> None:
    memory.emit(FACTS)
    root = memory.span(ROOT)
    children = [span for span in memory.spans if span is not root]
    assert {span.name for span in children} == {"setup", INFERENCE, "execute_tool get_weather"}
    assert all(span.parent == root.context for span in children)
    assert root.parent is None
    assert {span.name: span.kind for span in memory.spans} == {
        ROOT: SpanKind.CLIENT,
        INFERENCE: SpanKind.CLIENT,
        "setup": SpanKind.INTERNAL,
        "execute_tool get_weather": SpanKind.INTERNAL,
    }


def test_times_are_those_of_the_facts(memory: Memory) -> None:
    memory.emit(FACTS)
    times = {span.name: (span.start_time, span.end_time) for span in memory.spans}
    assert times == {
        ROOT: (OPENED_NS, OPENED_NS + 8 * SECOND_NS),
        "setup": (OPENED_NS, OPENED_NS + 312_500_000),
        INFERENCE: (OPENED_NS + 2 * SECOND_NS, OPENED_NS + 4_500_000_000),
        "execute_tool get_weather": (OPENED_NS + 2 * SECOND_NS, OPENED_NS + 3 * SECOND_NS),
    }


def test_the_applications_current_span_is_the_parent_and_stays_current(memory: Memory) -> None:
    tracer = memory.tracer_provider.get_tracer("app")
    with tracer.start_as_current_span("request") as request:
        connection = memory.connection(parent=trace.set_span_in_context(request))
        assert trace.get_current_span() is request
        connection.emit(IDENTITY, FACTS)
        assert trace.get_current_span() is request
    root = memory.span(ROOT)
    assert root.parent == request.get_span_context()
    assert root.context is not None
    assert root.context.trace_id == request.get_span_context().trace_id


def test_nothing_is_current_when_nothing_was(memory: Memory) -> None:
    memory.connection(parent=Context()).emit(IDENTITY, FACTS[:-1])
    assert not trace.get_current_span().get_span_context().is_valid


def test_the_root_says_whose_connection_it_was_and_how_it_ended(memory: Memory) -> None:
    memory.emit(FACTS)
    root = attributes(memory.span(ROOT))
    assert root[Attribute.CONNECTION_ID] == CONNECTION_ID
    assert root[Attribute.SESSION_ID] == "lesson-7"
    assert root[Attribute.MODEL] == "gemini-live-2.5-flash"
    assert root[Attribute.VOICE] == "Kore"
    assert root[Attribute.CLOSE_CODE] == 1000
    assert Attribute.EMITTER_SEQ not in root
    assert memory.span(ROOT).status.status_code is StatusCode.UNSET


def test_an_abnormal_close_is_an_error(memory: Memory) -> None:
    lost = replace(
        CLOSED,
        code=1006,
        closed_by=ClosedBy.NONE,
        clean=False,
        error_type="websockets.exceptions.ConnectionClosedError",
    )
    memory.emit([STARTED, lost])
    root = memory.span(ROOT)
    assert root.status.status_code is StatusCode.ERROR
    assert root.status.description == attributes(root)[Attribute.CAUSE]
    assert attributes(root)[Attribute.ERROR_TYPE] == "websockets.exceptions.ConnectionClosedError"


@pytest.mark.parametrize(
    ("code", "http_status", "error_type"), [(1011, None, "1011"), (None, 403, "403"), (None, None, "_OTHER")]
)
def test_an_error_without_an_exception_is_named_after_its_code(
    memory: Memory, code: int | None, http_status: int | None, error_type: str
) -> None:
    memory.emit([replace(CLOSED, code=code, http_status=http_status, closed_by=ClosedBy.SERVER)])
    assert attributes(memory.span(ROOT))[Attribute.ERROR_TYPE] == error_type


def test_the_exception_of_an_ordinary_end_is_no_error(memory: Memory) -> None:
    memory.emit([replace(CLOSED, error_type="websockets.exceptions.ConnectionClosedOK")])
    assert Attribute.ERROR_TYPE not in attributes(memory.span(ROOT))


def test_a_setup_that_was_refused_makes_no_setup_span(memory: Memory) -> None:
    memory.emit([replace(CLOSED, phase=Phase.SETUP, code=1007, closed_by=ClosedBy.SERVER)])
    assert [span.name for span in memory.spans] == [ROOT]


# Generations.


def test_an_inference_carries_the_tokens_of_its_turn_summed_over_its_passes(memory: Memory) -> None:
    repeat = replace(USAGE, repeat=True)
    memory.emit([STARTED, USAGE, USAGE, repeat, TURN, CLOSED])
    inference = attributes(memory.span(INFERENCE))
    assert inference[Attribute.INPUT_TOKENS] == 2 * 1050
    assert inference[Attribute.OUTPUT_TOKENS] == 2 * 150
    assert inference["gen_ai.usage.audio.output_tokens"] == 2 * 110
    assert inference[Attribute.OPERATION] == "realtime_inference"
    assert inference[Attribute.OUTPUT_TYPE] == "speech"
    assert inference[Attribute.FINISH_REASONS] == ("interrupted",)
    assert inference[Attribute.TURN] == 3


def test_usage_that_trails_its_turn_is_on_its_span(memory: Memory) -> None:
    trailing = replace(USAGE, at_ns=TURN.at_ns + 30_000_000)
    connection = memory.connection()
    connection.emit(IDENTITY, [STARTED, TURN, trailing])
    assert INFERENCE not in [span.name for span in memory.spans]
    connection.emit(IDENTITY, [CLOSED])
    assert attributes(memory.span(INFERENCE))[Attribute.INPUT_TOKENS] == 1050


def test_a_waiting_generation_ends_with_the_first_fact_after_its_time(memory: Memory) -> None:
    connection = memory.connection()
    connection.emit(IDENTITY, [STARTED, TURN, replace(FRAMES, at_ns=TURN.at_ns + TRAILING_USAGE_NS - 1)])
    assert INFERENCE not in [span.name for span in memory.spans]
    connection.emit(IDENTITY, [replace(FRAMES, at_ns=TURN.at_ns + TRAILING_USAGE_NS)])
    assert memory.span(INFERENCE).end_time == OPENED_NS + 4_500_000_000


def test_the_next_turn_takes_none_of_the_tokens_before_it(memory: Memory) -> None:
    late = replace(USAGE, at_ns=TURN.at_ns + 10 * SECOND_NS)
    following = replace(TURN, turn=4, at_ns=TURN.at_ns + 20 * SECOND_NS, end_reason=TurnEnd.COMPLETE)
    memory.emit([STARTED, USAGE, TURN, late, replace(USAGE, turn=4), following, CLOSED])
    tokens = {
        attributes(span)[Attribute.TURN]: attributes(span)[Attribute.INPUT_TOKENS]
        for span in memory.spans
        if span.name == INFERENCE
    }
    assert tokens == {3: 1050, 4: 1050}


@pytest.mark.parametrize("turn", [replace(TURN, generation_ms=None), replace(TURN, first_output_at_ns=None)])
def test_a_generation_that_nobody_measured_makes_no_span(memory: Memory, turn: TurnEnded) -> None:
    memory.emit([STARTED, USAGE, turn, CLOSED])
    assert INFERENCE not in [span.name for span in memory.spans]


def test_user_speech_makes_no_span_because_nobody_measured_when_it_ended(memory: Memory) -> None:
    memory.emit([STARTED, replace(TURN, user_speech_ms=800.0), CLOSED])
    assert {span.name for span in memory.spans} == {ROOT, "setup", INFERENCE}


# Tools.


@pytest.mark.parametrize("status", [ToolStatus.ERROR, ToolStatus.SEND_FAILED])
def test_a_failed_tool_call_is_an_error(memory: Memory, status: ToolStatus) -> None:
    memory.emit([STARTED, replace(TOOL_CALL, status=status)])
    span = memory.span("execute_tool get_weather")
    assert span.status.status_code is StatusCode.ERROR
    assert attributes(span)[Attribute.ERROR_TYPE] == status.value
    assert attributes(span)[Attribute.OPERATION] == "execute_tool"


def test_a_tool_call_without_both_ends_makes_no_span(memory: Memory) -> None:
    unanswered = replace(TOOL_CALL, responded_at_ns=None, latency_ms=None, status=ToolStatus.UNANSWERED)
    unasked = replace(TOOL_CALL, called_at_ns=None, latency_ms=None)
    memory.emit([STARTED, unanswered, unasked])
    assert [span.name for span in memory.spans] == ["setup"]


def test_a_wall_clock_set_back_does_not_turn_a_span_around(memory: Memory) -> None:
    memory.emit([STARTED, replace(TOOL_CALL, responded_at_ns=OPENED_NS)])
    span = memory.span("execute_tool get_weather")
    assert (span.end_time or 0) - (span.start_time or 0) == SECOND_NS
