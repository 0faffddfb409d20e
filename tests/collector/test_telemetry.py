"""The collector's own metrics and health, as a scraper and a probe meet them."""

import json
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from livemeter_collector.ingest.counters import (
    BOUNDS_S,
    Counters,
    InsertTimes,
    JournalState,
    SignalState,
    Tally,
)
from livemeter_collector.store.contract import Signal
from livemeter_collector.telemetry.app import create_telemetry_app
from livemeter_collector.telemetry.exposition import Family, Sample
from livemeter_collector.telemetry.exposition import render as render_families
from livemeter_collector.telemetry.metrics import render
from tests.collector.serving import ask, serving

GOLDEN = Path(__file__).parent / "telemetry.golden.txt"

LOGS = SignalState(
    counters=Counters(
        accepted=Tally(10, 1000, 50_000),
        repeated=Tally(1, 100, 5_000),
        refused=Tally(2, 200, 10_000),
        malformed=Tally(3, 0, 77),
        stored=Tally(7, 700, 35_000),
        set_aside=Tally(1, 5, 250),
    ),
    journal=Tally(2, 295, 14_750),
    oldest_s=1.5,
    # One up to 25 ms, two up to 50 ms, one beyond all bounds.
    insert_times=InsertTimes((1, 2, *[0] * (len(BOUNDS_S) - 2), 1), 40.125),
    failed_inserts=4,
    trouble="the disk is full",
)
STATES = {Signal.LOGS: LOGS, Signal.TRACES: SignalState(), Signal.METRICS: SignalState()}
JOURNAL = JournalState(bytes=14_800, limit_bytes=2 * 1024**3, free_bytes=5 * 1024**3)


@dataclass
class Acceptor:
    """What the writer is to the application."""

    states: Mapping[Signal, SignalState] = field(default_factory=lambda: dict.fromkeys(Signal, SignalState()))
    journal: JournalState = field(default_factory=JournalState)

    def state(self) -> Mapping[Signal, SignalState]:
        return self.states

    def journal_state(self) -> JournalState:
        return self.journal


Series = tuple[str, frozenset[tuple[str, str]]]


def parse(text: str) -> tuple[dict[str, str], dict[Series, float]]:
    """Read the text format strictly: types by family, values by series; a family's lines stand together."""
    types: dict[str, str] = {}
    values: dict[Series, float] = {}
    family = ""
    assert text.endswith("\n")
    lines = iter(text.splitlines())
    for line in lines:
        if line.startswith("#"):
            helped = re.fullmatch(r"# HELP ([a-z_]+) (.+)", line)
            assert helped, line
            family = helped[1]
            typed = re.fullmatch(rf"# TYPE {family} (counter|gauge|histogram)", next(lines))
            assert typed, line
            assert family not in types, "a family stands once"
            types[family] = typed[1]
            continue
        sample = re.fullmatch(r"([a-z_]+)(?:\{(.+)\})? (\S+)", line)
        assert sample, line
        suffixes = "(_bucket|_sum|_count)" if types[family] == "histogram" else ""
        assert re.fullmatch(family + suffixes, sample[1]), line
        labels = re.findall(r'([a-z_]+)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)', sample[2] or "")
        assert ",".join(f'{key}="{value}"' for key, value in labels) == (sample[2] or "")
        series = (sample[1], frozenset(labels))
        assert series not in values, "a series stands once"
        values[series] = float(sample[3])
    return types, values


def series(name: str, **labels: str) -> Series:
    return name, frozenset(labels.items())


def test_the_text_is_the_golden_file() -> None:
    written = render(STATES, JOURNAL, started_at=1_767_225_600.25, version="0.1.0")
    if os.environ.get("LIVEMETER_UPDATE_GOLDEN") == "1":
        GOLDEN.write_text(written, encoding="utf-8")
    assert written == GOLDEN.read_text(encoding="utf-8"), "LIVEMETER_UPDATE_GOLDEN=1 rewrites it"


def test_every_counter_of_a_signal_has_its_own_series() -> None:
    _, values = parse(render(STATES, JOURNAL, 0, "0"))
    expected = {
        "livemeter_receiver_accepted_log_records_total": 1000,
        "livemeter_receiver_repeated_log_records_total": 100,
        "livemeter_receiver_refused_log_records_total": 200,
        "livemeter_receiver_failed_log_records_total": 0,
        "livemeter_exporter_sent_log_records_total": 700,
        "livemeter_exporter_set_aside_log_records_total": 5,
        "livemeter_receiver_accepted_spans_total": 0,
        "livemeter_receiver_accepted_metric_points_total": 0,
    }
    assert {name: values[series(name)] for name in expected} == expected
    requests = {"accepted": 10, "repeated": 1, "refused": 2, "failed": 3}
    for outcome, count in requests.items():
        assert values[series("livemeter_receiver_requests_total", signal="logs", outcome=outcome)] == count
    assert values[series("livemeter_exporter_send_failed_inserts_total", signal="logs")] == 4
    assert values[series("livemeter_store_available", signal="logs")] == 0
    assert values[series("livemeter_store_available", signal="traces")] == 1
    assert values[series("livemeter_journal_oldest_age_seconds", signal="logs")] == 1.5


