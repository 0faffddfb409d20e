import asyncio
import contextlib
import struct
import tracemalloc
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

from livemeter_collector.ingest.request import RefusedError
from livemeter_collector.receive.grpc import GrpcLimits
from livemeter_collector.receive.schema import SERVICES
from livemeter_collector.store.contract import Signal
from tests.collector.doors import LIMIT_BYTES, Recorder, grpc_door
from tests.collector.memory_store import until


@dataclass
class Receiver:
    """A real server on a real port, and a raw gRPC client for it."""

    recorder: Recorder
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
    recorder = Recorder()
    async with grpc_door(recorder) as port:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield Receiver(recorder, port, channel)


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
    assert sorted(receiver.recorder.names) == ["a log", "a span", "a.metric"]
    assert {signal for signal, _ in receiver.recorder.taken} == set(Signal)


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
    receiver.recorder.answers = [RefusedError("the store is away")]
    await asyncio.to_thread(_send_one_log, f"http://127.0.0.1:{receiver.port}")
    assert receiver.recorder.names == ["again"]
    assert receiver.recorder.calls == 2


def _send_one_log(endpoint: str) -> None:
    logging = LoggerProvider()
    logging.add_log_record_processor(SimpleLogRecordProcessor(OTLPLogExporter(endpoint)))
    logging.get_logger("test").emit(body="again")
    logging.shutdown()


async def test_success_is_an_empty_response_without_partial_success(receiver: Receiver) -> None:
    answer = ExportLogsServiceResponse.FromString(await receiver.export(logs_body("a")))
    assert not answer.HasField("partial_success")
    assert receiver.recorder.names == ["a"]


async def test_an_empty_request_succeeds(receiver: Receiver) -> None:
    for signal in Signal:
        assert await receiver.export(b"", signal) == b""
    assert [request.records for _, request in receiver.recorder.taken] == [0, 0, 0]


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
    assert receiver.recorder.names[-1] == "after"


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
async def test_a_message_over_the_limit_is_exhausted_without_a_retry_hint(
    receiver: Receiver, compression: grpc.Compression
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await receiver.export(bytes(50 * LIMIT_BYTES), compression=compression)
    assert failure.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "google.rpc.retryinfo-bin" not in trailers_of(failure.value)


async def test_a_store_that_is_away_is_unavailable_with_a_short_hint(receiver: Receiver) -> None:
    receiver.recorder.answers = [RefusedError("the store is away")]
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


async def test_a_client_that_gives_up_does_no_harm(receiver: Receiver) -> None:
    receiver.recorder.gate.clear()
    method = receiver.method(Signal.LOGS)
    call = method(logs_body("given up"))
    await until(lambda: receiver.recorder.calls == 1)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    receiver.recorder.gate.set()
    await receiver.export(logs_body("last"))
    # Whether the server knew in time that nobody waits any more is the network's affair.
    assert receiver.recorder.names in (["last"], ["given up", "last"])


async def test_other_methods_are_unimplemented(receiver: Receiver) -> None:
    method = receiver.method(Signal.LOGS, "Import")
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await method(b"")
    assert failure.value.code() is grpc.StatusCode.UNIMPLEMENTED


# Bounds. Each with a limit small enough to be met at once; how long it took is asked nowhere.

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = bytes.fromhex("000000040000000000")
PING = bytes.fromhex("000008060000000000") + b"pingpong"
GOAWAY, SETTINGS_TYPE = 7, 4
ENHANCE_YOUR_CALM = 11
MAX_CONCURRENT_STREAMS = 3


async def frames_until_the_end(reader: asyncio.StreamReader) -> list[tuple[int, bytes]]:
    """Read HTTP/2 frames (type, payload) until the server hangs up."""
    frames: list[tuple[int, bytes]] = []
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionResetError):
        async with asyncio.timeout(30):
            while True:
                head = await reader.readexactly(9)
                frames.append((head[3], await reader.readexactly(int.from_bytes(head[:3]))))
    return frames


async def test_a_connection_that_never_speaks_http_2_is_closed() -> None:
    async with grpc_door(Recorder(), limits=GrpcLimits(handshake_s=0.3)) as port:
        for begin in (b"", PREFACE[:10]):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(begin)
            await frames_until_the_end(reader)
            assert reader.at_eof() or reader.exception()
            writer.transport.abort()


async def test_a_message_that_never_comes_has_a_deadline() -> None:
    recorder = Recorder()
    async with grpc_door(recorder, limits=GrpcLimits(body_s=0.3)) as port:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            stream = channel.stream_unary(f"/{SERVICES[Signal.LOGS]}/Export", None, None)
            call = stream(_never(), timeout=30)
            assert await call.code() is grpc.StatusCode.DEADLINE_EXCEEDED
            assert await call.details() == "the request came too slowly"
            await channel.unary_unary(f"/{SERVICES[Signal.LOGS]}/Export", None, None)(
                logs_body("a"), timeout=10
            )
    assert (recorder.names, recorder.malformed) == (["a"], [])


async def _never() -> AsyncIterator[bytes]:
    await asyncio.Event().wait()
    yield b""


