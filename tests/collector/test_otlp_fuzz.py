"""What anybody can send to the doors: it is taken or refused for what it is, and the next request is served.

Never a status that says the collector has failed, never a connection that waits for ever, and what is taken
is always a request that the store can be given. `make soak` draws new examples.
"""

import asyncio
import contextlib
import gzip
import json
import logging
import zlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import grpc.aio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from livemeter_collector.listen import HttpLimits
from livemeter_collector.receive.decode import JSON, PROTOBUF
from livemeter_collector.receive.grpc import GrpcLimits
from livemeter_collector.receive.http import create_otlp_app
from livemeter_collector.receive.otlp_json import parse_json
from livemeter_collector.receive.schema import PROBES, REQUESTS, SERVICES, count_records
from livemeter_collector.store.contract import Signal
from tests.collector.doors import LIMIT_BYTES, HttpDoor, Recorder, grpc_door, http_door

KEY_VALUES = {"kvlistValue": {"values": [{"key": "k", "value": {}}]}}
NESTED = {"arrayValue": {"values": [{"intValue": "1"}, KEY_VALUES]}}
ATTRIBUTES = [
    {"key": "s", "value": {"stringValue": "é"}},
    {"key": "i", "value": {"intValue": "-9223372036854775808"}},
    {"key": "f", "value": {"doubleValue": "Infinity"}},
    {"key": "b", "value": {"bytesValue": "AAH/"}},
    {"key": "n", "value": NESTED},
]
RESOURCE = {"resource": {"attributes": ATTRIBUTES}, "schemaUrl": "u"}
SCOPE = {"scope": {"name": "n", "version": "v", "attributes": ATTRIBUTES}}
IDS = {"traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174"}
POINT = {"attributes": ATTRIBUTES, "timeUnixNano": "2", "exemplars": [{"asInt": "1", **IDS}]}
RECORD = {**IDS, "body": NESTED, "severityNumber": 9}
SPAN = {
    **IDS,
    "name": "s",
    "kind": 2,
    "events": [{"name": "e", "attributes": ATTRIBUTES}],
    "links": [{**IDS, "attributes": ATTRIBUTES}],
    "status": {"code": 2, "message": "m"},
}
METRICS = [
    {"name": "g", "gauge": {"dataPoints": [{**POINT, "asDouble": 1.5}]}},
    {"name": "s", "sum": {"dataPoints": [{**POINT, "asInt": "1"}], "isMonotonic": True}},
    {"name": "h", "histogram": {"dataPoints": [{**POINT, "bucketCounts": ["1", 2]}]}},
    {"name": "e", "exponentialHistogram": {"dataPoints": [{**POINT, "positive": {"bucketCounts": [1]}}]}},
    {"name": "q", "summary": {"dataPoints": [{"quantileValues": [{"quantile": 0.5}]}]}},
]
DOCUMENTS: dict[Signal, dict[str, Any]] = {
    Signal.LOGS: {"resourceLogs": [{**RESOURCE, "scopeLogs": [{**SCOPE, "logRecords": [RECORD]}]}]},
    Signal.TRACES: {"resourceSpans": [{**RESOURCE, "scopeSpans": [{**SCOPE, "spans": [SPAN]}]}]},
    Signal.METRICS: {"resourceMetrics": [{**RESOURCE, "scopeMetrics": [{**SCOPE, "metrics": METRICS}]}]},
}
JSON_SEEDS = {signal: json.dumps(document).encode() for signal, document in DOCUMENTS.items()}
PROTOBUF_SEEDS = {signal: parse_json(signal, body).SerializeToString() for signal, body in JSON_SEEDS.items()}
SEEDS = {JSON: JSON_SEEDS, PROTOBUF: PROTOBUF_SEEDS}
ENCODERS: dict[str, Callable[[bytes], bytes]] = {"": bytes, "gzip": gzip.compress, "deflate": zlib.compress}

UNHEALTHY = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
FUZZ = settings(suppress_health_check=UNHEALTHY, deadline=None)
signals = st.sampled_from(list(Signal))


@st.composite
def mutated(draw: st.DrawFn, seed: bytes) -> bytes:
    """A valid message with a few bytes changed, cut out, put in, doubled, or its end cut off."""
    data = bytearray(seed)
    for _ in range(draw(st.integers(0, 5))):
        at = draw(st.integers(0, len(data)))
        length = draw(st.integers(1, 8))
        match draw(st.sampled_from(["change", "cut", "put", "double", "end"])):
            case "change":
                data[at : at + length] = draw(st.binary(min_size=length, max_size=length))
            case "cut":
                del data[at : at + length]
            case "put":
                data[at:at] = draw(st.binary(min_size=1, max_size=length))
            case "double":
                data[at:at] = data[at : at + 40 * length]
            case _:
                del data[at:]
    return bytes(data)


