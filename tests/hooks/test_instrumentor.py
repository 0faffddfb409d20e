"""The door for OpenTelemetry's tooling: the class, its entry point, and ``opentelemetry-instrument``."""

import importlib.metadata
import logging
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from google.genai import live, types
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import livemeter
from livemeter.instrumentor import GeminiLiveInstrumentor
from livemeter.settings import Settings
from livemeter.testing import FakeLiveServer
from tests.hooks.conftest import ClientOf
from tests.instrumentation.otlp_server import OtlpServer

MODEL = "gemini-3.8-live"
EVENTS = {"gemini_live.connection.started", "gemini_live.usage", "gemini_live.connection.closed"}
SPANS = {"gemini_live.connection", f"realtime_inference {MODEL}"}

APPLICATION = f"""
import asyncio
from google.genai import Client, types

async def main():
    client = Client(api_key="x")
    async with client.aio.live.connect(model="{MODEL}") as session:
        turn = types.Content(role="user", parts=[types.Part(text="hello")])
        await session.send_client_content(turns=turn, turn_complete=True)
        async for _ in session.receive():
            pass

asyncio.run(main())
"""
WITH_GLOBAL_PROVIDERS = f"""
from opentelemetry import _logs, metrics, trace
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.trace import TracerProvider

import livemeter
from livemeter.instrumentor import GeminiLiveInstrumentor

logs = LoggerProvider()
logs.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(compression=Compression.Gzip)))
_logs.set_logger_provider(logs)
GeminiLiveInstrumentor().instrument(skip_dep_check=True)
{APPLICATION}
"""


@pytest.fixture
def instrumentor() -> Iterator[GeminiLiveInstrumentor]:
    instrumentor = GeminiLiveInstrumentor()
    yield instrumentor
    instrumentor.uninstrument()


async def talk(client_of: ClientOf) -> None:
    turn = types.Content(role="user", parts=[types.Part(text="hello")])
    async with FakeLiveServer() as server, client_of(server) as client:
        async with client.aio.live.connect(model=MODEL) as session:
            await session.send_client_content(turns=turn, turn_complete=True)
            async for _ in session.receive():
                pass


def dial() -> Any:
    return live.ws_connect  # type: ignore[attr-defined]


async def test_given_providers_get_what_is_observed(
    instrumentor: GeminiLiveInstrumentor, client_of: ClientOf
) -> None:
    spans, reader = InMemorySpanExporter(), InMemoryMetricReader()
    logs = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
    tracer_provider = TracerProvider(shutdown_on_exit=False)
    tracer_provider.add_span_processor(SimpleSpanProcessor(spans))
    logger_provider = LoggerProvider(shutdown_on_exit=False)
    logger_provider.add_log_record_processor(SimpleLogRecordProcessor(logs))
    meter_provider = MeterProvider([reader], shutdown_on_exit=False)
    instrumentor.instrument(
        tracer_provider=tracer_provider,
        logger_provider=logger_provider,
        meter_provider=meter_provider,
        skip_dep_check=True,
    )
    await talk(client_of)

    metrics = reader.get_metrics_data()
    assert {log.log_record.event_name for log in logs.get_finished_logs()} >= EVENTS
    assert {span.name for span in spans.get_finished_spans()} >= SPANS
    assert metrics is not None
    assert metrics.resource_metrics
    meter_provider.shutdown()


def test_without_given_providers_the_global_ones_get_it() -> None:
    sink = OtlpServer()
    with sink.running(), FakeLiveServer.running_in_thread() as server:
        run([sys.executable, "-c", WITH_GLOBAL_PROVIDERS], server, sink)

    assert {record.event_name for record in sink.log_records} >= EVENTS


def test_instrumenting_twice_is_once_and_uninstrumenting_puts_back_what_was_there() -> None:
    original = dial()
    GeminiLiveInstrumentor().instrument()
    observed = dial()
    GeminiLiveInstrumentor().instrument()
    assert dial() is observed is not original
    GeminiLiveInstrumentor().uninstrument()
    GeminiLiveInstrumentor().uninstrument(anything=True)

    assert dial() is original


