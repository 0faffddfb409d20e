"""The ledger: what a collector took is stored, set aside or in its journal still, and one query says so."""

import datetime as dt
import json
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from livemeter_collector.receive.schema import count_records
from livemeter_collector.store.contract import Signal, Store
from livemeter_collector.store.ledger import DoorRow, write_door
from tests.collector.otlp_messages import logs_request
from tests.collector.sql.telemetry import Process, Row, new_id, rows

NOON = dt.datetime(2026, 11, 21, 12, 0, 0, 250_000, dt.UTC)


def origin(collector: str, segment: int, requests: int = 1, records: int = 1) -> str:
    return f"journal=1 collector={collector} segment={segment} requests={requests} records={records}"


def spans(*counts: int) -> Message:
    """As many spans in scopes of one resource each, and a resource without any."""
    request = ExportTraceServiceRequest()
    request.resource_spans.add()
    for count in counts:
        scope = request.resource_spans.add().scope_spans.add()
        for number in range(count):
            scope.spans.add(name=f"span {number}", start_time_unix_nano=10, end_time_unix_nano=5)
    return request


def points() -> Message:
    """2 gauge points in two resources, and 1 + 3 + 1 + 4 points of the other kinds; two metrics have none."""
    request = ExportMetricsServiceRequest()
    for resource in (request.resource_metrics.add(), request.resource_metrics.add()):
        scope = resource.scope_metrics.add()
        scope.metrics.add(name="nothing")
        scope.metrics.add(name="gauge").gauge.data_points.add(as_int=1)
    scope.metrics.add(name="sum").sum.data_points.add(as_double=1.5)
    histogram = scope.metrics.add(name="histogram").histogram
    for _ in range(3):
        histogram.data_points.add(count=1)
    scope.metrics.add(name="exponential").exponential_histogram.data_points.add(scale=1)
    summary = scope.metrics.add(name="summary").summary
    for _ in range(4):
        summary.data_points.add(count=1)
    return request


def counted(store: Store, collector: str) -> list[Row]:
    return rows(
        store,
        "SELECT signal, segment, requests, records, stored FROM livemeter.ledger_inserts"
        " WHERE collector_id = {id:String} ORDER BY signal, segment, stored",
        id=collector,
    )


def ledger(store: Store, collector: str) -> dict[str, Row]:
    """Return the view's rows of a collector by signal."""
    found = rows(store, "SELECT * FROM livemeter.ledger WHERE collector_id = {id:String}", id=collector)
    return {str(row.pop("signal")): row for row in found}


def door(collector: str, signal: Signal = Signal.LOGS, **figures: int) -> DoorRow:
    """A row that has 0 where nothing is said, at noon and some milliseconds."""
    names = ("accepted", "set_aside", "journal")
    totals = {f"{name}_{unit}": 0 for name in names for unit in ("requests", "records", "bytes")} | {
        "done_through": 0
    }
    del totals["set_aside_bytes"]
    at = NOON + dt.timedelta(milliseconds=figures.pop("at", 0))
    return DoorRow(at, collector, signal, **(totals | figures))


@pytest.fixture
def collector() -> str:
    return str(uuid.uuid4())


@pytest.mark.parametrize(
    ("signal", "requests", "expected"),
    [
        (Signal.LOGS, [logs_request(["a", "b", None]), logs_request([]), logs_request(["c"])], 4),
        (Signal.TRACES, [spans(2, 0, 3), spans(), spans(1)], 6),
        (Signal.METRICS, [points(), ExportMetricsServiceRequest(), points()], 22),
    ],
)
def test_the_engine_counts_what_the_door_counts(
    store: Store, collector: str, signal: Signal, requests: Sequence[Message], expected: int
) -> None:
    """Requests whose bytes follow each other, each counted by its own protobuf class."""
    records = sum(count_records(signal, request) for request in requests)
    assert records == expected
    body = b"".join(request.SerializeToString() for request in requests)

    store.insert_otlp(signal, body, new_id(), origin(collector, 7, len(requests), records))

    (row,) = counted(store, collector)
    assert row == {
        "signal": str(signal), "segment": 7, "requests": 3, "records": records, "stored": records
    }  # fmt: skip


def test_live_events_and_their_frames_count_as_the_records_they_came_in(store: Store, collector: str) -> None:
    connection = Process().connection()
    frames = [(0, "sent", "a", (), 1, 0, 0, 1), (1, "sent", "a", (), 1, 0, 0, 1)]
    body = connection.packed(frames).SerializeToString() + connection.usage(5, 5).SerializeToString()
    store.insert_otlp(Signal.LOGS, body, new_id(), origin(collector, 1, 2, 2))

    assert [row["stored"] for row in counted(store, collector)] == [2]


def test_an_insert_that_is_repeated_counts_once(store: Store, collector: str) -> None:
    body, token = logs_request(["a", "b"]).SerializeToString(), new_id()
    for _ in range(3):
        store.insert_otlp(Signal.LOGS, body, token, origin(collector, 1, 1, 2))

    assert [row["stored"] for row in counted(store, collector)] == [2]


