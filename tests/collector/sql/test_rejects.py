"""A Live event that cannot become a typed row is among the rejects with its reason, and harms nobody else."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

from livemeter.vocabulary import Attribute, Event, FramesBody, UsageBody
from livemeter_collector.store.contract import Signal, Store
from tests.collector.otlp_messages import Value, any_value, key_values
from tests.collector.sql.telemetry import (
    NOW_MS,
    Connection,
    Frame,
    Process,
    Row,
    Values,
    insert,
    new_id,
    row_of,
    rows,
)

FRAMES: list[Frame] = [
    (0, "sent", "audio", (), 870, 20, 16_000, 1),
    (20, "received", "audio", ("audio", "usageMetadata"), 2_100, 40, 24_000, 1),
    (40, "received", "turnComplete", (), 60, 0, 0, 1),
]
FIGURES = {"prompt": 70, "response": 5, "prompt_details": {"TEXT": 70}, "response_details": {"AUDIO": 5}}
UNEQUAL = "frames: columns of unequal length, cut to the shortest"
UNREAD = "frames: the body cannot be read"
NO_ID = "connection id: not 32 hex digits"


def rejected(store: Store, connection_id: str) -> list[Row]:
    return rows(
        store,
        "SELECT event_name, reason, body, attributes, received_at FROM livemeter.rejects"
        " WHERE connection_id = {id:String}",
        id=connection_id,
    )


def reasons(store: Store, connection_id: str) -> list[object]:
    return [row["reason"] for row in rejected(store, connection_id)]


def frames_stored(store: Store, connection_id: str) -> int:
    sql = "SELECT seq FROM livemeter.live_frames WHERE connection_id = {id:String}"
    return len(rows(store, sql, id=connection_id))


def frames_event(
    connection: Connection, changes: Mapping[str, object], count: int | None = len(FRAMES)
) -> ExportLogsServiceRequest:
    """Three frames in a body that was changed afterwards; a key that became None is gone."""
    told = {**json.loads(frames_body()), **changes}
    body = {name: value for name, value in told.items() if value is not None}
    values: Values = {} if count is None else {Attribute.FRAMES_COUNT: count}
    return connection.event(Event.FRAMES, values, json.dumps(body))


def test_what_is_whole_is_not_rejected(store: Store) -> None:
    connection = Process().connection()
    insert(
        store,
        connection.started(),
        connection.packed(FRAMES),
        *connection.frame_records(FRAMES, first=3),
        connection.packed([], first=6),
        frames_event(connection, {"seq": 6}, count=None),
        connection.usage(70, 5),
        connection.event(Event.USAGE, {}, json.dumps(FIGURES | {"total": 75, "thoughts": None})),
        connection.event(Event.USAGE, {}, "{}"),
        connection.turn(),
        connection.tool_call(),
        connection.closed(),
        Process().record(Event.DROPPED_RECORDS, {Attribute.DROPPED_COUNT: 1}),
    )

    assert rejected(store, connection.id) == []
    assert frames_stored(store, connection.id) == 9


@pytest.mark.parametrize(
    ("changes", "count", "stored", "reason"),
    [
        ({FramesBody.KIND: ["audio"]}, 3, 1, UNEQUAL),
        ({FramesBody.TURN: None}, 3, 0, UNEQUAL),
        ({FramesBody.OFFSET: "x"}, 3, 0, UNEQUAL),
        ({FramesBody.BYTES: [1, 2, 3, 4]}, 3, 3, UNEQUAL),
        ({}, 4, 3, "frames: not as many as were announced"),
        ({}, 2, 3, "frames: not as many as were announced"),
        ({FramesBody.SEQ: None}, 3, 0, "frames: no number"),
        ({FramesBody.SEQ: -1}, 3, 0, "frames: no number"),
        ({FramesBody.SEQ: 2**32 - 2}, 3, 0, "frames: no number"),
        ({FramesBody.SEQ: 2**32 - 3}, 3, 3, None),
        ({FramesBody.SAMPLE_RATE: [16_000]}, 3, 3, None),
    ],
)
def test_packed_frames_that_lost_some_are_told(
    store: Store, changes: Mapping[str, object], count: int, stored: int, reason: str | None
) -> None:
    process = Process()
    damaged, whole = process.connection(), process.connection()
    insert(store, frames_event(damaged, changes, count), whole.packed(FRAMES))

    assert frames_stored(store, damaged.id) == stored
    assert reasons(store, damaged.id) == [reason] * (reason is not None)
    assert (frames_stored(store, whole.id), reasons(store, whole.id)) == (3, [])


@pytest.mark.parametrize("body", ["", "[]", "null", '{"seq":1', "\x00", '{"seq":0}', "{}"])
@pytest.mark.parametrize("count", [None, 3])
def test_packed_frames_without_a_readable_body_are_told(store: Store, body: str, count: int | None) -> None:
    connection = Process().connection()
    values: Values = {} if count is None else {Attribute.FRAMES_COUNT: count}
    insert(store, connection.event(Event.FRAMES, values, body))

    assert reasons(store, connection.id) == [UNREAD]


def test_packed_frames_are_told_wherever_they_were_cut(store: Store) -> None:
    """An exporter's length limit cuts texts in the middle."""
    process = Process()
    whole = process.connection().packed(FRAMES).resource_logs[0].scope_logs[0].log_records[0]
    body = whole.body.string_value
    cut = {process.connection(): body[:length] for length in range(0, len(body), 7)}
    insert(
        store, *(each.event(Event.FRAMES, {Attribute.FRAMES_COUNT: 3}, text) for each, text in cut.items())
    )

    assert [reasons(store, each.id) for each in cut] == [[UNREAD]] * len(cut)


