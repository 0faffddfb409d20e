"""No payload makes an insert fail in a view: garbage, huge, wrong and cut values, wherever they can be.

A bad event goes in with a good one; the good one is stored, and every view can still be read.
"""

import json
import random

import pytest
from google.protobuf.message import Message

from livemeter.vocabulary import Attribute, Event
from livemeter_collector.store.contract import Signal, Store
from tests.collector.otlp_messages import Value, any_value, key_values
from tests.collector.sql.telemetry import NOW_MS, Connection, Process, insert, join_sessions, new_id, rows

TEXTS = [
    "",
    " ",
    "true",
    "null",
    "NaN",
    "-inf",
    "1e999",
    "-1",
    "0x10",
    "1,5",
    "9" * 400,
    "-" + "9" * 30,
    "18446744073709551616",
    "99999999999999",
    "\x00",
    "\ud7ff" * 50,
    "é" * 1_000,
    "[",
    '["a",',
    '["a",1,null,{},["b"]]',
    '{"a":',
    '{"a":{"b":[]},"c":1e999}',
    "[" * 2_000,
    json.dumps(["x"] * 500),
    '{"handles":"no list"}',
    '{"handles":["",5,null,"' + "h" * 1_000 + '"]}',
    "zz" * 16,
    "ABCDEF",
]
"""What nobody should say; every attribute of the vocabulary says it once."""

VIEWS = """
    SELECT name FROM system.tables
    WHERE database = 'livemeter' AND engine = 'View' AND startsWith(name, 'live_')
"""


def poisoned(connection: Connection, event: Event, value: Value, body: Value) -> Message:
    """An event that says the same of everything but whose it is."""
    request = connection.event(event)
    record = request.resource_logs[0].scope_logs[0].log_records[0]
    known = {pair.key for pair in record.attributes}
    record.attributes.extend(key_values({str(name): value for name in Attribute if name not in known}))
    record.body.CopyFrom(any_value(body))
    return request


def check(store: Store, good: Connection) -> None:
    (row,) = rows(
        store, "SELECT turn FROM livemeter.live_turns WHERE connection_id = {id:String}", id=good.id
    )
    assert row["turn"] == 1


@pytest.mark.parametrize("some", range(4))
def test_bad_events_of_every_kind_take_nobody_with_them(store: Store, some: int) -> None:
    process = Process()
    good = process.connection()
    texts = TEXTS[some::4]
    bad = [poisoned(process.connection(), event, text, text) for event in Event for text in texts]
    insert(store, *bad, good.turn())
    check(store, good)


@pytest.mark.parametrize(
    "value", [2**63 - 1, -(2**63), 1e308, -1e-320, float("nan"), b"\xff\xfe", True, None]
)
def test_a_value_of_another_type_takes_nobody_with_it(store: Store, value: Value) -> None:
    process = Process()
    good = process.connection()
    bad = [poisoned(process.connection(), event, value, value) for event in Event]
    insert(store, *bad, good.turn())
    check(store, good)


@pytest.mark.parametrize("field", [Attribute.CONNECTION_ID, Attribute.SESSION_ID, Attribute.EMITTER_ID])
def test_an_odd_identity_takes_nobody_with_it(store: Store, field: Attribute) -> None:
    process = Process()
    good, bad = process.connection(), process.connection()
    values = ["", "zz", "ab" * 5_000, "é\x00", "0" * 32]
    insert(store, *(bad.event(event, {field: value}) for event in Event for value in values), good.turn())
    check(store, good)


@pytest.mark.parametrize("some", range(6))
def test_a_huge_event_takes_nobody_with_it(store: Store, some: int) -> None:
    """A list of half a million texts in the body, and a cut one in what may be a list."""
    process = Process()
    good, bad = process.connection(), process.connection()
    many = json.dumps({"handles": ["x"] * 500_000, "kind": ["x"] * 500_000})
    lists = (Attribute.HANDLE_HASHES, Attribute.EXPECTED_TOOLS, Attribute.TOOL_ENCODING)
    values = {str(name): many[12:2_000_000] for name in lists}
    insert(store, *(bad.event(event, values, many) for event in list(Event)[some::6]), good.turn())
    check(store, good)


def test_bytes_that_are_no_text_take_nobody_with_them(store: Store) -> None:
    """A careless sender can put them on the wire; protobuf libraries of most languages would not."""
    process = Process()
    good = process.connection()
    marks = "?" * 64
    body = b"".join(
        poisoned(process.connection(), event, marks, marks).SerializeToString() for event in Event
    )
    damaged = body.replace(marks.encode(), b"\xff\xc0\x80\xed" * 16)
    store.insert_otlp(Signal.LOGS, damaged + good.turn().SerializeToString(), new_id())
    check(store, good)


def test_a_clock_gone_wrong_takes_nobody_with_it(store: Store) -> None:
    process = Process()
    good = process.connection()
    bad: list[Message] = []
    for at_ns in (0, 1, 2**63 - 1, 2**63, 2**64 - 1, (NOW_MS - 500 * 86_400_000) * 1_000_000):
        for event in Event:
            request = process.connection().event(event)
            request.resource_logs[0].scope_logs[0].log_records[0].time_unix_nano = at_ns
            bad.append(request)
    insert(store, *bad, good.turn())
    check(store, good)


KEYS = [
    *("base", "seq", "offset", "direction", "kind", "contents", "bytes", "audio_ms", "sample_rate", "turn"),
    *("handles", "prompt", "prompt_details", "cached", "cached_details", "previous_prompt"),
    *("previous_context", "context_audio_ms", "response", "thoughts"),
]
SCALARS = (None, True, False, 0, -1, 7, 2**31, 2**63, 2**64, -(2**63), 1.5, 1e300, "", "AUDIO", "x", "9")


def some_json(dice: random.Random, depth: int = 3) -> object:
    if depth == 0 or dice.random() < 0.5:
        return dice.choice(SCALARS)
    length = dice.randint(0, 4)
    if dice.random() < 0.6:
        return [some_json(dice, depth - 1) for _ in range(length)]
    return {dice.choice(("AUDIO", "TEXT", "", "x")): some_json(dice, depth - 1) for _ in range(length)}


@pytest.mark.parametrize("seed", range(3))
def test_bodies_of_any_shape_cut_anywhere_take_nobody_with_them(store: Store, seed: int) -> None:
    dice = random.Random(seed)
    process = Process()
    good = process.connection()
    bad: list[Message] = []
    for _ in range(1000):
        body = json.dumps({key: some_json(dice) for key in dice.sample(KEYS, dice.randint(0, len(KEYS)))})
        cut = dice.randint(0, len(body)) if dice.random() < 0.3 else None
        event = dice.choice((Event.FRAMES, Event.USAGE, Event.CONNECTION_STARTED, Event.RESUMPTION))
        bad.append(process.connection().event(event, body=body[:cut]))
    insert(store, *bad, good.turn())
    check(store, good)


def test_every_view_can_be_read_whatever_was_stored(store: Store) -> None:
    """After all of the above, if it ran, and after this in any case."""
    process = Process()
    bad = [poisoned(process.connection(), event, value, value) for event in Event for value in TEXTS]
    insert(store, *bad)
    join_sessions(store)
    for (view,) in store.query(VIEWS).rows:
        for setting in (0, 1):
            store.query(f"SELECT * FROM livemeter.{view} SETTINGS join_use_nulls = {setting}")