def test_parts_of_a_segment_count_together(store: Store, collector: str) -> None:
    """A segment is cut up around a request that the engine cannot read."""
    for part in (["a", "b"], ["c"]):
        body = logs_request(part).SerializeToString()
        store.insert_otlp(Signal.LOGS, body, new_id(), origin(collector, 4, 1, len(part)))
    write_door(store, [door(collector, accepted_records=4, set_aside_records=1, done_through=4)])

    row = ledger(store, collector)["logs"]
    assert (row["accepted"], row["stored"], row["set_aside"], row["missing"]) == (4, 3, 1, 0)


STRANGE = [
    "",
    " ",
    "journal=1",
    "journal=2 collector=a segment=1 requests=1 records=1",
    "journal=1 ",
    "journal=1 collector= segment= requests= records=",
    "journal=1 collector=%s segment=-1 requests=1e9 records=0x5",
    "journal=1 collector=%s segment=18446744073709551616 requests=NaN records=99999999999999999999999999",
    "journal=1 records=1 collector=%s",
    "journal=1 collector=%s'\"\\; DROP TABLE logs segment=\\d+ records={a:String}",
    "journal=1 collector=é\x01\t\n%s segment=\u0664 requests=\ud7ff",
    "journal=1 " + "collector=%s " * 2_000,
    "journal=1 " + "x" * 100_000,
]


@pytest.mark.parametrize("signal", Signal)
@pytest.mark.parametrize("comment", STRANGE)
def test_a_strange_comment_fails_no_insert(store: Store, unique: str, signal: Signal, comment: str) -> None:
    body = {Signal.LOGS: logs_request(["x"], unique), Signal.TRACES: spans(1), Signal.METRICS: points()}
    store.insert_otlp(signal, body[signal].SerializeToString(), new_id(), comment.replace("%s", unique))

    if signal is Signal.LOGS:
        logs = "SELECT count() AS n FROM livemeter.logs WHERE ServiceName = {service:String}"
        assert rows(store, logs, service=unique) == [{"n": 1}]
    assert all(row["segment"] == 0 for row in counted(store, unique))


def test_what_comes_from_elsewhere_is_not_in_the_ledger(store: Store) -> None:
    def total() -> list[Row]:
        return rows(store, "SELECT count() AS n FROM livemeter.ledger_inserts")

    before = total()
    for comment in ("", "a dashboard", "journal=10 collector=a segment=1 requests=1 records=1"):
        store.insert_otlp(Signal.LOGS, logs_request(["x"]).SerializeToString(), new_id(), comment)
        store.insert_otlp(Signal.TRACES, spans(1).SerializeToString(), new_id(), comment)
        store.insert_otlp(Signal.METRICS, points().SerializeToString(), new_id(), comment)
    assert total() == before


def test_what_is_in_the_journal_still_is_not_missing(store: Store, collector: str) -> None:
    """Segment 3 reached the engine before the collector said so: it counts as in the journal."""
    for segment, bodies in ((1, ["a", "b"]), (2, ["c"]), (3, ["d", "e", "f"])):
        body = logs_request(bodies).SerializeToString()
        store.insert_otlp(Signal.LOGS, body, new_id(), origin(collector, segment, 1, len(bodies)))
    write_door(
        store, [door(collector, accepted_records=11, set_aside_records=4, journal_records=4, done_through=2)]
    )

    assert ledger(store, collector) == {
        "logs": {
            "collector_id": collector,
            "accepted": 11,
            "stored": 3,
            "set_aside": 4,
            "in_journal": 4,
            "missing": 0,
            "at": NOON,
        }
    }


def test_a_loss_is_seen_and_so_is_what_was_stored_twice(store: Store, collector: str) -> None:
    for segment in (1, 2):
        body = logs_request(["a", "b"]).SerializeToString()
        store.insert_otlp(Signal.LOGS, body, new_id(), origin(collector, segment, 1, 2))
        store.insert_otlp(Signal.TRACES, spans(3).SerializeToString(), new_id(), origin(collector, segment))
    write_door(
        store,
        [
            door(collector, Signal.LOGS, accepted_records=7, done_through=2),
            door(collector, Signal.TRACES, accepted_records=3, done_through=2),
            door(collector, Signal.METRICS, accepted_records=5, set_aside_records=5),
        ],
    )

    found = ledger(store, collector)
    assert {name: (row["stored"], row["missing"]) for name, row in found.items()} == {
        "logs": (4, 3),
        "traces": (6, -3),
        "metrics": (0, 0),
    }


def test_every_collector_has_an_account_of_its_own(store: Store) -> None:
    """Several collectors write to one server."""
    collectors = [str(uuid.uuid4()) for _ in range(3)]
    for number, collector in enumerate(collectors, 1):
        body = logs_request(["x"] * number).SerializeToString()
        store.insert_otlp(Signal.LOGS, body, new_id(), origin(collector, number))
    write_door(store, [door(one, accepted_records=3, done_through=3) for one in collectors])

    assert [ledger(store, one)["logs"]["missing"] for one in collectors] == [2, 1, 0]


