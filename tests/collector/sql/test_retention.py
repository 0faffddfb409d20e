"""Rows past their age go, younger ones stay, and a table that has its TTL is left alone.

The engine is a process's own: what is taken out here would be missing in other tests.
"""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from livemeter_collector.store.retention import MAX_DAYS, Retention

PREPARED = '''
import json, sys, time
from pathlib import Path
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from livemeter_collector.store.contract import Signal
from livemeter_collector.store.migrate import migrate
from livemeter_collector.store.open import open_embedded
from livemeter_collector.store.retention import Retention, apply_retention
from livemeter_collector.store.settle import rebuild
from tests.collector.otlp_messages import logs_request
from tests.collector.sql.telemetry import Process, new_id

store = open_embedded(Path(sys.argv[1]))
migrate(store)
DAY_NS = 86_400 * 10**9
NOW_NS = time.time_ns()

def at(days):
    return max(0, min(2**64 - 1, NOW_NS - days * DAY_NS))

def live(days):
    connection = Process().connection()
    requests = [
        *connection.frame_records([(0, "sent", "a", (), 1, 0, 0, 1)]),
        connection.started(), connection.usage(5), connection.turn(), connection.tool_call(),
        connection.given("h"), connection.event("gemini_live.usage", body="["),
    ]
    for request in requests:
        request.resource_logs[0].scope_logs[0].log_records[0].time_unix_nano = at(days)
    return b"".join(request.SerializeToString() for request in requests)

def span(days):
    request = ExportTraceServiceRequest()
    request.resource_spans.add().scope_spans.add().spans.add(name="x", start_time_unix_nano=at(days))
    return request.SerializeToString()

def points(days):
    request = ExportMetricsServiceRequest()
    metrics = request.resource_metrics.add().scope_metrics.add().metrics
    for kind in ("gauge", "sum", "histogram", "exponential_histogram", "summary"):
        getattr(metrics.add(name=kind), kind).data_points.add(time_unix_nano=at(days))
    return request.SerializeToString()

def seed(*ages):
    """As one insert: rows of one month, old and young, are in one part."""
    for signal, body in ((Signal.LOGS, live), (Signal.TRACES, span), (Signal.METRICS, points)):
        store.insert_otlp(signal, b"".join(body(days) for days in ages), new_id())
    rebuild(store, margin_s=0)

KEPT = ["frames", "logs", "otel_traces", "otel_metrics_gauge", "otel_metrics_sum", "otel_metrics_histogram",
        "otel_metrics_exponential_histogram", "otel_metrics_summary", "usage", "turns", "tool_calls",
        "settled_sessions", "settled_turns", "settled_usage", "connections", "emitters", "handles"]

def merge():
    for table in KEPT:
        store.command(f"OPTIMIZE TABLE livemeter.{table} FINAL")

def counts():
    return {table: store.query(f"SELECT count() FROM livemeter.{table}").rows[0][0] for table in KEPT}

def engines():
    sql = "SELECT name, engine_full FROM system.tables WHERE database = 'livemeter' ORDER BY name"
    return store.query(sql).rows
'''

EVERY_KIND = (
    PREPARED
    + """
seed(0, 5, 20, 300)
before = counts()
apply_retention(store, Retention(frames=10, logs=10, traces=10, metrics=30, facts=100))
seed(0, 5, 20, 300)
merge()
print(json.dumps([before, counts()]))
"""
)


def test_old_rows_go_and_young_ones_stay_in_every_table(python: Callable[..., str], tmp_path: Path) -> None:
    """Of four ages, in days: 0, 5, 20 and 300, once before the tables have a TTL and once after."""
    before, after = json.loads(python(EVERY_KIND, tmp_path / "data"))
    metrics = [name for name in before if name.startswith("otel_metrics_")]
    facts = [
        "usage",
        "turns",
        "tool_calls",
        "settled_sessions",
        "settled_turns",
        "settled_usage",
        "connections",
        "emitters",
        "handles",
    ]
    assert len(metrics) == 5
    assert before == dict.fromkeys(before, 4) | {"logs": 24}
    assert after == (
        dict.fromkeys(["frames", "otel_traces"], 4)
        | {"logs": 24}
        | dict.fromkeys(metrics, 6)
        | dict.fromkeys(facts, 6)
    )