@pytest.mark.parametrize("seq", ["", "x", "-1", str(2**32)])
def test_a_frame_without_a_number_takes_no_others_place(store: Store, seq: str) -> None:
    connection = Process().connection()
    insert(store, *connection.frame_records(FRAMES[:1]))
    values: Values = {Attribute.FRAME_SEQ: seq, Attribute.FRAME_KIND: "impostor"}
    insert(store, connection.event(Event.FRAME, values))

    kinds = "SELECT kind FROM livemeter.live_frames WHERE connection_id = {id:String}"
    assert rows(store, kinds, id=connection.id) == [{"kind": "audio"}]
    assert reasons(store, connection.id) == ["frame: no number"]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("", "usage: the body is no JSON object"),
        ("[1]", "usage: the body is no JSON object"),
        ('{"prompt":5', "usage: the body is no JSON object"),
        ('{"prompt":-1}', "usage: prompt cannot be read"),
        ('{"prompt":"many"}', "usage: prompt cannot be read"),
        ('{"prompt":1,"thoughts":[1]}', "usage: thoughts cannot be read"),
        ('{"response":18446744073709551616}', "usage: response cannot be read"),
        ('{"prompt":5,"prompt_details":7}', "usage: prompt_details cannot be read"),
        ('{"prompt":5,"prompt_details":[{"TEXT":5}]}', "usage: prompt_details cannot be read"),
        ('{"prompt":5,"cached_details":{"TEXT":"x"}}', "usage: cached_details cannot be read"),
        ('{"prompt":5,"prompt_details":null,"thoughts":null}', None),
        ('{"prompt":0}', None),
    ],
)
def test_tokens_that_cannot_be_read_are_told(store: Store, body: str, reason: str | None) -> None:
    process = Process()
    bad, good = process.connection(), process.connection()
    insert(store, bad.event(Event.USAGE, body=body), good.usage(70, 5))

    assert reasons(store, bad.id) == [reason] * (reason is not None)
    assert row_of(store, "livemeter.live_connections", good)["connection_id"] == good.id
    assert reasons(store, good.id) == []


@pytest.mark.parametrize("event", [Event.USAGE, Event.TURN, Event.TOOL_CALL])
@pytest.mark.parametrize("seq", ["", "x", "-1", str(2**64)])
def test_a_fact_without_a_number_is_told(store: Store, event: Event, seq: str) -> None:
    """Facts are kept apart by it: two without would be one."""
    connection = Process().connection()
    insert(store, connection.event(event, {Attribute.EMITTER_SEQ: seq}, "{}"))

    assert reasons(store, connection.id) == ["event: no number"]


@pytest.mark.parametrize("event", [event for event in Event if event != Event.DROPPED_RECORDS])
def test_an_event_of_no_connection_is_told(store: Store, event: Event, unique: str) -> None:
    connection = Process().connection()
    wrong = ["", connection.id + "ff", connection.id[:31], connection.id + "\n", "g" + connection.id[1:]]
    requests = [connection.event(event, {Attribute.CONNECTION_ID: one, unique: "1"}) for one in wrong]
    insert(store, *requests)

    sql = "SELECT connection_id, reason FROM livemeter.rejects WHERE attributes[{key:String}] = '1'"
    found = rows(store, sql, key=unique)
    assert sorted(str(row["connection_id"]) for row in found) == sorted(wrong)
    assert {row["reason"] for row in found} == {NO_ID}