def test_it_reads_alike_with_and_without_join_use_nulls(store: Store, collector: str) -> None:
    """A read-only reader's setting wins over a view's."""
    write_door(store, [door(collector, accepted_records=3, journal_records=2)])
    sql = "SELECT stored, missing FROM livemeter.ledger WHERE collector_id = {id:String}"
    assert [rows(store, sql + f" SETTINGS join_use_nulls = {one}", id=collector) for one in (0, 1)] == [
        [{"stored": 0, "missing": 1}]
    ] * 2


def test_the_columns_are_documented(store: Store) -> None:
    """In the page's prose: neither is a view on sessions."""
    prose = (Path(__file__).parents[3] / "docs" / "tables.md").read_text("utf-8").partition("\n## ")[0]
    for table in ("ledger", "rejects"):
        line = prose.partition(f"- `{table}` ")[2].partition("\n- ")[0]
        columns = store.query(f"SELECT * FROM livemeter.{table} LIMIT 0").columns
        assert [name for name in columns if f"`{name}`" not in line] == []


def test_what_a_collector_said_last_counts_whichever_came_first(store: Store, collector: str) -> None:
    later = door(collector, at=5, accepted_records=9, journal_records=9)
    write_door(store, [later])
    write_door(store, [door(collector, at=4, accepted_records=2, journal_records=2)])

    row = ledger(store, collector)["logs"]
    assert (row["accepted"], row["at"]) == (9, later.at)


def test_the_door_keeps_every_figure_and_writes_nothing_for_nothing(store: Store, collector: str) -> None:
    figures = (2**63 + 1, 2, 3, 4, 5, 6, 7, 8, 2**64 - 1)
    elsewhere = dt.timezone(dt.timedelta(hours=5, minutes=30))
    write_door(store, [DoorRow(NOON.astimezone(elsewhere), collector, Signal.TRACES, *figures)])
    write_door(store, [])

    table = store.query(
        "SELECT * FROM livemeter.ledger_door WHERE collector_id = {id:String}", {"id": collector}
    )
    (row,) = (dict(zip(table.columns, row, strict=True)) for row in table.rows)
    assert row == {
        "collector_id": collector,
        "signal": "traces",
        "at": NOON,
        "accepted_requests": 2**63 + 1,
        "accepted_records": 2,
        "accepted_bytes": 3,
        "set_aside_requests": 4,
        "set_aside_records": 5,
        "journal_requests": 6,
        "journal_records": 7,
        "journal_bytes": 8,
        "done_through": 2**64 - 1,
    }


Segments = list[tuple[int, int]]


@settings(max_examples=15)
@given(
    segments=st.lists(st.tuples(st.integers(1, 4), st.sampled_from((0, 1, 1, 1, 2))), min_size=1, max_size=6),
    done=st.integers(0, 6),
    aside=st.integers(0, 3),
)
def test_missing_is_what_the_engine_never_counted(
    store: Store, segments: Segments, done: int, aside: int
) -> None:
    """Each segment holds some records and is stored never, once or (under another token) twice."""
    collector = str(uuid.uuid4())
    for number, (records, times) in enumerate(segments, 1):
        body = logs_request(["x"] * records).SerializeToString()
        for _ in range(times):
            store.insert_otlp(Signal.LOGS, body, new_id(), origin(collector, number, 1, records))
    accepted = sum(records for records, _ in segments) + aside
    waiting = sum(records for records, _ in segments[done:])
    write_door(
        store,
        [
            door(
                collector,
                accepted_records=accepted,
                set_aside_records=aside,
                journal_records=waiting,
                done_through=done,
            )
        ],
    )

    missing = sum(records * (1 - times) for records, times in segments[:done])
    assert ledger(store, collector)["logs"]["missing"] == missing


AFTER_A_RESTART = """
import json, sys
from pathlib import Path
from livemeter_collector.store.contract import Signal
from livemeter_collector.store.migrate import migrate
from livemeter_collector.store.open import open_embedded
from tests.collector.otlp_messages import logs_request

body = logs_request(["a", "b", "c"]).SerializeToString()
comment = "journal=1 collector=c segment=1 requests=1 records=3"
counts = []
for _ in range(3):
    store = open_embedded(Path(sys.argv[1]))
    migrate(store)
    store.insert_otlp(Signal.LOGS, body, "a segment", comment)
    store.insert_otlp(Signal.LOGS, body, "a segment", comment)
    counts.append([row[0] for row in store.query(
        "SELECT sum(stored) FROM ledger_inserts UNION ALL SELECT count() FROM logs").rows])
    store.close()
print(json.dumps(counts))
"""


def test_a_segment_that_is_replayed_after_a_restart_counts_once(
    python: Callable[..., str], tmp_path: Path
) -> None:
    assert json.loads(python(AFTER_A_RESTART, tmp_path / "data")) == [[3, 3]] * 3