def test_accepted_records_are_stored_set_aside_or_still_in_the_journal() -> None:
    """The sum that an alert on losses rests on, from the series alone."""
    _, values = parse(render(STATES, JOURNAL, 0, "0"))
    accepted = values[series("livemeter_receiver_accepted_log_records_total")]
    sent = values[series("livemeter_exporter_sent_log_records_total")]
    set_aside = values[series("livemeter_exporter_set_aside_log_records_total")]
    assert accepted == sent + set_aside + values[series("livemeter_journal_records", signal="logs")]


@pytest.mark.parametrize("signal", list(Signal))
def test_a_histogram_is_cumulative_and_ends_with_its_count(signal: Signal) -> None:
    types, values = parse(render(STATES, JOURNAL, 0, "0"))
    name = "livemeter_store_insert_duration_seconds"
    assert types[name] == "histogram"
    edges = [*BOUNDS_S, math.inf]
    by_edge = {
        float(dict(labels)["le"]): value
        for (sample, labels), value in values.items()
        if sample == f"{name}_bucket" and ("signal", signal.value) in labels
    }
    assert sorted(by_edge) == edges
    counts = [by_edge[edge] for edge in edges]
    assert counts == sorted(counts)
    assert counts[-1] == values[series(f"{name}_count", signal=signal)]
    if signal is Signal.LOGS:
        assert counts == [1, *[3] * (len(BOUNDS_S) - 1), 4]
        assert values[series(f"{name}_sum", signal="logs")] == 40.125


def test_counters_end_in_total_and_nothing_else_does() -> None:
    with serving(create_telemetry_app(Acceptor())) as port:
        types, _ = parse(ask(port, path="/metrics").body.decode())
    assert {name for name, kind in types.items() if kind == "counter"} == {
        name for name in types if name.endswith("_total")
    }


def test_odd_characters_in_labels_are_escaped() -> None:
    text = render_families([Family("a", "gauge", "b\\c\nd", [Sample(1, {"l": 'x"y\\z\n'})])])
    assert text == '# HELP a b\\\\c\\nd\n# TYPE a gauge\na{l="x\\"y\\\\z\\n"} 1\n'


def test_a_scrape_has_the_format_s_content_type_and_this_process() -> None:
    with serving(create_telemetry_app(Acceptor(STATES, JOURNAL))) as port:
        answer = ask(port, path="/metrics")
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    _, values = parse(answer.body.decode())
    assert values[series("process_cpu_seconds_total")] > 0
    assert values[series("process_resident_memory_bytes")] > 10_000_000
    assert values[series("process_open_fds")] < values[series("process_max_fds")]
    assert values[series("livemeter_start_time_seconds")] > 1_700_000_000


FULL = JournalState(reason_to_refuse="the journal is full")


@pytest.mark.parametrize(
    ("acceptor", "status", "lines"),
    [
        (Acceptor(), 200, ["ready"]),
        (Acceptor(journal=FULL), 503, ["journal: the journal is full"]),
        (Acceptor(STATES), 503, ["logs: the store takes nothing: the disk is full"]),
        (
            Acceptor(STATES, FULL),
            503,
            ["journal: the journal is full", "logs: the store takes nothing: the disk is full"],
        ),
        (
            Acceptor({Signal.LOGS: SignalState(trouble="two\nlines")}),
            503,
            ["logs: the store takes nothing: two lines"],
        ),
    ],
)
def test_ready_means_that_the_journal_and_the_store_take_telemetry(
    acceptor: Acceptor, status: int, lines: list[str]
) -> None:
    with serving(create_telemetry_app(acceptor)) as port:
        text = ask(port, path="/readyz")
        as_json = ask(port, path="/readyz", headers={"Accept": "application/json"})
    assert (text.status, text.body.decode().splitlines()) == (status, lines)
    assert as_json.status == status
    assert json.loads(as_json.body) == (
        {"status": "ready", "reasons": []} if status == 200 else {"status": "not ready", "reasons": lines}
    )


def test_alive_does_not_depend_on_the_store() -> None:
    """A restart mends no full disk, so a probe that restarts must not see one."""
    with serving(create_telemetry_app(Acceptor(STATES, FULL))) as port:
        answer = ask(port, path="/healthz")
        as_json = ask(port, path="/healthz", headers={"Accept": "application/json"})
    assert (answer.status, answer.body) == (200, b"alive\n")
    assert json.loads(as_json.body) == {"status": "alive", "reasons": []}


def test_only_reading_is_allowed() -> None:
    with serving(create_telemetry_app(Acceptor())) as port:
        assert ask(port, path="/metrics", body=b"").status == 405


def test_prometheus_own_parser_reads_the_same() -> None:
    text = render(STATES, JOURNAL, 0, "0")
    theirs = {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert theirs == parse(text)[1]
