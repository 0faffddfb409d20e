"""Facts to metrics."""

from dataclasses import replace

import pytest

from livemeter.emit import metrics
from livemeter.observer.facts import Setup, Usage
from livemeter.vocabulary import Attribute, ClosedBy, DropReason, Metric, Phase, ToolStatus
from tests.instrumentation.examples import (
    CLOSED,
    FACTS,
    GEMINI,
    GO_AWAY,
    IDENTITY,
    STARTED,
    TOOL_CALL,
    TURN,
    USAGE,
)
from tests.instrumentation.memory import Memory

FLEET = (
    ("gemini_live.platform", "vertex_ai"),
    ("gen_ai.provider.name", "gcp.vertex_ai"),
    ("gen_ai.request.model", "gemini-live-2.5-flash"),
)


def by_modality(memory: Memory, metric: Metric) -> dict[object, int]:
    return {
        attributes.get("gen_ai.token.modality"): point.value for attributes, point in memory.points(metric)
    }


def test_tokens_are_counted_by_modality_and_the_unexplained_rest_without(memory: Memory) -> None:
    memory.emit([STARTED, USAGE])
    assert by_modality(memory, Metric.INPUT_TOKENS) == {"text": 350, "audio": 650, "video": 20, None: 30}
    assert by_modality(memory, Metric.OUTPUT_TOKENS) == {"text": 30, "audio": 110, None: 10}


def test_repeats_do_not_count_and_unknown_modalities_share_a_name(memory: Memory) -> None:
    odd = replace(USAGE, usage=Usage(prompt=9, prompt_details={"SMELL": 4, "TASTE": 5}))
    memory.emit([STARTED, odd, replace(USAGE, repeat=True)])
    assert by_modality(memory, Metric.INPUT_TOKENS) == {"unspecified": 9}
    assert by_modality(memory, Metric.OUTPUT_TOKENS) == {}


def test_durations_are_seconds_and_only_of_what_was_measured(memory: Memory) -> None:
    memory.emit([STARTED, TURN, replace(TURN, turn=4, first_audio_ms=None, generation_ms=None)])
    [(attributes, first_chunk)] = memory.points(Metric.TIME_TO_FIRST_CHUNK)
    assert (first_chunk.count, first_chunk.sum) == (1, 0.6405)
    assert attributes[Attribute.FIRST_AUDIO_FROM] == "activity_end"
    [(_, duration)] = memory.points(Metric.INFERENCE_DURATION)
    assert (duration.count, duration.sum) == (1, 2.5)


def test_active_connections_come_back_to_zero(memory: Memory) -> None:
    memory.emit([STARTED])
    memory.emit([STARTED])
    assert memory.sums(Metric.CONNECTIONS_ACTIVE) == {FLEET: 2}
    memory.emit([CLOSED])
    memory.emit([replace(CLOSED, code=1006, closed_by=ClosedBy.NONE)])
    assert memory.sums(Metric.CONNECTIONS_ACTIVE) == {FLEET: 0}


def test_a_connection_that_never_started_was_never_active(memory: Memory) -> None:
    refused = replace(
        CLOSED, phase=Phase.HANDSHAKE, setup=Setup(), code=None, closed_by=ClosedBy.NONE, clean=False
    )
    memory.connection(endpoint=GEMINI).emit(IDENTITY, [refused])
    assert memory.sums(Metric.CONNECTIONS_ACTIVE) == {}
    assert memory.sums(Metric.CLOSES) == {
        (
            ("gemini_live.close.clean", False),
            ("gemini_live.close.closed_by", "none"),
            ("gemini_live.platform", "gemini_api"),
            ("gen_ai.provider.name", "gcp.gemini"),
        ): 1
    }


def test_closes_by_code_and_side(memory: Memory) -> None:
    memory.emit([STARTED, CLOSED])
    [(attributes, point)] = memory.points(Metric.CLOSES)
    assert point.value == 1
    assert attributes == {
        **dict(FLEET),
        "gemini_live.close.code": 1000,
        "gemini_live.close.closed_by": "client",
        "gemini_live.close.clean": True,
    }


def test_go_aways_and_interruptions(memory: Memory) -> None:
    memory.emit([STARTED, GO_AWAY, TURN, replace(TURN, turn=4, interrupted=False)])
    assert memory.sums(Metric.GO_AWAYS) == {FLEET: 1}
    assert memory.sums(Metric.INTERRUPTIONS) == {FLEET: 1}


def test_tool_calls_by_name_and_status_as_far_as_they_were_measured(memory: Memory) -> None:
    failed = replace(TOOL_CALL, latency_ms=250.0, status=ToolStatus.ERROR)
    unanswered = replace(TOOL_CALL, latency_ms=None, status=ToolStatus.UNANSWERED)
    memory.emit([STARTED, TOOL_CALL, TOOL_CALL, failed, unanswered])
    durations = {
        attributes[Attribute.TOOL_STATUS]: (attributes[Attribute.TOOL_NAME], point.count, point.sum)
        for attributes, point in memory.points(Metric.TOOL_DURATION)
    }
    assert durations == {"ok": ("get_weather", 2, 2.0), "error": ("get_weather", 1, 0.25)}


def test_tools_without_end_share_a_name(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "MAX_TOOL_NAMES", 2)
    calls = [replace(TOOL_CALL, name=name) for name in ("a", "b", "invented", "hallucinated", "a")]
    memory.emit([STARTED, *calls])
    counts = {
        attributes[Attribute.TOOL_NAME]: point.count
        for attributes, point in memory.points(Metric.TOOL_DURATION)
    }
    assert counts == {"a": 2, "b": 1, "_OTHER": 2}


def test_the_lag_of_the_loop_is_of_the_process_and_in_seconds(memory: Memory) -> None:
    memory.emitter.instruments.loop_lag(0.03)
    memory.emitter.instruments.loop_lag(0.003)
    [(attributes, lag)] = memory.points(Metric.LOOP_LAG)
    assert (attributes, lag.count, lag.sum) == ({}, 2, 0.033)
    bounds = list(lag.explicit_bounds)
    assert [bounds[index] for index, count in enumerate(lag.bucket_counts) if count] == [0.005, 0.05]


def test_dropped_records_by_reason(memory: Memory) -> None:
    memory.emitter.instruments.dropped(3, DropReason.QUEUE_FULL)
    memory.emitter.instruments.dropped(4, DropReason.QUEUE_FULL)
    memory.emitter.instruments.dropped(1, DropReason.TRUNCATED)
    assert memory.sums(Metric.DROPPED_RECORDS) == {
        ((Attribute.DROPPED_REASON, "queue_full"),): 7,
        ((Attribute.DROPPED_REASON, "truncated"),): 1,
    }


def test_no_metric_names_a_session_a_connection_or_a_user(memory: Memory) -> None:
    memory.emit(FACTS)
    forbidden = {Attribute.SESSION_ID, Attribute.CONNECTION_ID, Attribute.USER_ID, Attribute.EMITTER_ID}
    for metric in Metric:
        memory.emit([STARTED, USAGE, TURN])
        for attributes, _ in memory.points(metric):
            assert not forbidden & set(attributes)
            assert not [name for name in attributes if name.startswith(Attribute.LABEL_PREFIX)]
