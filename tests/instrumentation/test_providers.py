"""Private providers against a real server: what arrives, and what happens when nothing answers."""

import json
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import _logs, metrics, trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http import Compression

from livemeter.emit import providers as module
from livemeter.emit.emitter import Emitter
from livemeter.emit.link import CollectorLink, SignalLink
from livemeter.emit.providers import Providers, exporter_options, private_providers
from livemeter.observer.facts import Identity
from livemeter.settings import Settings, SettingsError
from livemeter.vocabulary import Event, Metric
from tests.instrumentation.examples import (
    CLOSED,
    CONNECTION_ID,
    FACTS,
    FRAMES,
    GO_AWAY,
    IDENTITY,
    STARTED,
    VERTEX,
)
from tests.instrumentation.otlp_server import OtlpServer, attributes_of

EVENTS = len(FACTS) - 1
"""Events of one of every fact: a transcript is content, and content is off."""

LATER_MS = 3_600_000
FLUSH_MS = 30_000


@pytest.fixture
def server() -> Iterator[OtlpServer]:
    with OtlpServer().running() as running:
        yield running


@pytest.fixture
def refused_endpoint() -> Iterator[str]:
    """An address that nobody listens on, and that nobody else gets meanwhile."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture(autouse=True)
def no_opentelemetry_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith(("OTEL_", "LIVEMETER_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


def settings(endpoint: str) -> Settings:
    """Settings under which nothing is exported until somebody asks."""
    return Settings(endpoint=endpoint, export_interval_ms=LATER_MS, metric_interval_ms=LATER_MS)


def emitter(providers: Providers) -> Emitter:
    return Emitter(providers.logger, providers.tracer, providers.meter, Settings())


def emit(providers: Providers) -> None:
    emitter(providers).connection(CONNECTION_ID, VERTEX, Context()).emit(IDENTITY, FACTS)


def messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.INFO]


# What arrives.


@pytest.mark.parametrize(
    ("endpoint", "compression"),
    [
        ("http://127.0.0.1:4318", Compression.NoCompression),
        ("http://localhost:4318", Compression.NoCompression),
        ("https://collector.example", Compression.Gzip),
        ("http://10.0.0.7:4318", Compression.Gzip),
    ],
)
def test_what_leaves_this_machine_is_packed(endpoint: str, compression: Compression) -> None:
    link = SignalLink(CollectorLink("c"), "logs")
    assert exporter_options(settings(endpoint), "logs", link)["compression"] is compression


def test_a_redirection_is_a_failure(server: OtlpServer) -> None:
    """The SDK's exporters take it for a success."""
    server.status, server.headers = 302, {"location": f"{server.endpoint}/elsewhere"}
    providers = private_providers(settings(server.endpoint))
    emit(providers)
    assert not providers.force_flush(FLUSH_MS)
    assert not providers.link.is_up
    providers.shutdown(0)


def test_all_three_signals_arrive_as_protobuf(server: OtlpServer) -> None:
    providers = private_providers(settings(server.endpoint))
    emit(providers)
    assert providers.force_flush(FLUSH_MS)
    assert [record.event_name for record in server.log_records][:2] == [
        Event.CONNECTION_STARTED,
        Event.FRAMES,
    ]
    assert len(server.log_records) == EVENTS
    assert "gemini_live.connection" in server.span_names
    assert server.metric_names == set(Metric) - {Metric.LOOP_LAG, Metric.DROPPED_RECORDS}
    assert {request.headers["content-type"] for request in server.requests} == {"application/x-protobuf"}
    assert providers.shutdown(FLUSH_MS)


def test_shutdown_exports_what_waits(server: OtlpServer) -> None:
    providers = private_providers(settings(server.endpoint))
    emit(providers)
    assert providers.shutdown(FLUSH_MS)
    assert len(server.log_records) == EVENTS
    assert server.span_names
    assert server.metric_names
    assert providers.shutdown(FLUSH_MS)
    assert not providers.force_flush(FLUSH_MS)


def test_the_resource_says_which_service_it_is(server: OtlpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "tutor")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
    providers = private_providers(settings(server.endpoint))
    emit(providers)
    providers.shutdown(FLUSH_MS)
    resource = server.resources[0]
    assert resource["service.name"] == "tutor"
    assert resource["deployment.environment.name"] == "test"
    assert resource["telemetry.distro.name"] == "livemeter"


