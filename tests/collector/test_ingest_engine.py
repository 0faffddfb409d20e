"""The receiving half in front of the real engine: decode, group, insert, read back."""

import asyncio
import random
import tempfile
from pathlib import Path
from typing import cast

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from livemeter_collector.ingest.lane import Limits
from livemeter_collector.ingest.request import Request
from livemeter_collector.ingest.writer import Writer
from livemeter_collector.journal.dead_letters import DeadLetter, DeadLetters
from livemeter_collector.journal.journal import Journal
from livemeter_collector.journal.journal import Limits as JournalLimits
from livemeter_collector.receive.decode import PROTOBUF, decode
from livemeter_collector.receive.schema import REQUESTS
from livemeter_collector.store.contract import Signal, Store
from tests.collector.otlp_messages import logs_request

TABLES = {
    Signal.LOGS: ["logs"],
    Signal.TRACES: ["otel_traces"],
    Signal.METRICS: [
        f"otel_metrics_{kind}" for kind in ("gauge", "sum", "histogram", "exponential_histogram", "summary")
    ],
}


async def submit(store: Store, *requests: Request, signal: Signal = Signal.LOGS) -> list[DeadLetter]:
    """Submit requests together, have all of them stored, and return what was set aside."""
    with tempfile.TemporaryDirectory() as folder:
        return await submit_in(Path(folder), store, *requests, signal=signal)


async def submit_in(
    folder: Path, store: Store, *requests: Request, signal: Signal = Signal.LOGS
) -> list[DeadLetter]:
    journal = Journal(folder / "journal", 1, JournalLimits(reserve_bytes=0))
    letters = DeadLetters(folder / "letters")
    writer = Writer(store, journal, letters, Limits(window_s=0.05))
    writer.start()
    await asyncio.gather(*(writer.submit(signal, request) for request in requests))
    assert await writer.stop(timeout_s=20)
    assert not journal.held(signal)[0].requests
    journal.close()
    return [letters.get(envelope.id) for envelope in letters.list().letters]


def rows_of(store: Store, signal: Signal, service: str) -> int:
    counts = (
        store.query(
            f"SELECT count() FROM livemeter.{table} WHERE ServiceName = {{service:String}}",
            {"service": service},
        ).rows[0][0]
        for table in TABLES[signal]
    )
    return sum(count for count in counts if isinstance(count, int))


def bodies_of(store: Store, service: str) -> list[object]:
    sql = "SELECT Body FROM livemeter.logs WHERE ServiceName = {service:String} ORDER BY Body"
    return [body for (body,) in store.query(sql, {"service": service}).rows]


async def test_nested_values_arrive_as_the_exporters_text(store: Store, unique: str) -> None:
    message = logs_request(["plain", "nested"], unique)
    plain, nested = message.resource_logs[0].scope_logs[0].log_records
    plain.attributes.add(key="nan").value.double_value = float("nan")
    pair = nested.body.kvlist_value.values.add(key="list")
    pair.value.array_value.values.add().bool_value = True
    nested.attributes.add(key="list").value.array_value.values.add().double_value = 1e21
    request = decode(Signal.LOGS, PROTOBUF, "", message.SerializeToString())
    assert await submit(store, request) == []
    sql = "SELECT Body, LogAttributes FROM livemeter.logs WHERE ServiceName = {service:String} ORDER BY Body"
    assert store.query(sql, {"service": unique}).rows == (
        ("plain", {"nan": "NaN"}),
        ('{"list":[true]}', {"list": "[1e+21]"}),
    )


async def test_bytes_the_engine_cannot_read_do_not_take_their_neighbours_along(
    store: Store, unique: str
) -> None:
    good = [Request(logs_request([body], unique).SerializeToString(), 1) for body in "abc"]
    (letter,) = await submit(store, good[0], good[1], Request(b"\xff" * 12, 1), good[2])
    assert letter.body == b"\xff" * 12
    assert bodies_of(store, unique) == ["a", "b", "c"]


async def test_a_request_that_comes_again_by_itself_is_stored_once(
    store: Store, unique: str, tmp_path: Path
) -> None:
    request = Request(logs_request(["once"], unique).SerializeToString(), 1)
    assert await submit_in(tmp_path, store, request) == []
    assert await submit_in(tmp_path, store, request) == []
    assert bodies_of(store, unique) == ["once"]


@pytest.mark.parametrize("signal", Signal)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chance=st.randoms(use_true_random=False))
def test_the_engine_stores_whatever_decoding_lets_through(
    store: Store, unique: str, signal: Signal, chance: random.Random
) -> None:
    """Extreme times, numbers, ids and texts in every field: one such record may not stop the rest."""
    service = f"{unique}{chance.getrandbits(64)}"
    message = REQUESTS[signal]()
    fill(message, chance)
    for resource in getattr(message, message.DESCRIPTOR.fields[0].name):
        del resource.resource.attributes[:]
        resource.resource.attributes.add(key="service.name").value.string_value = service
    request = decode(signal, PROTOBUF, "", message.SerializeToString())
    assert asyncio.run(submit(store, request, signal=signal)) == []
    assert rows_of(store, signal, service) == request.records


TEXTS = ("", "a", "\0", "é🎙", "x" * 3000, "{}", "[1", "-1", "1e99", "gemini_live.usage")
DOUBLES = (0.0, -0.0, 1e308, 5e-324, float("nan"), float("inf"), -1.5)
INTEGERS = (0, 1, -1, 7, 1_763_700_000_000_000_000, 2**31 - 1, -(2**31), 2**63, 2**64 - 1, -(2**63))
MOST_LEVELS = 10


def fill(message: Message, chance: random.Random, level: int = 0) -> None:
    """Set most fields of a message, and of the messages in it, to values from the edges."""
    for field in message.DESCRIPTOR.fields:
        skipped = chance.random() < (0.5 if field.containing_oneof else 0.1)
        if skipped or level > MOST_LEVELS:
            continue
        if field.message_type is None:
            values = [
                edge_value(cast(FieldDescriptor, field), chance)
                for _ in range(chance.randint(0, 3) if field.is_repeated else 1)
            ]
            if field.is_repeated:
                getattr(message, field.name).extend(values)
            else:
                setattr(message, field.name, values[0])
        elif field.is_repeated:
            for _ in range(chance.randint(0, 2)):
                fill(getattr(message, field.name).add(), chance, level + 1)
        else:
            getattr(message, field.name).SetInParent()
            fill(getattr(message, field.name), chance, level + 1)


def edge_value(field: FieldDescriptor, chance: random.Random) -> object:
    match field.cpp_type:
        case FieldDescriptor.CPPTYPE_STRING:
            text = field.type == FieldDescriptor.TYPE_STRING
            return chance.choice(TEXTS) if text else chance.randbytes(chance.choice((0, 1, 8, 16, 33)))
        case FieldDescriptor.CPPTYPE_DOUBLE:
            return chance.choice(DOUBLES)
        case FieldDescriptor.CPPTYPE_BOOL:
            return chance.random() < 0.5
        case _:
            return edge_integer(field, chance)


def edge_integer(field: FieldDescriptor, chance: random.Random) -> int:
    unsigned = field.cpp_type in {FieldDescriptor.CPPTYPE_UINT32, FieldDescriptor.CPPTYPE_UINT64}
    wide = field.cpp_type in {FieldDescriptor.CPPTYPE_INT64, FieldDescriptor.CPPTYPE_UINT64}
    bits = 64 if wide else 32
    low, high = (0, 2**bits - 1) if unsigned else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    return chance.choice([number for number in INTEGERS if low <= number <= high])