@pytest.mark.parametrize("event", list(Event))
def test_an_id_that_begins_like_a_connections_adds_nothing_to_it(store: Store, event: Event) -> None:
    """Cut to the length of an id it would be one."""
    connection = Process().connection()
    insert(store, connection.started(), connection.usage(70, 5), connection.turn(), connection.packed(FRAMES))
    before = facts(store, connection)

    values: Values = {Attribute.CONNECTION_ID: connection.id + "00", Attribute.HANDLE_HASH: new_id()}
    insert(store, connection.event(event, values, json.dumps({"prompt": 5, "seq": 9})))
    insert(store, connection.event(event, {Attribute.CONNECTION_ID: connection.id + "00"}, frames_body()))

    assert facts(store, connection) == before
    assert reasons(store, connection.id + "00") == [NO_ID, NO_ID]


def facts(store: Store, connection: Connection) -> list[object]:
    """What the typed tables hold of a connection."""
    tables = ("connections", "frames", "usage", "turns", "tool_calls", "handles")
    sql = "SELECT * FROM livemeter.{} FINAL WHERE lower(hex(connection_id)) = {{id:String}} ORDER BY ALL"
    return [rows(store, sql.format(table), id=connection.id) for table in tables]


def frames_body() -> str:
    packed = Process().connection().packed(FRAMES)
    return packed.resource_logs[0].scope_logs[0].log_records[0].body.string_value


def test_a_reject_keeps_the_beginning_of_what_came(store: Store) -> None:
    connection = Process().connection()
    body, odd = "é" * 100_000, {"long": "x" * 100_000}
    insert(store, connection.event(Event.USAGE, {**odd, Attribute.TURN: 4}, body))

    (row,) = rejected(store, connection.id)
    assert row["event_name"] == Event.USAGE
    assert str(row["body"]) == body[:2048]
    attributes = row["attributes"]
    assert isinstance(attributes, dict)
    assert (attributes["long"], attributes[Attribute.TURN]) == ("x" * 1024, "4")
    assert abs(row["received_at"].timestamp() * 1000 - NOW_MS) < 3_600_000  # type: ignore[attr-defined]


def test_a_batch_that_comes_again_is_rejected_once(store: Store) -> None:
    connection = Process().connection()
    body, token = connection.event(Event.FRAMES, body="[").SerializeToString(), new_id()
    for _ in range(3):
        store.insert_otlp(Signal.LOGS, body, token)

    assert reasons(store, connection.id) == [UNREAD]


@dataclass(frozen=True, slots=True)
class Hostile:
    """One event as a careless or hostile sender makes it."""

    event: Event
    identity: str
    """What is done to the connection's id; empty leaves it."""
    at_ns: int
    attributes: tuple[tuple[str, Value], ...]
    """Set over its own ones, or behind them."""
    first: bool
    body: str | bytes


SCALARS: st.SearchStrategy[Value] = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([0, -1, 2**31, 2**32, 2**53, 2**63 - 1, -(2**63)]),
    st.sampled_from([0.0, -0.0, 1.5, -1e308, 1e308, 5e-324, float("nan"), float("inf"), float("-inf")]),
    st.sampled_from(
        ["", "9" * 400, "-1", "1e999", "0x10", "18446744073709551616", "[", '{"a":', "\x00", "zz" * 16]
    ),
    st.text(max_size=20),
    st.binary(max_size=20),
)
KINDS = st.sampled_from(["AUDIO", "TEXT", "", "é"])
LEAVES: st.SearchStrategy[object] = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([0, 1, -1, 2**31, 2**32, 2**63, 2**64, 10**30, -(2**63), 1.5, 1e300, -1e300]),
    st.text(max_size=5),
)