@st.composite
def requests(draw: st.DrawFn) -> tuple[Signal, str, str, bytes]:
    """A signal, a content type, a content encoding, and a body that was changed before or after packing."""
    signal = draw(signals)
    content_type = draw(st.sampled_from([JSON, PROTOBUF]))
    encoding = draw(st.sampled_from(list(ENCODERS)))
    body = ENCODERS[encoding](draw(mutated(SEEDS[content_type][signal])))
    return signal, content_type, encoding, draw(mutated(body)) if encoding and draw(st.booleans()) else body


def key_words(descriptor: Any, found: set[str]) -> set[str]:
    """Every JSON key of a message and of those in it."""
    for field in descriptor.fields:
        if field.json_name not in found:
            found.add(field.json_name)
            if field.message_type is not None:
                key_words(field.message_type, found)
    return found


KEYS = sorted(set().union(*(key_words(request.DESCRIPTOR, set()) for request in REQUESTS.values())))
NUMBERS: list[object] = [2**63, -(2**63) - 1, 2**64, 2**32, 10**400]
WORDS: list[object] = ["NaN", "-Infinity", "1e400", "0x1", "", "é", "\ud800"]


def anything() -> st.SearchStrategy[object]:
    """Any JSON, with keys that mean something."""
    numbers: st.SearchStrategy[object] = st.one_of(st.integers(), st.floats(), st.sampled_from(NUMBERS))
    texts: st.SearchStrategy[object] = st.one_of(st.text(max_size=5), st.sampled_from(WORDS))
    return st.recursive(
        st.one_of(st.none(), st.booleans(), numbers, texts),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3),
        max_leaves=12,
    )


@st.composite
def documents(draw: st.DrawFn) -> tuple[Signal, bytes]:
    """A valid document in which a few places hold something else."""
    signal = draw(signals)
    document = json.loads(JSON_SEEDS[signal])
    for _ in range(draw(st.integers(1, 3))):
        place: Any = document
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(place[key], dict | list) and place[key] and draw(st.integers(0, 7)):
                place = place[key]
                continue
            place[key] = draw(anything())
            break
    return signal, json.dumps(document).encode()


@pytest.fixture
async def http_fuzz() -> AsyncIterator[tuple[Recorder, HttpDoor]]:
    recorder = Recorder()
    limits = HttpLimits(header_s=2, body_s=2, close_s=2)
    async with http_door(create_otlp_app(recorder, LIMIT_BYTES), limits) as door:
        yield recorder, door


async def check_still_serving(recorder: Recorder, door: HttpDoor) -> None:
    recorder.taken.clear()
    answer = await door.post("/v1/logs", PROTOBUF_SEEDS[Signal.LOGS], content_type=PROTOBUF)
    assert (answer.status, len(recorder.taken)) == (200, 1)


def check_taken(recorder: Recorder) -> None:
    """What was taken can be parsed, was counted right, and holds no value that the engine does not read."""
    for signal, request in recorder.taken:
        message = REQUESTS[signal].FromString(request.body)
        assert count_records(signal, message) == request.records
        assert PROBES[signal].FromString(request.body).IsInitialized()
    recorder.taken.clear()


@FUZZ
@given(request=requests())
async def test_changed_requests_over_http(
    http_fuzz: tuple[Recorder, HttpDoor],
    caplog: pytest.LogCaptureFixture,
    request: tuple[Signal, str, str, bytes],
) -> None:
    recorder, door = http_fuzz
    signal, content_type, encoding, body = request
    headers = {"content_type": content_type} | ({"content_encoding": encoding} if encoding else {})
    answer = await door.post(f"/v1/{signal}", body, **headers)
    assert answer.status in {200, 400, 413}
    assert answer.headers["content-type"] == content_type
    check_taken(recorder)
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


@FUZZ
@given(document=documents())
async def test_json_with_anything_in_its_places(
    http_fuzz: tuple[Recorder, HttpDoor], document: tuple[Signal, bytes]
) -> None:
    recorder, door = http_fuzz
    signal, body = document
    answer = await door.post(f"/v1/{signal}", body, content_type=JSON)
    assert answer.status in {200, 400}
    if answer.status == 400:
        assert json.loads(answer.body)["message"]
    check_taken(recorder)


@FUZZ
@given(
    body=st.binary(max_size=200),
    headers=st.dictionaries(
        st.sampled_from(["content-type", "content-encoding", "accept", "expect", "authorization", "origin"]),
        st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=20),
    ),
)
async def test_any_body_with_any_headers(
    http_fuzz: tuple[Recorder, HttpDoor], body: bytes, headers: dict[str, str]
) -> None:
    _, door = http_fuzz
    stripped = {name: text.strip() for name, text in headers.items()}
    answer = await asyncio.to_thread(door.send, "/v1/logs", body, "POST", stripped)
    assert 200 <= answer.status < 500


def raw_requests() -> list[bytes]:
    body = PROTOBUF_SEEDS[Signal.LOGS]
    head = b"POST /v1/logs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-protobuf\r\n"
    plain = head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    chunked = head + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    waiting = head + b"Expect: 100-continue\r\n\r\n"
    return [plain, chunked, plain + plain, b"GET /v1/logs HTTP/1.0\r\n\r\n", waiting]


