"""The emitter: who emitted what, in which order, and what it must not disturb."""

import json
import platform
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from opentelemetry._logs import SeverityNumber
from opentelemetry.context import Context

from livemeter import guard
from livemeter.observer.facts import Identity, TranscriptPiece
from livemeter.settings import Settings
from livemeter.vocabulary import Attribute, ClosedBy, Event
from tests.instrumentation.examples import (
    CLOSED,
    CONNECTION_ID,
    FACTS,
    FRAMES,
    GO_AWAY,
    IDENTITY,
    STARTED,
    TURN,
    USAGE,
    VERTEX,
)
from tests.instrumentation.memory import Memory


def test_every_fact_is_a_record_with_its_event_name_time_and_body(memory: Memory) -> None:
    memory.emit(FACTS)
    assert [record.event_name for record in memory.records] == [
        Event.CONNECTION_STARTED,
        Event.FRAMES,
        Event.FLUSH,
        Event.VOICE_ACTIVITY,
        Event.PHASE,
        Event.EXPECTATION,
        Event.TOOL_CALL,
        Event.USAGE,
        Event.TURN,
        Event.GO_AWAY,
        Event.RESUMPTION,
        Event.OUTCOME,
        Event.CONNECTION_CLOSED,
    ]
    times = [fact.at_ns for fact in FACTS if not isinstance(fact, TranscriptPiece)]
    assert [record.timestamp for record in memory.records] == times
    bodies = {record.event_name: record.body for record in memory.records if record.body}
    assert set(bodies) == {Event.CONNECTION_STARTED, Event.FRAMES, Event.USAGE}
    assert json.loads(str(bodies[Event.FRAMES]))["kind"] == list(FRAMES.kinds)


def test_every_record_says_whose_it_is_and_who_emitted_it(memory: Memory) -> None:
    memory.emit(FACTS)
    for sequence, record in enumerate(memory.records):
        attributes = dict(record.attributes or {})
        assert attributes[Attribute.CONNECTION_ID] == CONNECTION_ID
        assert attributes[Attribute.SESSION_ID] == "lesson-7"
        assert attributes[Attribute.PROVIDER] == "gcp.vertex_ai"
        assert attributes[Attribute.PLATFORM] == "vertex_ai"
        assert attributes[Attribute.MODEL] == "gemini-live-2.5-flash"
        assert attributes[Attribute.SOURCE] == "sdk"
        assert attributes["gemini_live.label.tenant"] == "acme"
        assert attributes[Attribute.EMITTER_SEQ] == sequence
        assert len(str(attributes[Attribute.USER_ID])) == 64
    assert len({str((record.attributes or {})[Attribute.EMITTER_ID]) for record in memory.records}) == 1


def test_records_belong_to_the_connections_span(memory: Memory) -> None:
    memory.emit(FACTS)
    root = memory.span("gemini_live.connection").context
    assert root is not None
    assert {(record.trace_id, record.span_id) for record in memory.records} == {(root.trace_id, root.span_id)}


def test_the_session_may_become_known_later(memory: Memory) -> None:
    connection = memory.connection()
    connection.emit(Identity(CONNECTION_ID), [FRAMES])
    connection.emit(Identity("lesson-7", labels={"tenant": "acme"}), [STARTED, GO_AWAY])
    frames, started, go_away = (dict(record.attributes or {}) for record in memory.records)
    assert frames[Attribute.SESSION_ID] == CONNECTION_ID
    assert Attribute.MODEL not in frames
    assert started[Attribute.SESSION_ID] == go_away[Attribute.SESSION_ID] == "lesson-7"
    assert go_away[Attribute.MODEL] == "gemini-live-2.5-flash"


def test_severity_tells_an_abnormal_close(memory: Memory) -> None:
    memory.emit([STARTED, replace(CLOSED, code=1011, reason="Internal error.", closed_by=ClosedBy.SERVER)])
    started, closed = memory.records
    assert (started.severity_number, started.severity_text) == (SeverityNumber.INFO, "INFO")
    assert (closed.severity_number, closed.severity_text) == (SeverityNumber.WARN, "WARN")


def test_versions_of_the_libraries_are_told_once_a_connection(memory: Memory) -> None:
    memory.emit([STARTED, CLOSED])
    started, closed = (dict(record.attributes or {}) for record in memory.records)
    assert {Attribute.SDK_VERSION, Attribute.WEBSOCKETS_VERSION} <= set(started)
    assert started[Attribute.PYTHON_VERSION] == platform.python_version()
    assert started[Attribute.OS_TYPE] == platform.system().lower()
    assert Attribute.SDK_VERSION not in closed


