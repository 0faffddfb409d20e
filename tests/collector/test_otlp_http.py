import asyncio
import contextlib
import gzip
import json
import sys
import tracemalloc
import zlib
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace

import pytest
from google.rpc.code_pb2 import INVALID_ARGUMENT, NOT_FOUND, RESOURCE_EXHAUSTED, UNAVAILABLE
from google.rpc.status_pb2 import Status
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from starlette.types import Receive, Scope, Send

from livemeter_collector.ingest.request import RefusedError
from livemeter_collector.listen import HttpLimits
from livemeter_collector.receive.decode import JSON, PROTOBUF
from livemeter_collector.receive.http import create_otlp_app
from livemeter_collector.store.contract import Signal
from tests.collector.doors import LIMIT_BYTES, Answer, HttpDoor, Recorder, http_door
from tests.collector.memory_store import until

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PLAIN = "text/plain; charset=utf-8"


@dataclass(frozen=True)
class Receiver:
    """A real server on a real port, a plain HTTP client for it, and what was taken."""

    recorder: Recorder
    door: HttpDoor

    @property
    def port(self) -> int:
        return self.door.port

    async def post(self, path: str, body: bytes, method: str = "POST", **headers: str) -> Answer:
        return await self.door.post(path, body, method, **headers)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    recorder = Recorder()
    async with http_door(create_otlp_app(recorder, LIMIT_BYTES)) as door:
        yield Receiver(recorder, door)


def logs_body(*names: str) -> bytes:
    request = ExportLogsServiceRequest()
    scope = request.resource_logs.add().scope_logs.add()
    for name in names:
        scope.log_records.add().body.string_value = name
    return request.SerializeToString()


def logs_json(record: dict[str, object]) -> bytes:
    return json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}).encode()


@pytest.mark.parametrize("compression", [Compression.NoCompression, Compression.Gzip, Compression.Deflate])
async def test_the_python_sdk_delivers_all_three_signals(
    receiver: Receiver, compression: Compression
) -> None:
    address = f"http://127.0.0.1:{receiver.port}/v1"
    await asyncio.to_thread(_send_with_sdk, address, compression)
    assert sorted(receiver.recorder.names) == ["a log", "a span", "a.metric"]
    assert {signal for signal, _ in receiver.recorder.taken} == set(Signal)


def _send_with_sdk(address: str, compression: Compression) -> None:
    tracing = TracerProvider()
    tracing.add_span_processor(
        SimpleSpanProcessor(OTLPSpanExporter(f"{address}/traces", compression=compression))
    )
    tracing.get_tracer("test").start_span("a span").end()
    tracing.shutdown()
    logging = LoggerProvider()
    logging.add_log_record_processor(
        SimpleLogRecordProcessor(OTLPLogExporter(f"{address}/logs", compression=compression))
    )
    logging.get_logger("test").emit(body="a log")
    logging.shutdown()
    reader = PeriodicExportingMetricReader(OTLPMetricExporter(f"{address}/metrics", compression=compression))
    metering = MeterProvider([reader])
    metering.get_meter("test").create_counter("a.metric").add(1)
    metering.shutdown()


async def test_the_python_sdk_comes_again_after_a_refusal(receiver: Receiver) -> None:
    """The refusal's hint is a second at most, well inside the exporter's deadline."""
    receiver.recorder.answers = [RefusedError("the store is away")]
    await asyncio.to_thread(_send_one_log, f"http://127.0.0.1:{receiver.port}/v1/logs")
    assert receiver.recorder.names == ["again"]
    assert receiver.recorder.calls == 2


def _send_one_log(endpoint: str) -> None:
    logging = LoggerProvider()
    logging.add_log_record_processor(SimpleLogRecordProcessor(OTLPLogExporter(endpoint)))
    logging.get_logger("test").emit(body="again")
    logging.shutdown()


async def test_success_is_answered_in_the_requests_own_form(receiver: Receiver) -> None:
    answer = await receiver.post("/v1/logs", logs_body("a"), content_type=PROTOBUF)
    assert (answer.status, answer.headers["content-type"], answer.body) == (200, PROTOBUF, b"")
    answer = await receiver.post(
        "/v1/logs", logs_json({"body": {"stringValue": "b"}}), content_type="application/json; charset=utf-8"
    )
    assert (answer.status, answer.headers["content-type"], answer.body) == (200, JSON, b"{}")
    assert receiver.recorder.names == ["a", "b"]


