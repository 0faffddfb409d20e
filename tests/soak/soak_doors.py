"""The doors under wrong requests of every kind for a while: what is held in the end was held before.

Not collected by default: `python -m pytest tests/soak/soak_doors.py`.
"""

import asyncio
import contextlib
import gc
import gzip
import random
import tracemalloc

import grpc
import grpc.aio
import pytest

from livemeter_collector.listen import HttpLimits
from livemeter_collector.receive.decode import JSON, PROTOBUF
from livemeter_collector.receive.http import create_otlp_app
from livemeter_collector.receive.schema import SERVICES
from livemeter_collector.store.contract import Signal
from tests.collector.doors import LIMIT_BYTES, Recorder, grpc_door, http_door
from tests.collector.memory_store import until
from tests.collector.test_otlp_fuzz import JSON_SEEDS, PROTOBUF_SEEDS

ROUNDS = 40
PER_ROUND = 100
GROWTH_BYTES = 300_000
"""Between the halves of the soak; caches have filled before the first one."""


def _changed(draw: random.Random, seed: bytes) -> bytes:
    data = bytearray(seed)
    for _ in range(draw.randrange(5)):
        at = draw.randrange(len(data) + 1)
        data[at : at + draw.randrange(8)] = draw.randbytes(draw.randrange(8))
    return bytes(data)


async def _raw(port: int, sent: bytes, stays: bool) -> None:
    """Send something, and go away with or without its answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    with contextlib.suppress(TimeoutError, ConnectionResetError):
        async with asyncio.timeout(0.3 if stays else 0):
            await reader.read()
    writer.transport.abort()


def _http_request(draw: random.Random) -> bytes:
    signal, is_json = draw.choice(list(Signal)), draw.random() < 0.5
    body = _changed(draw, (JSON_SEEDS if is_json else PROTOBUF_SEEDS)[signal])
    if draw.random() < 0.1:
        body = bytes(LIMIT_BYTES * 10)
    packed = "Content-Encoding: gzip\r\n" if draw.random() < 0.5 else ""
    body = gzip.compress(body) if packed else body
    head = (
        f"POST /v1/{signal} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
        f"Content-Type: {JSON if is_json else PROTOBUF}\r\n{packed}\r\n"
    )
    return _changed(draw, head.encode() + body) if draw.random() < 0.5 else head.encode() + body


async def test_wrong_requests_leave_nothing_behind(caplog: pytest.LogCaptureFixture) -> None:
    recorder = Recorder()
    draw = random.Random(7)
    limits = HttpLimits(header_s=1, body_s=1, close_s=1, connections=50)
    held: list[int] = []
    taken = 0
    async with http_door(create_otlp_app(recorder, LIMIT_BYTES), limits) as door, grpc_door(recorder) as port:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            tracemalloc.start()
            for number in range(ROUNDS):
                sent = [(_http_request(draw), draw.random() < 0.8) for _ in range(PER_ROUND)]
                await asyncio.gather(*(_raw(door.port, request, stays) for request, stays in sent))
                for _ in range(PER_ROUND):
                    signal = draw.choice(list(Signal))
                    method = channel.unary_unary(f"/{SERVICES[signal]}/Export", None, None)
                    with contextlib.suppress(grpc.aio.AioRpcError):
                        await method(_changed(draw, PROTOBUF_SEEDS[signal]), timeout=10)
                await until(lambda: not door.server.server_state.connections)
                await until(lambda: not door.server.server_state.tasks)
                del sent
                taken += len(recorder.taken)
                recorder.taken.clear()
                recorder.malformed.clear()
                caplog.clear()
                gc.collect()
                held.append(tracemalloc.get_traced_memory()[0])
                if number % 10 == 9:
                    print(f"after {number + 1} rounds: {held[-1]:,} bytes held, {taken:,} requests taken")  # noqa: T201
            tracemalloc.stop()
    assert taken
    middle = len(held) // 2
    assert min(held[-5:]) - min(held[middle - 5 : middle]) < GROWTH_BYTES