BY_ITSELF = (
    PREPARED
    + """
seed(0, 20)
apply_retention(store, Retention(facts=10))
def left():
    return [counts()["usage"], counts()["handles"]]
for _ in range(300):
    if left() == [1, 1]:
        break
    time.sleep(0.05)
print(json.dumps(left()))
"""
)


def test_rows_that_are_too_old_already_go_by_themselves(python: Callable[..., str], tmp_path: Path) -> None:
    assert json.loads(python(BY_ITSELF, tmp_path / "data")) == [1, 1]


CHANGED = (
    PREPARED
    + """
told = [apply_retention(store, Retention(facts=50))]
made = engines()
told.append(apply_retention(store, Retention(facts=50)))
store.close()
store = open_embedded(Path(sys.argv[1]))
migrate(store)
told.append(apply_retention(store, Retention(facts=50)))
same = engines() == made
told.append(apply_retention(store, Retention(frames=7, facts=50)))
told.append(apply_retention(store, Retention(None, None, None, None, None)))
told.append(apply_retention(store, Retention(None, None, None, None, None)))
seed(300)
merge()
left = [engine for _, engine in engines() if " TTL " in engine]
print(json.dumps([told, same, left, counts()]))
"""
)


def test_a_table_is_altered_only_where_its_ttl_differs(python: Callable[..., str], tmp_path: Path) -> None:
    told, same, left, kept = json.loads(python(CHANGED, tmp_path / "data"))
    first, again, restarted, frames, forever, forever_again = told
    altered = {line.partition(":")[0] for line in first}
    assert altered == {*kept, "rejects"}
    # Old rows go from among young ones, not only with the last of their part.
    parts = {line.partition(":")[0] for line in first if "SETTING ttl_only_drop_parts = 0" in line}
    assert parts == altered
    assert (again, restarted, same) == ([], [], True)
    assert frames == [
        "frames: MODIFY SETTING merge_with_ttl_timeout = 86400",
        "frames: MODIFY TTL toDateTime(ts) + toIntervalDay(7)",
    ]
    assert sorted(forever) == sorted(f"{table}: REMOVE TTL" for table in altered)
    assert (forever_again, left) == ([], [])
    assert kept == dict.fromkeys(kept, 1) | {"logs": 6}


FUTURE = (
    PREPARED
    + """
ages = (-500 * 365, -100 * 365, -40 * 365, -1, 0, 5)
for days in ages:
    store.insert_otlp(Signal.LOGS, logs_request(["x"], time_unix_nano=at(days)).SerializeToString(), new_id())
    store.insert_otlp(Signal.TRACES, span(days), new_id())
    store.insert_otlp(Signal.METRICS, points(days), new_id())
for days in (11, 400):
    store.insert_otlp(Signal.TRACES, span(days), new_id())
apply_retention(store, Retention(10, 10, 10, 10, 10))
merge()
print(json.dumps([len(ages), counts()]))
"""
)


def test_a_clock_in_the_future_ends_no_row_early_and_keeps_no_other(
    python: Callable[..., str], tmp_path: Path
) -> None:
    """Times up to the end of 64 bits, far beyond what a TTL can reckon with."""
    count, after = json.loads(python(FUTURE, tmp_path / "data"))
    telemetry = ["logs", "otel_traces", *(name for name in after if name.startswith("otel_metrics_"))]
    assert {name: after[name] for name in telemetry} == dict.fromkeys(telemetry, count)


@pytest.mark.parametrize("kind", ["frames", "logs", "traces", "metrics", "facts"])
@pytest.mark.parametrize("days", [0, -1, MAX_DAYS + 1])
def test_what_is_no_age_is_refused(kind: str, days: int) -> None:
    with pytest.raises(ValueError, match=f"{kind}: .*, not {days}"):
        Retention(**{kind: days})


LONGEST = (
    PREPARED
    + f"""
seed(0, 390)
apply_retention(store, Retention(*[{MAX_DAYS}] * 5))
merge()
print(json.dumps(counts()))
"""
)


def test_the_longest_age_that_can_be_said_keeps_everything(
    python: Callable[..., str], tmp_path: Path
) -> None:
    after = json.loads(python(LONGEST, tmp_path / "data"))
    assert after == dict.fromkeys(after, 2) | {"logs": 12}