@pytest.mark.parametrize(("content_type", "body"), [(PROTOBUF, b""), (JSON, b"{}")])
async def test_an_empty_request_succeeds(receiver: Receiver, content_type: str, body: bytes) -> None:
    for signal in Signal:
        answer = await receiver.post(f"/v1/{signal}", body, content_type=content_type)
        assert answer.status == 200
    assert [request.records for _, request in receiver.recorder.taken] == [0, 0, 0]


async def test_malformed_protobuf_is_a_400_with_a_status_message(receiver: Receiver) -> None:
    answer = await receiver.post("/v1/logs", logs_body("a")[:-1], content_type=PROTOBUF)
    status = Status.FromString(answer.body)
    assert (answer.status, answer.headers["content-type"]) == (400, PROTOBUF)
    assert status.code == INVALID_ARGUMENT
    assert "ExportLogsServiceRequest" in status.message
    assert receiver.recorder.malformed == [(Signal.LOGS, len(logs_body("a")) - 1)]


async def test_malformed_json_is_a_400_with_a_json_status(receiver: Receiver) -> None:
    answer = await receiver.post("/v1/logs", logs_json({"traceId": "bad hex"}), content_type=JSON)
    status = json.loads(answer.body)
    assert (answer.status, answer.headers["content-type"], status["code"]) == (400, JSON, INVALID_ARGUMENT)
    assert "traceId is not a hexadecimal string" in status["message"]


async def test_a_gzip_bomb_is_a_413_and_nothing_is_stored(receiver: Receiver) -> None:
    bomb = gzip.compress(bytes(50_000_000))
    answer = await receiver.post("/v1/logs", bomb, content_type=PROTOBUF, content_encoding="gzip")
    assert (answer.status, Status.FromString(answer.body).code) == (413, RESOURCE_EXHAUSTED)
    assert "retry-after" not in answer.headers
    assert receiver.recorder.taken == []


async def test_a_plain_body_over_the_limit_is_a_413(receiver: Receiver) -> None:
    answer = await receiver.post("/v1/logs", bytes(LIMIT_BYTES + 1), content_type=PROTOBUF)
    assert answer.status == 413


async def test_wrong_types_paths_and_methods_have_their_own_statuses(receiver: Receiver) -> None:
    body = logs_body("a")
    assert (await receiver.post("/v1/logs", body, content_type="text/plain")).status == 415
    assert (await receiver.post("/v1/logs", body)).status == 415
    unread = await receiver.post("/v1/logs", body, content_type=PROTOBUF, content_encoding="br")
    assert (unread.status, unread.headers["content-type"]) == (415, PLAIN)
    assert b"use gzip, deflate or zstd" in unread.body
    assert (await receiver.post("/v1/logs/", body, content_type=PROTOBUF)).status == 404
    for method in ("GET", "PUT", "OPTIONS"):
        wrong_method = await receiver.post("/v1/logs", b"", method=method)
        assert (wrong_method.status, wrong_method.headers["allow"]) == (405, "POST")
        assert wrong_method.headers["content-type"] == PLAIN
    assert receiver.recorder.taken == []


async def test_a_path_that_is_not_there_is_a_404_in_the_requests_own_form(receiver: Receiver) -> None:
    answer = await receiver.post("/v1/profiles", b"", content_type=PROTOBUF)
    assert (answer.status, Status.FromString(answer.body).code) == (404, NOT_FOUND)
    answer = await receiver.post("/v1/profiles", b"{}", content_type=JSON)
    assert (answer.status, json.loads(answer.body)["code"]) == (404, NOT_FOUND)
    answer = await receiver.post("/", b"", method="GET")
    assert (answer.status, answer.headers["content-type"]) == (404, PLAIN)
    assert b"/v1/traces" in answer.body