def test_the_framework_and_the_pings_of_a_connection_are_told_when_it_starts(memory: Memory) -> None:
    connection = memory.emitter.connection(
        CONNECTION_ID, VERTEX, Context(), framework_name="livekit-plugins-google", framework_version="1.5.2"
    )
    connection.set_pings(0.0, None)
    connection.emit(IDENTITY, [STARTED])
    [started] = memory.records
    attributes = dict(started.attributes or {})
    assert attributes[Attribute.FRAMEWORK_NAME] == "livekit-plugins-google"
    assert attributes[Attribute.FRAMEWORK_VERSION] == "1.5.2"
    assert attributes[Attribute.PING_INTERVAL_S] == 0.0
    assert Attribute.PING_TIMEOUT_S not in attributes


def test_numbers_are_unique_over_threads(memory: Memory) -> None:
    def talk() -> None:
        for _ in range(50):
            memory.emit([FRAMES])

    threads = [threading.Thread(target=talk) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    numbers = [str((record.attributes or {})[Attribute.EMITTER_SEQ]) for record in memory.records]
    assert sorted(numbers, key=int) == [str(number) for number in range(200)]


def test_a_fact_that_cannot_be_emitted_costs_its_neighbours_nothing(
    memory: Memory, caplog: pytest.LogCaptureFixture
) -> None:
    guard.strict(False)
    broken = replace(TURN, model_speech_ms="long")  # type: ignore[arg-type]
    memory.emit([STARTED, broken, USAGE])
    assert [record.event_name for record in memory.records] == [Event.CONNECTION_STARTED, Event.USAGE]
    assert "emit an event" in caplog.text


def run_python(script: str) -> str:
    command = [sys.executable, "-c", script]
    root = Path(__file__).parents[2]
    return subprocess.run(command, capture_output=True, check=True, text=True, cwd=root).stdout


FORK = """
import json, os, sys
from opentelemetry.context import Context
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.trace import NoOpTracerProvider
from livemeter.emit.emitter import Emitter
from livemeter.settings import Settings
from tests.instrumentation.examples import *

exporter = InMemoryLogRecordExporter()
logger_provider = LoggerProvider(shutdown_on_exit=False)
logger_provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
emitter = Emitter(logger_provider, NoOpTracerProvider(), NoOpMeterProvider(), Settings())

def emitted():
    exporter.clear()
    emitter.connection(CONNECTION_ID, VERTEX, Context()).emit(IDENTITY, [GO_AWAY, GO_AWAY])
    records = [exported.log_record.attributes for exported in exporter.get_finished_logs()]
    return [[a["gemini_live.emitter.id"], a["gemini_live.emitter.seq"]] for a in records]

before = emitted()
reading, writing = os.pipe()
if os.fork() == 0:
    os.write(writing, json.dumps(emitted()).encode())
    os._exit(0)
os.wait()
print(json.dumps([before, json.loads(os.read(reading, 10_000)), emitted()]))
"""


def test_a_forked_process_is_an_emitter_of_its_own() -> None:
    before, child, after = json.loads(run_python(FORK))
    [parent_id] = {emitter_id for emitter_id, _ in before + after}
    [child_id] = {emitter_id for emitter_id, _ in child}
    assert child_id != parent_id
    assert [number for _, number in child] == [0, 1]
    assert [number for _, number in before + after] == [0, 1, 2, 3]


def test_user_ids_are_plain_where_the_settings_say_so(memory: Memory) -> None:
    memory.emitter.settings = Settings(hash_user_ids=False)
    memory.emit([GO_AWAY])
    assert (memory.records[0].attributes or {})[Attribute.USER_ID] == IDENTITY.user_id


@pytest.mark.parametrize("module", ["livemeter.emit.emitter", "livemeter.emit.providers", "livemeter.guard"])
def test_importing_loads_nothing_heavy(module: str) -> None:
    heavy = ("grpc", "google.genai", "websockets", "chdb", "pandas", "numpy", "livemeter_collector")
    script = f"import sys, {module}; print(*(name for name in {heavy!r} if name in sys.modules))"
    assert run_python(script).strip() == ""