def test_switched_off_it_touches_nothing(
    instrumentor: GeminiLiveInstrumentor, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = dial()
    monkeypatch.setenv("LIVEMETER_ENABLED", "false")
    instrumentor.instrument()

    assert dial() is original


def test_a_setting_that_cannot_be_understood_is_one_warning_and_no_error(
    instrumentor: GeminiLiveInstrumentor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    original = dial()
    monkeypatch.setenv("LIVEMETER_FRAMES_INTERVAL_MS", "soon")
    instrumentor.instrument()

    assert dial() is original
    [record] = [record for record in caplog.records if record.name == "livemeter"]
    assert record.levelno == logging.WARNING
    assert "LIVEMETER_FRAMES_INTERVAL_MS" in record.getMessage()


def test_without_google_genai_it_is_one_warning_and_no_error(
    instrumentor: GeminiLiveInstrumentor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "google.genai", None)
    instrumentor.instrument()

    [record] = [record for record in caplog.records if record.name == "livemeter"]
    assert "google-genai is not installed" in record.getMessage()


def test_the_entry_point_leads_to_the_class() -> None:
    [entry_point] = importlib.metadata.entry_points(group="opentelemetry_instrumentor", name="gemini_live")

    assert entry_point.load() is GeminiLiveInstrumentor


def test_what_it_instruments_is_what_the_extra_of_that_name_installs() -> None:
    requirements = importlib.metadata.requires("livemeter") or []
    extra = [
        text.partition(";")[0] for text in requirements if text.endswith(("'instruments'", '"instruments"'))
    ]

    dependencies = GeminiLiveInstrumentor().instrumentation_dependencies()
    assert [text.replace(" ", "") for text in dependencies] == [text.replace(" ", "") for text in extra]


@pytest.mark.skipif(
    shutil.which("opentelemetry-instrument", path=str(Path(sys.executable).parent)) is None,
    reason="NOT TESTED: opentelemetry-instrument; needs opentelemetry-distro beside the other requirements",
)
def test_opentelemetry_instrument_observes_an_application_that_knows_nothing_of_it(tmp_path: Path) -> None:
    application = tmp_path / "application.py"
    application.write_text(APPLICATION)
    tool = Path(sys.executable).with_name("opentelemetry-instrument")
    sink = OtlpServer()
    with sink.running(), FakeLiveServer.running_in_thread() as server:
        errors = run([str(tool), sys.executable, str(application)], server, sink)

    assert errors == ""
    assert {record.event_name for record in sink.log_records} >= EVENTS
    assert set(sink.span_names) >= SPANS
    assert "gemini_live.connection.closes" in sink.metric_names
    assert {resource["service.name"] for resource in sink.resources} == {"application"}


# The page that tells of all this.

PAGE = (Path(__file__).parents[2] / "docs" / "instrumentation.md").read_text("utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(
    ("shown", "rest"),
    [
        ("livemeter.auto", APPLICATION),
        ("livemeter.instrument(", APPLICATION),
        (
            "livemeter.observe(",
            "import asyncio, os\n"
            "base = os.environ['GOOGLE_GEMINI_BASE_URL'].replace('https', 'wss')\n"
            "assert asyncio.run(talk(f'{base}/ws/BidiGenerateContent', {})) > 0\n",
        ),
    ],
)
def test_what_the_page_shows_observes(shown: str, rest: str) -> None:
    [block] = [block for block in BLOCKS if shown in block]
    sink = OtlpServer()
    with sink.running(), FakeLiveServer.running_in_thread() as server:
        run([sys.executable, "-c", f"{block}\n{rest}"], server, sink)

    assert {record.event_name for record in sink.log_records} >= EVENTS


def test_every_setting_and_name_that_the_page_shows_exists() -> None:
    variables = {name for setting in fields(Settings) for name in setting.metadata["environment"]}
    shown = set(re.findall(r"\bLIVEMETER_\w+", PAGE))
    names = set(re.findall(r"\blivemeter\.([a-z_]+)\(", PAGE))

    assert shown
    assert shown <= variables
    assert names
    assert names <= set(livemeter.__all__)


def run(command: list[str], server: FakeLiveServer, sink: OtlpServer) -> str:
    """Run an application against the fake server, exporting to the sink; returns what it complained of."""
    environment = {
        **os.environ,
        **server.environment(),
        "OTEL_EXPORTER_OTLP_ENDPOINT": sink.endpoint,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
        "OTEL_SERVICE_NAME": "application",
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
    }
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True, timeout=60)
    return done.stderr
