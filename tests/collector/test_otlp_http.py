import asyncio
import gzip
import http.client
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from google.rpc.code_pb2 import INVALID_ARGUMENT, RESOURCE_EXHAUSTED, UNAVAILABLE
from google.rpc.status_pb2 import Status
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from livemeter_collector.ingest.lane import Limits
from livemeter_collector.ingest.writer import Writer
from livemeter_collector.listen import HttpServer, bind, port_of
from livemeter_collector.receive.decode import JSON, PROTOBUF
from livemeter_collector.receive.http import create_otlp_app
from livemeter_collector.store.contract import Signal
from tests.collector.memory_store import POISON, MemoryStore, until

LIMIT_BYTES = 100_000


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """A real server on a real port, and a plain HTTP client for it."""

    store: MemoryStore
    writer: Writer
    port: int

    async def post(self, path: str, body: bytes, method: str = "POST", **headers: str) -> Answer:
        return await asyncio.to_thread(self._post, path, body, method, headers)

    def _post(self, path: str, body: bytes, method: str, headers: dict[str, str]) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request(method, path, body, named)
            response = connection.getresponse()
            answered = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, answered, response.read())
        finally:
            connection.close()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    store = MemoryStore()
    writer = Writer(store, Limits(window_s=0.01, retry_for_s=0))
    writer.start()
    listener = bind("127.0.0.1", 0, "--port")
    port = port_of(listener)
    server = HttpServer(create_otlp_app(writer, LIMIT_BYTES), listener)
    serving = asyncio.create_task(server.run_until_told())
    await server.ready.wait()
    yield Receiver(store, writer, port)
    store.gate.set()
    server.should_exit = True
    await serving
    await writer.stop(drain=True, timeout_s=5)


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
    assert sorted(receiver.store.names) == ["a log", "a span", "a.metric"]
    assert {signal for signal, _ in receiver.store.inserts} == set(Signal)


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
    receiver.store.failures = ["before"]
    await asyncio.to_thread(_send_one_log, f"http://127.0.0.1:{receiver.port}/v1/logs")
    assert receiver.store.names == ["again"]
    assert receiver.writer.counters()[Signal.LOGS].refused.requests == 1


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
    assert receiver.store.names == ["a", "b"]


@pytest.mark.parametrize(("content_type", "body"), [(PROTOBUF, b""), (JSON, b"{}")])
async def test_an_empty_request_succeeds(receiver: Receiver, content_type: str, body: bytes) -> None:
    for signal in Signal:
        answer = await receiver.post(f"/v1/{signal}", body, content_type=content_type)
        assert answer.status == 200
    assert receiver.store.inserts == []


async def test_malformed_protobuf_is_a_400_with_a_status_message(receiver: Receiver) -> None:
    answer = await receiver.post("/v1/logs", logs_body("a")[:-1], content_type=PROTOBUF)
    status = Status.FromString(answer.body)
    assert (answer.status, answer.headers["content-type"]) == (400, PROTOBUF)
    assert status.code == INVALID_ARGUMENT
    assert "ExportLogsServiceRequest" in status.message
    assert receiver.writer.counters()[Signal.LOGS].malformed.requests == 1


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
    assert receiver.store.inserts == []


async def test_a_plain_body_over_the_limit_is_a_413(receiver: Receiver) -> None:
    answer = await receiver.post("/v1/logs", bytes(LIMIT_BYTES + 1), content_type=PROTOBUF)
    assert answer.status == 413


async def test_wrong_types_paths_and_methods_have_their_own_statuses(receiver: Receiver) -> None:
    body = logs_body("a")
    assert (await receiver.post("/v1/logs", body, content_type="text/plain")).status == 415
    assert (await receiver.post("/v1/logs", body)).status == 415
    unread = await receiver.post("/v1/logs", body, content_type=PROTOBUF, content_encoding="br")
    assert (unread.status, Status.FromString(unread.body).code) == (415, INVALID_ARGUMENT)
    assert (await receiver.post("/v1/profiles", body, content_type=PROTOBUF)).status == 404
    assert (await receiver.post("/v1/logs/", body, content_type=PROTOBUF)).status == 404
    wrong_method = await receiver.post("/v1/logs", b"", method="GET")
    assert (wrong_method.status, wrong_method.headers["allow"]) == (405, "POST")
    assert receiver.store.inserts == []


@pytest.mark.parametrize("content_type", [PROTOBUF, JSON])
async def test_a_store_that_is_away_is_a_503_with_a_short_hint(receiver: Receiver, content_type: str) -> None:
    receiver.store.failures = ["before"]
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


async def test_a_poisoned_request_gets_400_while_its_neighbours_are_stored(receiver: Receiver) -> None:
    receiver.store.gate.clear()
    bodies = [logs_body(name) for name in ("first", "a", POISON, "b")]
    posts = [asyncio.create_task(receiver.post("/v1/logs", bodies[0], content_type=PROTOBUF))]
    await until(lambda: receiver.store.calls == 1)
    posts += [
        asyncio.create_task(receiver.post("/v1/logs", body, content_type=PROTOBUF)) for body in bodies[1:]
    ]
    await until(lambda: receiver.writer.held_bytes == len(b"".join(bodies)))
    receiver.store.gate.set()
    answers = [await task for task in posts]
    assert [answer.status for answer in answers] == [200, 200, 400, 200]
    assert "poisoned" in Status.FromString(answers[2].body).message
    assert sorted(receiver.store.names) == ["a", "b", "first"]


async def test_a_client_that_leaves_mid_body_does_no_harm(receiver: Receiver) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", receiver.port)
    writer.write(
        b"POST /v1/logs HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n"
        b"Content-Length: 1000\r\n\r\nhalf"
    )
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    assert await reader.read() == b""
    assert (await receiver.post("/v1/logs", logs_body("a"), content_type=PROTOBUF)).status == 200