async def test_a_call_without_a_message_is_an_invalid_argument(receiver: Receiver) -> None:
    stream = receiver.channel.stream_unary(f"/{SERVICES[Signal.LOGS]}/Export", None, None)
    assert await stream(iter(()), timeout=10).code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_connections_beyond_the_bound_are_closed_and_room_is_made_again() -> None:
    recorder = Recorder()
    async with grpc_door(recorder, limits=GrpcLimits(connections=2)) as port:
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        for reader, writer in held:
            writer.write(PREFACE + SETTINGS)
            assert await reader.readexactly(9)
        for _ in range(20):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            assert await frames_until_the_end(reader) == []
            writer.transport.abort()
        for _, writer in held:
            writer.transport.abort()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            export = channel.unary_unary(f"/{SERVICES[Signal.LOGS]}/Export", None, None)
            await export(logs_body("a"), timeout=20, wait_for_ready=True)
    assert recorder.names == ["a"]


async def test_who_pings_without_end_is_cut_off() -> None:
    async with grpc_door(Recorder()) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(PREFACE + SETTINGS + 50 * PING)
        frames = await frames_until_the_end(reader)
        writer.transport.abort()
    reasons = [int.from_bytes(payload[4:8]) for kind, payload in frames if kind == GOAWAY]
    assert reasons[-1:] == [ENHANCE_YOUR_CALM]


async def test_the_calls_of_one_connection_are_bounded_and_none_is_lost() -> None:
    """A client keeps back what is more than the server said; what comes nevertheless may come again."""
    recorder = Recorder()
    async with grpc_door(recorder, limits=GrpcLimits(streams=3)) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(PREFACE + SETTINGS)
        head = await reader.readexactly(9)
        said = await reader.readexactly(int.from_bytes(head[:3]))
        writer.transport.abort()
        pairs = dict(struct.iter_unpack(">HI", said))
        assert (head[3], pairs[MAX_CONCURRENT_STREAMS]) == (SETTINGS_TYPE, 3)
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            export = channel.unary_unary(f"/{SERVICES[Signal.LOGS]}/Export", None, None)
            await export(b"", timeout=20)
            recorder.gate.clear()
            calls = [asyncio.create_task(_outcome(export, str(number))) for number in range(10)]
            await until(lambda: recorder.calls == 1 + 3)
            recorder.gate.set()
            outcomes = dict(await asyncio.gather(*calls))
    assert set(outcomes.values()) <= {grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE}
    taken = [name for name, code in outcomes.items() if code is grpc.StatusCode.OK]
    assert len(taken) >= 3
    assert set(taken) == set(recorder.names)


async def _outcome(
    export: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes], name: str
) -> tuple[str, grpc.StatusCode]:
    call = export(logs_body(name), timeout=20)
    return name, await call.code()


async def test_messages_share_a_bound_and_what_is_over_it_comes_again() -> None:
    """A message is held from its arrival until it is kept; an empty room takes any size."""
    recorder = Recorder()
    limits = GrpcLimits(held_bytes=50_000)
    large, small = logs_body("x" * 60_000), logs_body("y" * 1_000)
    async with grpc_door(recorder, limits=limits) as port:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            receiver = Receiver(recorder, port, channel)
            recorder.gate.clear()
            waiting = asyncio.ensure_future(receiver.export(large))
            await until(lambda: recorder.calls == 1)
            for signal in Signal:
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await receiver.export(small, signal)
                assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
                hint = RetryInfo.FromString(trailers_of(caught.value)["google.rpc.retryinfo-bin"])
                assert 0 < hint.retry_delay.seconds <= 2
            assert recorder.calls == 1
            recorder.gate.set()
            await waiting
            await receiver.export(small)
    assert [len(request.body) for _, request in recorder.taken] == [len(large), len(small)]


async def test_headers_over_the_bound_are_refused(receiver: Receiver) -> None:
    call = receiver.method(Signal.LOGS)
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await call(logs_body("a"), metadata=(("x-large", "x" * 40_000),), timeout=10)
    assert failure.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    await receiver.export(logs_body("b"))
    assert receiver.recorder.names == ["b"]


async def test_a_connection_does_not_live_for_ever_and_its_client_does_not_notice() -> None:
    recorder = Recorder()
    async with grpc_door(recorder, limits=GrpcLimits(age_s=0.3, body_s=0.3)) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(PREFACE + SETTINGS)
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            export = channel.unary_unary(f"/{SERVICES[Signal.LOGS]}/Export", None, None)
            await export(logs_body("first"), timeout=20)
            assert any(kind == GOAWAY for kind, _ in await frames_until_the_end(reader))
            await export(logs_body("second"), timeout=20)
        writer.transport.abort()
    assert recorder.names == ["first", "second"]


@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.Deflate])
async def test_bombs_are_exhausted_and_never_take_their_size(
    receiver: Receiver, compression: grpc.Compression
) -> None:
    bomb = bytes(50_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await receiver.export(bomb, compression=compression)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert failure.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert peak_bytes < 10 * LIMIT_BYTES + 1_000_000
    assert len(receiver.recorder.malformed) == 1


@pytest.mark.parametrize("compression", list(grpc.Compression))
async def test_every_compression_of_grpc_is_read(receiver: Receiver, compression: grpc.Compression) -> None:
    body = logs_body(*(str(number) for number in range(100)))
    await receiver.export(body, compression=compression)
    assert receiver.recorder.body(Signal.LOGS) == body