@pytest.mark.parametrize("content_type", [PROTOBUF, JSON])
async def test_a_store_that_is_away_is_a_503_with_a_short_hint(receiver: Receiver, content_type: str) -> None:
    receiver.recorder.answers = [RefusedError("the store is away")]
    body = logs_body("a") if content_type == PROTOBUF else logs_json({"body": {"stringValue": "a"}})
    answer = await receiver.post("/v1/logs", body, content_type=content_type)
    assert answer.status == 503
    assert 0 < int(answer.headers["retry-after"]) <= 2
    if content_type == PROTOBUF:
        status = Status.FromString(answer.body)
        assert (status.code, "the store is away" in status.message) == (UNAVAILABLE, True)
    else:
        document = json.loads(answer.body)
        assert (document["code"], document["details"][0]["retryDelay"]) == (UNAVAILABLE, "1s")


async def test_a_client_that_leaves_mid_body_does_no_harm(receiver: Receiver) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", receiver.port)
    writer.write(
        b"POST /v1/logs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-protobuf\r\n"
        b"Content-Length: 1000\r\n\r\nhalf"
    )
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    assert await reader.read() == b""
    assert (await receiver.post("/v1/logs", logs_body("a"), content_type=PROTOBUF)).status == 200


# Bounds. Each with a limit small enough to be met at once; how long it took is asked nowhere.

PATIENT = HttpLimits(header_s=60, body_s=60, close_s=60)
HEAD = b"POST /v1/logs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-protobuf\r\n"


