"""Frames, however they travel: the same rows, each once, with its sample rate, and gaps that are seen."""

import json
from collections.abc import Sequence

import pytest

from livemeter.vocabulary import Attribute, Event, FramesBody
from livemeter_collector.store.contract import Store
from tests.collector.sql.telemetry import NOW_MS, Connection, Frame, Process, insert, row_of, rows

FRAMES: list[Frame] = [
    (0, "sent", "setup", (), 900, 0, 0, 0),
    (120, "received", "setupComplete", (), 24, 0, 0, 0),
    (121, "sent", "audio", (), 870, 20, 16_000, 1),
    (121, "received", "audio", ("audio", "outputTranscription", "usageMetadata"), 2_100, 40, 24_000, 1),
    (90, "received", "turnComplete", ("turnComplete", "generationComplete"), 60, 0, 0, 1),
    (5_000, "received", 'odd "kind" é', (), 4_294_967_295, 4_294_967_295, 4_294_967_295, 4_294_967_295),
]
"""One at the same time as another, one before the one before it, and one with the largest figures."""


def stored(store: Store, connection: Connection) -> list[dict[str, object]]:
    return rows(
        store,
        "SELECT * EXCEPT (session_id, connection_id) FROM livemeter.live_frames"
        " WHERE connection_id = {id:String} ORDER BY seq",
        id=connection.id,
    )


def columns(connection: Connection, store: Store) -> Sequence[object]:
    return [tuple(row.values()) for row in stored(store, connection)]


def test_packed_and_one_by_one_frames_are_the_same_rows(store: Store) -> None:
    packed, records = Process().connection(), Process().connection()
    insert(store, packed.packed(FRAMES))
    insert(store, *records.frame_records(FRAMES))

    assert columns(packed, store) == columns(records, store)
    assert [row["seq"] for row in stored(store, packed)] == list(range(len(FRAMES)))


def test_a_frame_is_what_was_told(store: Store) -> None:
    connection = Process().connection()
    insert(store, connection.packed(FRAMES[3:5], first=70))

    first, second = stored(store, connection)
    assert {name: value for name, value in first.items() if name != "ts"} == {
        "seq": 70,
        "direction": "received",
        "kind": "audio",
        "contents": ["audio", "outputTranscription", "usageMetadata"],
        "bytes": 2_100,
        "audio_ms": 40,
        "sample_rate": 24_000,
        "turn": 1,
    }
    times = rows(
        store,
        "SELECT toUnixTimestamp64Milli(ts) AS ms FROM livemeter.live_frames"
        " WHERE connection_id = {id:String} ORDER BY seq",
        id=connection.id,
    )
    assert [row["ms"] for row in times] == [NOW_MS + 121, NOW_MS + 90]
    assert second["contents"] == ["turnComplete", "generationComplete"]


def test_a_frame_that_carried_its_kind_alone_contains_it(store: Store) -> None:
    connection = Process().connection()
    insert(store, connection.packed(FRAMES[:1]))

    assert stored(store, connection)[0]["contents"] == ["setup"]


def test_a_body_from_before_sample_rates_and_handles_is_whole(store: Store) -> None:
    connection = Process().connection()
    request = connection.packed(FRAMES)
    record = request.resource_logs[0].scope_logs[0].log_records[0]
    body = json.loads(record.body.string_value)
    del body[FramesBody.SAMPLE_RATE]
    record.body.string_value = json.dumps(body)
    insert(store, request)

    found = stored(store, connection)
    assert [row["kind"] for row in found] == [frame[2] for frame in FRAMES]
    assert {row["sample_rate"] for row in found} == {0}


def test_frames_that_come_again_count_once_in_either_form(store: Store) -> None:
    connection = Process().connection()
    for _ in range(2):
        insert(store, connection.packed(FRAMES))
        insert(store, *connection.frame_records(FRAMES))

    assert len(stored(store, connection)) == len(FRAMES)


@pytest.mark.parametrize("form", ["packed", "records"])
def test_frames_are_no_logs(store: Store, form: str) -> None:
    process = Process()
    connection = process.connection()
    requests = [connection.packed(FRAMES)] if form == "packed" else connection.frame_records(FRAMES)
    insert(store, *requests, connection.turn())

    kept = rows(
        store,
        "SELECT EventName FROM livemeter.logs WHERE LogAttributes[{key:String}] = {id:String}",
        key=str(Attribute.CONNECTION_ID),
        id=connection.id,
    )
    assert [row["EventName"] for row in kept] == [Event.TURN]


@pytest.mark.parametrize(
    ("body", "kinds"),
    [
        ('{"base":0,"seq":3,"offset":[0,1],"direction":[0],"kind":["a","b"]', []),
        ('{"seq":3,"offset":[0,1],"direction":[0,1],"kind":["a"],"contents":[[],[]],'
         '"bytes":[1,2],"audio_ms":[0,0],"turn":[0,0]}', ["a"]),
        ('{"seq":3,"offset":[0,1],"direction":[0,1],"kind":["a","b"],"contents":[[],[]],'
         '"bytes":[1,2],"audio_ms":[0,0],"sample_rate":[16000],"turn":[0,0]}', ["a", "b"]),
        ('{"seq":3,"offset":[9223372036854775807,9223372036854775807],"direction":[0,7],"kind":["a",5],'
         '"contents":[["x"],"no list"],"bytes":[-1,1e99],"audio_ms":["1",null],"turn":[true,{}]}', None),
        ("[]", []),
        ("", []),
        ("null", []),
        ("\x00\xff", []),
    ],
)  # fmt: skip
def test_a_damaged_body_loses_at_most_its_own_frames(
    store: Store, body: str, kinds: list[str] | None
) -> None:
    """Columns are cut to the shortest; the good event in the same insert is stored in any case."""
    process = Process()
    damaged, whole = process.connection(), process.connection()
    insert(store, damaged.event(Event.FRAMES, body=body), whole.packed(FRAMES))

    assert len(stored(store, whole)) == len(FRAMES)
    if kinds is not None:
        assert [row["kind"] for row in stored(store, damaged)] == kinds


def test_missing_frames_are_counted(store: Store) -> None:
    """The close says how many there were; before it the numbers do."""
    process = Process()
    connection, silent = process.connection(), process.connection()
    insert(store, connection.packed(FRAMES[:2]), silent.started())
    insert(store, connection.packed(FRAMES[:3], first=4))
    assert row_of(store, "livemeter.live_frame_losses", connection) == {
        "session_id": connection.id,
        "connection_id": connection.id,
        "app": "lessons",
        "frames_observed": 7,
        "frames_stored": 5,
        "frames_missing": 2,
    }

    insert(store, connection.closed(FRAMES_OBSERVED=10), silent.closed(FRAMES_OBSERVED=9))
    assert row_of(store, "livemeter.live_connections", connection)["frames"] == 10
    assert row_of(store, "livemeter.live_frame_losses", connection)["frames_missing"] == 5
    # Frames that were switched off are not missing.
    assert not rows(
        store, "SELECT * FROM livemeter.live_frame_losses WHERE connection_id = {id:String}", id=silent.id
    )