def lists_and_objects(inner: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.one_of(st.lists(inner, max_size=5), st.dictionaries(KINDS, inner, max_size=3))


JSON = st.recursive(LEAVES, lists_and_objects, max_leaves=8)
IDENTIFYING = [str(Attribute.EMITTER_SEQ), str(Attribute.FRAME_SEQ), str(Attribute.FRAMES_COUNT)]
NAMES = st.sampled_from(IDENTIFYING) | st.sampled_from(
    [str(name) for name in Attribute if name != Attribute.CONNECTION_ID]
)
FRAME_KEYS = [str(key) for key in FramesBody if key != FramesBody.HANDLES]
FIGURE_KEYS = [str(key) for key in UsageBody]


@st.composite
def bodies(draw: st.DrawFn, event: Event) -> str | bytes:
    """Near the right one more often than not: a value replaced, the text cut, bytes that are no text."""
    if event is Event.FRAMES:
        whole = (
            Process()
            .connection()
            .packed(FRAMES)
            .resource_logs[0]
            .scope_logs[0]
            .log_records[0]
            .body.string_value
        )
        body = {**json.loads(whole), **draw(st.dictionaries(st.sampled_from(FRAME_KEYS), JSON, max_size=2))}
    else:
        body = {**FIGURES, **draw(st.dictionaries(st.sampled_from(FIGURE_KEYS), JSON, max_size=3))}
    text = json.dumps(body, ensure_ascii=draw(st.booleans()))
    match draw(st.integers(0, 5)):
        case 0:
            return text[: draw(st.integers(0, len(text)))]
        case 1:
            cut = draw(st.integers(0, len(text)))
            return text[:cut].encode() + draw(st.binary(max_size=4)) + text[cut:].encode()
        case _:
            return text


@st.composite
def hostile_events(draw: st.DrawFn) -> Hostile:
    event = draw(st.sampled_from([Event.FRAMES, Event.FRAMES, Event.USAGE, Event.USAGE, *Event]))
    return Hostile(
        event,
        draw(st.sampled_from(["", "", "", "ff", "\x00", "é", "f" * 5_000])),
        draw(st.sampled_from([0, 1, 2**63 - 1, 2**63, 2**64 - 1]) | st.integers(0, 2**64 - 1)),
        tuple(draw(st.lists(st.tuples(NAMES, SCALARS), max_size=4))),
        draw(st.booleans()),
        draw(bodies(event)),
    )


def request_of(hostile: Hostile, connection: Connection) -> bytes:
    """The bytes as they come: a text that is none is put in where no protobuf library would let it."""
    request = connection.event(hostile.event, {Attribute.CONNECTION_ID: connection.id + hostile.identity})
    record = request.resource_logs[0].scope_logs[0].log_records[0]
    record.time_unix_nano = hostile.at_ns
    if hostile.event is Event.FRAMES:
        record.attributes.extend(key_values({Attribute.FRAMES_COUNT: len(FRAMES)}))
    if hostile.event is Event.FRAME:
        record.attributes.extend(key_values({Attribute.FRAME_SEQ: 1}))
    own: list[KeyValue] = list(record.attributes)
    odd = [KeyValue(key=name, value=any_value(value)) for name, value in hostile.attributes]
    del record.attributes[:]
    record.attributes.extend(odd + own if hostile.first else own + odd)
    if isinstance(hostile.body, str):
        record.body.string_value = hostile.body
        return request.SerializeToString()
    marks = b"?" * len(hostile.body)
    record.body.string_value = marks.decode()
    return request.SerializeToString().replace(marks, hostile.body) if marks else request.SerializeToString()


TYPED = {
    Event.TURN: "turns",
    Event.TOOL_CALL: "tool_calls",
    Event.FRAME: "frames",
    Event.USAGE: "usage",
}


def is_kept(store: Store, hostile: Hostile, connection: Connection) -> bool:
    """Whether the event became what it should become."""
    if hostile.event is Event.FRAMES:
        return frames_stored(store, connection.id) == len(FRAMES)
    table = TYPED.get(hostile.event, "connections")
    sql = f"SELECT 1 FROM livemeter.{table} WHERE lower(hex(connection_id)) = {{id:String}}"
    if rows(store, sql, id=connection.id):
        return True
    return hostile.event is Event.USAGE and says_nothing(hostile.body)


def says_nothing(body: str | bytes) -> bool:
    """Whether a usage frame tells of no whole token at all."""
    try:
        told = json.loads(body)
    except ValueError:
        return False
    keys = ["prompt", "tool_use", "cached", "response", "thoughts"]
    figures = [told.get(key) for key in keys] if isinstance(told, dict) else [1]
    details = [told.get(f"{key}_details") for key in keys] if isinstance(told, dict) else [1]
    return not any(details) and all(not figure or figure == "0" for figure in figures)


@settings(max_examples=20)
@given(st.lists(hostile_events(), min_size=1, max_size=8))
def test_every_event_is_stored_or_rejected_and_its_neighbour_is_stored(
    store: Store, events: list[Hostile]
) -> None:
    process = Process()
    good = process.connection()
    theirs = [(hostile, process.connection()) for hostile in events]
    sane = [good.packed(FRAMES), good.usage(70, 5), good.turn(), good.tool_call(), good.closed()]
    body = b"".join(request_of(*each) for each in theirs)
    body += b"".join(request.SerializeToString() for request in sane)

    store.insert_otlp(Signal.LOGS, body, new_id())

    assert frames_stored(store, good.id) == len(FRAMES)
    for table, count in {"turns": 1, "tool_calls": 1, "usage": 2, "connections": 1}.items():
        sql = f"SELECT 1 FROM livemeter.{table} FINAL WHERE lower(hex(connection_id)) = {{id:String}}"
        assert len(rows(store, sql, id=good.id)) == count
    assert rejected(store, good.id) == []
    for hostile, connection in theirs:
        told = (connection.id + hostile.identity).encode()[:256].decode(errors="replace")
        assert rejected(store, told) or (not hostile.identity and is_kept(store, hostile, connection)), (
            hostile
        )