async def read_to_the_end(port: int, *sent: bytes, trickle: bytes = b"") -> bytes:
    """Send, then trickle byte by byte without end until the server hangs up; returns what it said."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for part in sent:
        writer.write(part)
    answer = asyncio.create_task(reader.read())
    try:
        while not answer.done():
            writer.write(trickle)
            await asyncio.wait({answer}, timeout=0.02)
        return answer.result()
    except ConnectionResetError:
        return b""
    finally:
        writer.transport.abort()


def bounded(recorder: Recorder, limits: HttpLimits) -> AbstractAsyncContextManager[HttpDoor]:
    return http_door(create_otlp_app(recorder, LIMIT_BYTES), limits)


@pytest.mark.parametrize(
    ("sent", "trickle"),
    [
        (b"", b""),
        (b"", b"P"),
        (HEAD + b"X-Slow: ", b"x"),
        (HEAD + b"Content-Length: 0\r\n\r\n" + HEAD + b"X-Slow: ", b"x"),
    ],
    ids=["nothing", "a request line", "a header", "a header of the second request"],
)
async def test_headers_that_trickle_are_cut_off(sent: bytes, trickle: bytes) -> None:
    async with bounded(Recorder(), replace(PATIENT, header_s=0.3)) as door:
        answer = await read_to_the_end(door.port, sent, trickle=trickle)
    assert answer.count(b"HTTP/1.1") == sent.count(b"Content-Length")


async def test_a_body_that_trickles_is_cut_off_and_nothing_is_taken() -> None:
    recorder = Recorder()
    async with bounded(recorder, replace(PATIENT, body_s=0.3)) as door:
        head = HEAD + b"Content-Length: 50000\r\n\r\n"
        assert await read_to_the_end(door.port, head, trickle=b"x") == b""
        chunked = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
        assert await read_to_the_end(door.port, chunked, trickle=b"1\r\nx\r\n") == b""
    assert (recorder.taken, recorder.malformed) == ([], [])


async def test_a_body_that_comes_at_the_rate_has_time_beyond_the_bound() -> None:
    """A slow line is no attack: every byte that came buys time for the next ones."""
    recorder = Recorder()
    body = logs_body("x" * 4000)
    async with bounded(recorder, HttpLimits(header_s=60, body_s=0.5, body_bytes_per_s=100)) as door:
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        writer.write(HEAD + b"Content-Length: %d\r\n\r\n" % len(body))
        for start in range(0, len(body), 500):
            writer.write(body[start : start + 500])
            await asyncio.sleep(0.1)
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        writer.transport.abort()
    assert recorder.names == ["x" * 4000]


async def test_a_client_that_goes_on_after_its_refusal_is_cut_off() -> None:
    limits = replace(PATIENT, close_s=0.3)
    async with bounded(Recorder(), limits) as door:
        head = HEAD + b"Content-Length: 100000000\r\n\r\n" + bytes(LIMIT_BYTES + 1)
        answer = await read_to_the_end(door.port, head, trickle=bytes(1000))
    assert answer.startswith(b"HTTP/1.1 413")


async def test_headers_without_end_are_refused() -> None:
    async with bounded(Recorder(), replace(PATIENT, header_bytes=5000)) as door:
        answer = await read_to_the_end(door.port, HEAD, trickle=b"X-Many: " + b"x" * 500 + b"\r\n")
        assert answer == b"" or answer.startswith(b"HTTP/1.1 400")
        chunk = HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;"
        answer = await read_to_the_end(door.port, chunk, trickle=b"x" * 500)
        assert answer == b"" or answer.startswith(b"HTTP/1.1 400")
        assert (await door.post("/v1/logs", b"", content_type=PROTOBUF)).status == 200


async def test_connections_beyond_the_bound_are_told_to_come_again() -> None:
    async with bounded(Recorder(), replace(PATIENT, connections=3)) as door:
        held = [await asyncio.open_connection("127.0.0.1", door.port) for _ in range(3)]
        await until(lambda: len(door.server.server_state.connections) == 3)
        for _ in range(20):
            refused = await read_to_the_end(door.port)
            assert refused.startswith(b"HTTP/1.1 503")
            assert b"Retry-After: 1\r\n" in refused
        await until(lambda: len(door.server.server_state.connections) == 3)
        held[0][1].close()
        await until(lambda: len(door.server.server_state.connections) == 2)
        assert (await door.post("/v1/logs", b"", content_type=PROTOBUF)).status == 200
        for _, writer in held:
            writer.close()


async def test_bodies_that_are_read_at_once_have_a_bound_together() -> None:
    recorder = Recorder()
    app = create_otlp_app(recorder, LIMIT_BYTES, held_bytes=50_000)
    async with http_door(app, PATIENT) as door:
        _, holding = await asyncio.open_connection("127.0.0.1", door.port)
        holding.write(HEAD + b"Content-Length: 60000\r\n\r\n" + bytes(40_000))

        async def refused() -> bool:
            answer = await door.post("/v1/logs", logs_body("x" * 20_000), content_type=PROTOBUF)
            return answer.status == 503 and answer.headers["retry-after"] == "1"

        async with asyncio.timeout(10):
            while not await refused():
                pass
        # What is small still passes, and what was held is free again when its client has gone.
        assert (await door.post("/v1/logs", logs_body("small"), content_type=PROTOBUF)).status == 200
        holding.transport.abort()
        async with asyncio.timeout(10):
            while await refused():
                pass


@pytest.mark.parametrize("connection", ["close", "keep-alive"])
async def test_a_client_that_takes_no_answer_is_cut_off(connection: str) -> None:
    """What an app has sent waits for its reader ``close_s`` at most, once the connection is to end."""

    async def flood(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        # Leaves in the middle, as a query does whose time is over.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.2):
                while True:
                    await send({"type": "http.response.body", "body": bytes(1_000_000), "more_body": True})

    async with http_door(flood, replace(PATIENT, close_s=0.3)) as door:
        _, writer = await asyncio.open_connection("127.0.0.1", door.port, limit=1)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: %s\r\n\r\n" % connection.encode())
        await until(lambda: len(door.server.server_state.connections) == 1)
        await until(lambda: not door.server.server_state.connections)
        writer.transport.abort()


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "raw", "zstd"])
async def test_bombs_of_every_encoding_are_a_413_that_never_took_their_size(
    receiver: Receiver, encoding: str
) -> None:
    """Two hundred million zero bytes; what was held at most is counted, and it is a few times the limit."""
    bomb = compressed(encoding, bytes(200_000_000))
    name = "deflate" if encoding == "raw" else encoding
    tracemalloc.start()
    try:
        answer = await receiver.post("/v1/logs", bomb, content_type=PROTOBUF, content_encoding=name)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (answer.status, Status.FromString(answer.body).code) == (413, RESOURCE_EXHAUSTED)
    assert peak_bytes < 4 * len(bomb) + 10 * LIMIT_BYTES + 1_000_000


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "raw", "zstd", "identity"])
async def test_every_encoding_is_read(receiver: Receiver, encoding: str) -> None:
    name = "deflate" if encoding == "raw" else encoding
    for content_type, body in ((PROTOBUF, logs_body("a")), (JSON, logs_json({"body": {"stringValue": "b"}}))):
        sent = compressed(encoding, body)
        answer = await receiver.post("/v1/logs", sent, content_type=content_type, content_encoding=name)
        assert answer.status == 200
    assert receiver.recorder.names == ["a", "b"]


def compressed(encoding: str, body: bytes) -> bytes:
    match encoding:
        case "gzip":
            return gzip.compress(body)
        case "deflate":
            return zlib.compress(body)
        case "raw":
            packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
            return packer.compress(body) + packer.flush()
        case "zstd":
            return zstd.compress(body)
        case _:
            return body


async def test_a_zstd_frame_that_asks_for_a_huge_window_is_refused(receiver: Receiver) -> None:
    parameter = zstd.CompressionParameter
    options: dict[int, int] = {parameter.window_log: 27, parameter.content_size_flag: 0}
    packer = zstd.ZstdCompressor(options=options)
    frame = packer.compress(logs_body("a")) + packer.flush()
    answer = await receiver.post("/v1/logs", frame, content_type=PROTOBUF, content_encoding="zstd")
    assert answer.status == 400


# JSON, point by point.


async def taken_record(receiver: Receiver, record: dict[str, object]) -> LogRecord:
    answer = await receiver.post("/v1/logs", logs_json(record), content_type=JSON)
    assert answer.status == 200, answer.body
    return receiver.recorder.logs.resource_logs[-1].scope_logs[0].log_records[0]


async def test_json_ids_are_hex_in_either_case(receiver: Receiver) -> None:
    for letters in ("0af7651916cd43dd8448eb211c80319c", "0AF7651916CD43DD8448EB211C80319C"):
        record = await taken_record(receiver, {"traceId": letters, "spanId": letters[:16]})
        assert (record.trace_id.hex(), record.span_id.hex()) == (letters.lower(), letters[:16].lower())


async def test_json_numbers_of_64_bits_are_strings_or_numbers(receiver: Receiver) -> None:
    for time, value in ((1700000000123456789, -(2**63)), ("1700000000123456789", str(-(2**63)))):
        record = await taken_record(receiver, {"timeUnixNano": time, "body": {"intValue": value}})
        assert (record.time_unix_nano, record.body.int_value) == (1700000000123456789, -(2**63))


async def test_json_bytes_are_base64_and_enums_numbers_known_or_not(receiver: Receiver) -> None:
    record = await taken_record(receiver, {"severityNumber": 9, "body": {"bytesValue": "AQL/"}})
    assert (record.severity_number, record.body.bytes_value) == (9, b"\x01\x02\xff")
    assert (await taken_record(receiver, {"severityNumber": 99})).severity_number == 99
    # The specification has senders write numbers; a name says the same and loses nothing.
    assert (await taken_record(receiver, {"severityNumber": "SEVERITY_NUMBER_INFO"})).severity_number == 9


async def test_json_fields_that_are_unknown_or_in_snake_case_are_ignored(receiver: Receiver) -> None:
    record = await taken_record(
        receiver, {"severityText": "INFO", "severity_number": 9, "newField": {"a": [1]}, "traceId": None}
    )
    assert (record.severity_text, record.severity_number, record.trace_id) == ("INFO", 0, b"")


async def test_success_says_nothing_of_partial_success(receiver: Receiver) -> None:
    for signal in Signal:
        answer = await receiver.post(f"/v1/{signal}", b"{}", content_type=JSON)
        assert json.loads(answer.body) == {}
        answer = await receiver.post(f"/v1/{signal}", b"", content_type=PROTOBUF)
        assert answer.body == b""


async def test_requests_are_taken_concurrently(receiver: Receiver) -> None:
    """One that waits to be stored holds up nobody else."""
    receiver.recorder.gate.clear()
    posts = [
        asyncio.create_task(receiver.post("/v1/logs", logs_body(name), content_type=PROTOBUF))
        for name in ("a", "b", "c")
    ]
    await until(lambda: receiver.recorder.calls == 3)
    receiver.recorder.gate.set()
    assert [(await post).status for post in posts] == [200, 200, 200]