@FUZZ
@given(sent=st.sampled_from(raw_requests()).flatmap(mutated))
async def test_changed_http_itself(http_fuzz: tuple[Recorder, HttpDoor], sent: bytes) -> None:
    """Whatever it is, the connection ends, and no answer on it is a failure of the collector's."""
    recorder, door = http_fuzz
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    writer.write(sent)
    writer.write_eof()
    answers = b""
    with contextlib.suppress(ConnectionResetError):
        async with asyncio.timeout(30):
            answers = await reader.read()
    writer.transport.abort()
    statuses = [int(part[:3]) for part in answers.split(b"HTTP/1.1 ")[1:]]
    assert all(status < 500 for status in statuses)
    check_taken(recorder)


TLS_HELLO = b"\x16\x03\x01\x02\x00\x01\x00"
HTTP_2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


async def test_what_speaks_another_protocol_is_hung_up_on(http_fuzz: tuple[Recorder, HttpDoor]) -> None:
    recorder, door = http_fuzz
    for sent in (TLS_HELLO, HTTP_2, bytes(1000), b"GET / SPDY/3\r\n\r\n"):
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        writer.write(sent)
        with contextlib.suppress(ConnectionResetError):
            async with asyncio.timeout(30):
                await reader.read()
        writer.transport.abort()
        await check_still_serving(recorder, door)


@pytest.fixture
async def grpc_fuzz() -> AsyncIterator[tuple[Recorder, int, grpc.aio.Channel]]:
    recorder = Recorder()
    async with grpc_door(recorder, limits=GrpcLimits(handshake_s=1, body_s=2)) as port:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield recorder, port, channel


ALLOWED = {grpc.StatusCode.OK, grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.RESOURCE_EXHAUSTED}


@FUZZ
@given(signal=signals, data=st.data(), packed=st.sampled_from(list(ENCODERS)))
async def test_changed_messages_over_grpc(
    grpc_fuzz: tuple[Recorder, int, grpc.aio.Channel], signal: Signal, data: st.DataObject, packed: str
) -> None:
    """Also those that only look as if they were compressed."""
    recorder, _, channel = grpc_fuzz
    body = data.draw(mutated(ENCODERS[packed](data.draw(mutated(PROTOBUF_SEEDS[signal])))))
    call = channel.unary_unary(f"/{SERVICES[signal]}/Export", None, None)(body, timeout=20)
    assert await call.code() in ALLOWED
    check_taken(recorder)


CALL = (
    HTTP_2
    + bytes.fromhex("000000040000000000")  # SETTINGS
    + bytes.fromhex("00000701040000000183864401618441")  # HEADERS: POST, http, a path
    + bytes.fromhex("0000050001000000010000000000")  # DATA: one empty message, and the end
)


@FUZZ
@given(sent=mutated(CALL))
async def test_changed_http_2_itself(grpc_fuzz: tuple[Recorder, int, grpc.aio.Channel], sent: bytes) -> None:
    recorder, port, channel = grpc_fuzz
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    await asyncio.sleep(0.01)
    writer.transport.abort()
    export = channel.unary_unary(f"/{SERVICES[Signal.LOGS]}/Export", None, None)
    await export(PROTOBUF_SEEDS[Signal.LOGS], timeout=20)
    assert recorder.taken
    check_taken(recorder)


@pytest.mark.parametrize("depth", [90, 200, 5_000, 30_000])
@pytest.mark.parametrize("arm", ["arrayValue", "kvlistValue"])
async def test_values_in_values_end_somewhere(
    http_fuzz: tuple[Recorder, HttpDoor], arm: str, depth: int
) -> None:
    """Nested as deep as a body has room for, in both forms: a refusal, not an overflow of the stack."""
    recorder, door = http_fuzz
    opening = b'{"%b":{"values":[' % arm.encode() + (b'{"key":"k","value":' if arm == "kvlistValue" else b"")
    closing = (b"}" if arm == "kvlistValue" else b"") + b"]}}"
    around = b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":%b}]}]}]}'
    body = around % (opening * depth + b"{}" + closing * depth)
    answer = await door.post("/v1/logs", body, content_type=JSON)
    assert answer.status == (400 if len(body) <= LIMIT_BYTES else 413)
    await check_still_serving(recorder, door)


@pytest.mark.parametrize("depth", [20, 90, 200, 10_000])
async def test_nested_protobuf_ends_somewhere(http_fuzz: tuple[Recorder, HttpDoor], depth: int) -> None:
    recorder, door = http_fuzz

    def within(tag: int, inner: bytes) -> bytes:
        length, size = bytearray(), len(inner)
        while size > 0x7F:
            length.append(size & 0x7F | 0x80)
            size >>= 7
        return bytes([tag]) + bytes([*length, size]) + inner

    value = b"\x0a\x01x"
    for _ in range(depth):
        value = within(0x2A, within(0x0A, value))
    body = within(0x0A, within(0x12, within(0x12, within(0x2A, value))))
    answer = await door.post("/v1/logs", body, content_type=PROTOBUF)
    assert answer.status == (200 if depth == 20 else 400)
    check_taken(recorder)
    await check_still_serving(recorder, door)
