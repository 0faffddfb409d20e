import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import cast

import grpc
import grpc.aio
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from livemeter_collector.ingest.lane import Limits
from livemeter_collector.ingest.writer import Writer
from livemeter_collector.receive.grpc import create_otlp_server
from livemeter_collector.receive.schema import SERVICES
from livemeter_collector.store.contract import Signal
from tests.collector.memory_store import POISON, MemoryStore, until

LIMIT_BYTES = 100_000


@dataclass
class Receiver:
    """A real server on a real port, and a raw gRPC client for it."""

    store: MemoryStore
    writer: Writer
    port: int
    channel: grpc.aio.Channel

    def method(self, signal: Signal, name: str = "Export") -> grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]:
        """A method of a signal's service, from bytes to bytes."""
        return self.channel.unary_unary(f"/{SERVICES[signal]}/{name}", None, None)

    async def export(
        self, body: bytes, signal: Signal = Signal.LOGS, compression: grpc.Compression | None = None
    ) -> bytes:
        return await self.method(signal)(body, timeout=10, compression=compression)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    store = MemoryStore()
    writer = Writer(store, Limits(window_s=0.01, retry_for_s=0))
    writer.start()
    server = create_otlp_server(writer, LIMIT_BYTES)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield Receiver(store, writer, port, channel)
    store.gate.set()
    await server.stop(5)
    await writer.stop(drain=True, timeout_s=5)


def trailers_of(error: grpc.aio.AioRpcError) -> dict[str, bytes]:
    """Read the trailing metadata, which really comes as pairs."""
    return dict(cast(Iterable[tuple[str, bytes]], error.trailing_metadata()))


def logs_body(*names: str) -> bytes:
    request = ExportLogsServiceRequest()
    scope = request.resource_logs.add().scope_logs.add()
    for name in names:
        scope.log_records.add().body.string_value = name
    return request.SerializeToString()


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
async def test_the_python_sdk_delivers_all_three_signals(
    receiver: Receiver, compression: grpc.Compression
) -> None:
    await asyncio.to_thread(_send_with_sdk, f"http://127.0.0.1:{receiver.port}", compression)
    assert sorted(receiver.store.names) == ["a log", "a span", "a.metric"]
    assert {signal for signal, _ in receiver.store.inserts} == set(Signal)


def _send_with_sdk(endpoint: str, compression: grpc.Compression) -> None:
    tracing = TracerProvider()
    tracing.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(endpoint, compression=compression)))
    tracing.get_tracer("test").start_span("a span").end()
    tracing.shutdown()
    logging = LoggerProvider()
    logging.add_log_record_processor(
        SimpleLogRecordProcessor(OTLPLogExporter(endpoint, compression=compression))
    )
    logging.get_logger("test").emit(body="a log")
    logging.shutdown()
    reader = PeriodicExportingMetricReader(OTLPMetricExporter(endpoint, compression=compression))
    metering = MeterProvider([reader])
    metering.get_meter("test").create_counter("a.metric").add(1)
    metering.shutdown()


async def test_the_python_sdk_comes_again_after_a_refusal(receiver: Receiver) -> None:
    receiver.store.failures = ["before"]
    await asyncio.to_thread(_send_one_log, f"http://127.0.0.1:{receiver.port}")
    assert receiver.store.names == ["again"]
    assert receiver.writer.counters()[Signal.LOGS].refused.requests == 1


def _send_one_log(endpoint: str) -> None:
    logging = LoggerProvider()
    logging.add_log_record_processor(SimpleLogRecordProcessor(OTLPLogExporter(endpoint)))
    logging.get_logger("test").emit(body="again")
    logging.shutdown()


async def test_success_is_an_empty_response_without_partial_success(receiver: Receiver) -> None:
    answer = ExportLogsServiceResponse.FromString(await receiver.export(logs_body("a")))
    assert not answer.HasField("partial_success")
    assert receiver.store.names == ["a"]


async def test_an_empty_request_succeeds(receiver: Receiver) -> None:
    for signal in Signal:
        assert await receiver.export(b"", signal) == b""
    assert receiver.store.inserts == []


async def test_malformed_bytes_are_an_invalid_argument_with_a_reason(receiver: Receiver) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await receiver.export(logs_body("a")[:-1])
    assert failure.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "ExportLogsServiceRequest" in (failure.value.details() or "")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=100))
async def test_random_bytes_are_taken_or_refused_and_never_break_the_server(
    receiver: Receiver, body: bytes
) -> None:
    try:
        await receiver.export(body)
    except grpc.aio.AioRpcError as error:
        code = error.code()
    else:
        code = grpc.StatusCode.OK
    assert code in {grpc.StatusCode.OK, grpc.StatusCode.INVALID_ARGUMENT}
    await receiver.export(logs_body("after"))
    assert receiver.store.names[-1] == "after"


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
async def test_a_message_over_the_limit_is_exhausted_without_a_retry_hint(
    receiver: Receiver, compression: grpc.Compression
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await receiver.export(bytes(50 * LIMIT_BYTES), compression=compression)
    assert failure.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "google.rpc.retryinfo-bin" not in trailers_of(failure.value)


async def test_a_store_that_is_away_is_unavailable_with_a_short_hint(receiver: Receiver) -> None:
    receiver.store.failures = ["before"]
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await receiver.export(logs_body("a"))
    assert failure.value.code() is grpc.StatusCode.UNAVAILABLE
    trailers = trailers_of(failure.value)
    hint = RetryInfo.FromString(trailers["google.rpc.retryinfo-bin"])
    assert 0 < hint.retry_delay.seconds <= 2
    status = Status.FromString(trailers["grpc-status-details-bin"])
    unpacked = RetryInfo()
    assert status.details[0].Unpack(unpacked)
    assert (status.code, unpacked) == (grpc.StatusCode.UNAVAILABLE.value[0], hint)


async def test_a_poisoned_request_is_refused_while_its_neighbours_are_stored(receiver: Receiver) -> None:
    receiver.store.gate.clear()
    bodies = [logs_body(name) for name in ("first", "a", POISON, "b")]
    exports = [asyncio.create_task(receiver.export(bodies[0]))]
    await until(lambda: receiver.store.calls == 1)
    exports += [asyncio.create_task(receiver.export(body)) for body in bodies[1:]]
    await until(lambda: receiver.writer.held_bytes == len(b"".join(bodies)))
    receiver.store.gate.set()
    results = await asyncio.gather(*exports, return_exceptions=True)
    assert [result for result in results if isinstance(result, bytes)] == [b"", b"", b""]
    refused = results[2]
    assert isinstance(refused, grpc.aio.AioRpcError)
    assert refused.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "poisoned" in (refused.details() or "")
    assert sorted(receiver.store.names) == ["a", "b", "first"]


async def test_a_client_that_gives_up_leaves_the_queue(receiver: Receiver) -> None:
    receiver.store.gate.clear()
    first = asyncio.create_task(receiver.export(logs_body("first")))
    await until(lambda: receiver.store.calls == 1)
    held_bytes = receiver.writer.held_bytes
    method = receiver.method(Signal.LOGS)
    with pytest.raises(grpc.aio.AioRpcError):
        await method(logs_body("given up"), timeout=0.2)
    await until(lambda: receiver.writer.held_bytes == held_bytes)
    receiver.store.gate.set()
    await first
    await receiver.export(logs_body("last"))
    assert receiver.store.names == ["first", "last"]


async def test_other_methods_are_unimplemented(receiver: Receiver) -> None:
    method = receiver.method(Signal.LOGS, "Import")
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await method(b"")
    assert failure.value.code() is grpc.StatusCode.UNIMPLEMENTED