def test_global_providers_stay_unset(server: OtlpServer) -> None:
    before = trace.get_tracer_provider(), _logs.get_logger_provider(), metrics.get_meter_provider()
    providers = private_providers(settings(server.endpoint))
    emit(providers)
    assert (trace.get_tracer_provider(), _logs.get_logger_provider(), metrics.get_meter_provider()) == before
    providers.shutdown(FLUSH_MS)


def test_length_and_count_limits_of_the_environment_cut_nothing_of_ours(
    server: OtlpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ATTRIBUTE", "LOGRECORD_ATTRIBUTE", "SPAN_ATTRIBUTE"):
        monkeypatch.setenv(f"OTEL_{name}_VALUE_LENGTH_LIMIT", "20")
        monkeypatch.setenv(f"OTEL_{name}_COUNT_LIMIT", "5")
    providers = private_providers(settings(server.endpoint))
    many = replace(FRAMES, kinds=("audio",) * 1000, offsets_ms=(20,) * 1000)
    hint = "a hint of more than twenty characters"
    identity = Identity("lesson-7", labels={f"label {number}": hint for number in range(150)})
    emitter(providers).connection(CONNECTION_ID, VERTEX, Context()).emit(identity, [STARTED, many, CLOSED])
    providers.shutdown(FLUSH_MS)
    [started, frames, closed] = server.log_records
    assert len(json.loads(frames.body.string_value)["kind"]) == 1000
    told: list[Any] = [started, frames, closed, *server.spans]
    for one in told:
        attributes = attributes_of(one)
        labels = [value for name, value in attributes.items() if name.startswith("gemini_live.label.")]
        assert labels == [hint] * 150
        assert attributes["gemini_live.connection.id"] == CONNECTION_ID
        assert one.dropped_attributes_count == 0


def test_the_applications_sampling_and_batching_is_its_own(
    server: OtlpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    monkeypatch.setenv("OTEL_BLRP_MAX_QUEUE_SIZE", "1")
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "1")
    providers = private_providers(settings(server.endpoint))
    emit(providers)
    providers.shutdown(FLUSH_MS)
    assert len(server.log_records) == EVENTS
    assert len(server.span_names) == 4


def test_a_disabled_sdk_exports_nothing(server: OtlpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    providers = private_providers(settings(server.endpoint))
    emit(providers)
    assert providers.force_flush(FLUSH_MS)
    assert providers.shutdown(FLUSH_MS)
    assert server.requests == []


def test_a_bad_endpoint_is_a_settings_error() -> None:
    with pytest.raises(SettingsError, match="LIVEMETER_ENDPOINT"):
        private_providers(Settings(endpoint="collector:4318"))


# Headers.


def test_own_headers_go_along(server: OtlpServer) -> None:
    providers = private_providers(replace(settings(server.endpoint), headers={"x-token": "mine"}))
    emit(providers)
    providers.shutdown(FLUSH_MS)
    assert {request.headers.get("x-token") for request in server.requests} == {"mine"}


@pytest.mark.parametrize("is_general", [False, True])
def test_headers_of_the_general_endpoint_go_to_it_alone(
    server: OtlpServer, monkeypatch: pytest.MonkeyPatch, is_general: bool
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "Api-Key=vendor-secret")
    monkeypatch.setenv(
        "OTEL_EXPORTER_OTLP_ENDPOINT", f"{server.endpoint}/" if is_general else "https://vendor"
    )
    providers = private_providers(settings(server.endpoint))
    emit(providers)
    providers.shutdown(FLUSH_MS)
    expected = "vendor-secret" if is_general else None
    assert {request.headers.get("api-key") for request in server.requests} == {expected}


def test_an_own_header_wins_over_a_general_one(server: OtlpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-token=theirs")
    providers = private_providers(replace(settings(server.endpoint), headers={"X-Token": "mine"}))
    emit(providers)
    providers.shutdown(FLUSH_MS)
    assert {request.headers.get("x-token") for request in server.requests} == {"mine"}


def test_a_collector_on_this_machine_is_not_reached_through_a_proxy(
    server: OtlpServer, monkeypatch: pytest.MonkeyPatch, refused_endpoint: str
) -> None:
    monkeypatch.setenv("http_proxy", refused_endpoint)
    providers = private_providers(settings(server.endpoint))
    emit(providers)
    assert providers.shutdown(FLUSH_MS)
    assert len(server.log_records) == EVENTS


# When nothing answers.


def test_a_refusal_is_told_once_and_the_return_once(
    server: OtlpServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.status = 401
    providers = private_providers(settings(server.endpoint))
    for _ in range(3):
        emit(providers)
        assert not providers.force_flush(FLUSH_MS)
    [warning] = messages(caplog)
    assert server.endpoint in warning
    assert "HTTP 401" in warning
    server.status = 200
    for _ in range(2):
        emit(providers)
        assert providers.force_flush(FLUSH_MS)
    assert len(messages(caplog)) == 2
    assert "again" in messages(caplog)[1]
    providers.shutdown(FLUSH_MS)


def test_an_absent_collector_is_one_line(
    refused_endpoint: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "EXPORT_TIMEOUT_S", 0.2)
    providers = private_providers(settings(refused_endpoint))
    for _ in range(2):
        emit(providers)
        assert not providers.force_flush(FLUSH_MS)
    providers.shutdown(FLUSH_MS)
    [warning] = messages(caplog)
    assert "ConnectionError" in warning


def test_a_collector_that_comes_and_goes_is_one_line_too(
    server: OtlpServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    providers = private_providers(settings(server.endpoint))
    for status in (404, 200, 404, 200):
        server.status = status
        emit(providers)
        assert providers.force_flush(FLUSH_MS) is (status == 200)
    assert len(messages(caplog)) == 2
    providers.shutdown(FLUSH_MS)


def test_a_full_queue_is_one_line(
    server: OtlpServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_QUEUED_RECORDS", 2)
    monkeypatch.setattr(module, "MAX_BATCH", 2)
    server.hold()
    providers = private_providers(settings(server.endpoint))
    connection = emitter(providers).connection(CONNECTION_ID, VERTEX, Context())
    connection.emit(IDENTITY, [STARTED, *(GO_AWAY for _ in range(50))])
    [warning] = messages(caplog)
    assert "queue full" in warning
    server.released.set()
    providers.shutdown(FLUSH_MS)


def test_other_exporters_stay_as_loud_as_they_were(
    server: OtlpServer, caplog: pytest.LogCaptureFixture
) -> None:
    providers = private_providers(settings(server.endpoint))
    logging.getLogger("opentelemetry.exporter.otlp.proto.http._log_exporter").error("another exporter's")
    assert messages(caplog) == ["another exporter's"]
    providers.shutdown(FLUSH_MS)


# Processes.


def run_python(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        check=True,
        text=True,
        env={**os.environ, **environment},
        cwd=Path(__file__).parents[2],
    )


LEAVE = """
import atexit
from tests.instrumentation.test_providers import *
providers = private_providers(Settings.from_environment())
atexit.register(providers.shutdown)
emit(providers)
print("left")
"""


def test_a_process_that_ends_exports_what_waits(server: OtlpServer) -> None:
    run_python(LEAVE, LIVEMETER_ENDPOINT=server.endpoint)
    assert len(server.log_records) == EVENTS


FORK = """
import os
from tests.instrumentation.test_providers import *
providers = private_providers(settings(os.environ["LIVEMETER_ENDPOINT"]))
emit(providers)
assert providers.force_flush(FLUSH_MS)
child = os.fork()
if child:
    # One after the other, so that the server sees the parent, the child, the parent.
    assert os.waitpid(child, 0)[1] == 0
emit(providers)
assert providers.shutdown(FLUSH_MS)
if not child:
    os._exit(0)
"""


def test_a_forked_process_exports_over_connections_of_its_own(server: OtlpServer) -> None:
    run_python(FORK, LIVEMETER_ENDPOINT=server.endpoint)
    assert len(server.log_records) == 3 * EVENTS
    parent, child, again = (request.connection for request in server.requests if request.path == "/v1/logs")
    assert child != parent
    assert again == parent
