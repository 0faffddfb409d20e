"""The doctor against a real collector in a process of its own: empty at first, then with Live connections.

The tests stand in the order of that collector's life.
"""

import json
import os
import re
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from livemeter.cli.main import main
from livemeter.vocabulary import Attribute, Event
from livemeter_collector.store.lock import running_collector
from tests.collector.otlp_messages import key_values, logs_request

ROOT = Path(__file__).parents[2]

HEALTHY = """\
what is installed
  ok    python             Python VERSION, PYTHON
  ok    livemeter          VERSION
  ok    google-genai       VERSION
  ok    websockets         VERSION
  ok    opentelemetry-api  VERSION
  ok    opentelemetry-sdk  VERSION
  ok    otlp-exporter      VERSION
  ok    requests           VERSION
  ok    hook               takes: google.genai.live.ws_connect can be observed

what the environment says
  ok    LIVEMETER_ENDPOINT  http://127.0.0.1:PORT
  ok    OTEL_SERVICE_NAME   lessons

where telemetry goes
  ok    endpoint   http://127.0.0.1:PORT (from LIVEMETER_ENDPOINT)
  ok    collector  takes an empty export (HTTP 200)

what has arrived
  ok    sql          http://127.0.0.1:PORT answers
  ok    clock        agrees with the collector's
  ok    connections  2 in the last hour; the newest event is from N s ago
  ok    service      lessons: 2 in the last hour; the newest event is from N s ago
  ok    setup        every connection of the last hour was set up
  ok    usage        came with every connection of the last hour in which the model spoke

why a dashboard may be empty, the likeliest first
  1. events arrive: look at the dashboard's time range, its data source and its filters
"""


def masked(text: str) -> str:
    """Return a report without what differs from machine to machine."""
    text = text.replace(sys.executable, "PYTHON")
    text = re.sub(r"(http://127\.0\.0\.1):\d+", r"\1:PORT", text)
    text = re.sub(r"(\d); from 17\.2 on .*", r"\1", text)
    text = re.sub(r"\d+ s ago", "N s ago", text)
    return re.sub(r"(?<=[ ])\d+\.\d+[\w.]*", "VERSION", text)


@dataclass(frozen=True)
class Collector:
    """Where a collector can be reached."""

    otlp: str
    sql: str

    def post(self, service: str, *events: tuple[Event, dict[Attribute, Any], str], days_ago: int = 0) -> None:
        """Send events of one application and wait until they are stored."""
        at_ns = time.time_ns() - days_ago * 86_400 * 10**9
        for number, (event, attributes, body) in enumerate(events):
            told = {str(name): value for name, value in attributes.items()}
            told |= {Attribute.EMITTER_ID: service, Attribute.EMITTER_SEQ: number}
            request = logs_request(
                [body], service, event_name=str(event), time_unix_nano=at_ns, attributes=key_values(told)
            )
            self._send(request.SerializeToString())
        # Acknowledged means in the journal; stored is a moment later.
        while self._counted("exporter_sent") < self._counted("receiver_accepted"):
            time.sleep(0.02)

    def _counted(self, what: str) -> float:
        with urllib.request.urlopen(f"{self.otlp}/metrics", timeout=30) as response:  # noqa: S310 - ours
            lines = response.read().decode().splitlines()
        (line,) = (each for each in lines if each.startswith(f"livemeter_{what}_log_records_total"))
        return float(line.split()[-1])

    def _send(self, body: bytes) -> None:
        headers = {"content-type": "application/x-protobuf"}
        request = urllib.request.Request(f"{self.otlp}/v1/logs", body, headers)  # noqa: S310 - ours
        with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310
            assert response.status == 200

    def ask(self, sql: str) -> str:
        url = f"{self.sql}/?{urllib.parse.urlencode({'query': sql})}"
        with urllib.request.urlopen(url, timeout=30) as response:  # noqa: S310
            return str(response.read().decode().strip())


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    folder = tmp_path_factory.mktemp("doctor") / "data"
    command = [sys.executable, "-m", "tests.collector.commands.serve", str(folder)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        announced = running_collector(folder)
        assert announced is not None
        yield Collector(announced.otlp_http, announced.sql_url)
        process.communicate(timeout=30)


Doctor = Callable[..., tuple[int, str]]


@pytest.fixture
def doctor(collector: Collector, capfd: pytest.CaptureFixture[str]) -> Doctor:
    """The command, for an application that exports to the collector; its exit code and output."""

    def run(*words: str, **env: str) -> tuple[int, str]:
        capfd.readouterr()
        with pytest.MonkeyPatch.context() as patch:
            for name in list(os.environ):
                if re.match(r"(?i)(livemeter|otel)_|.*_proxy$", name):
                    patch.delenv(name)
            for name, value in {"LIVEMETER_ENDPOINT": collector.otlp, **env}.items():
                patch.setenv(name, value)
            exit_code = main(["doctor", "--sql", collector.sql, "--timeout", "30", *words])
        written = capfd.readouterr()
        assert written.err == ""
        return exit_code, written.out

    return run


def report_of(outcome: tuple[int, str]) -> dict[str, Any]:
    exit_code, out = outcome
    report: dict[str, Any] = json.loads(out)
    assert report["ok"] is (exit_code == 0)
    return report


def check(report: dict[str, Any], name: str) -> tuple[str, str]:
    [found] = [one for one in report["checks"] if one["name"] == name]
    return found["status"], found["says"]


def causes(report: dict[str, Any]) -> list[str]:
    return [one["cause"] for one in report["advice"]]


def common(number: int) -> dict[Attribute, Any]:
    return {
        Attribute.CONNECTION_ID: f"{number:032x}",
        Attribute.SESSION_ID: f"session {number}",
        Attribute.MODEL: "m",
        Attribute.PLATFORM: "gemini_api",
    }


def started(number: int) -> tuple[Event, dict[Attribute, Any], str]:
    return Event.CONNECTION_STARTED, {**common(number), Attribute.SETUP_MS: 250}, ""


def usage(number: int) -> tuple[Event, dict[Attribute, Any], str]:
    attributes = {**common(number), Attribute.TURN: 1, Attribute.PASS: 1}
    body = {"prompt": 10, "prompt_details": {"TEXT": 10}, "response": 5, "response_details": {"TEXT": 5}}
    return Event.USAGE, attributes, json.dumps(body)


def spoken(number: int) -> tuple[Event, dict[Attribute, Any], str]:
    now_ms = time.time_ns() // 1_000_000
    attributes = {
        **common(number),
        Attribute.TURN: 1,
        Attribute.TURN_STARTED_AT: now_ms,
        Attribute.HAS_OUTPUT: True,
        Attribute.END_REASON: "complete",
    }
    return Event.TURN, attributes, ""


def closed(number: int) -> tuple[Event, dict[Attribute, Any], str]:
    return Event.CONNECTION_CLOSED, {**common(number), Attribute.CLOSE_CODE: 1008}, ""


def test_a_collector_to_which_nothing_came_is_a_warning_and_no_failure(doctor: Doctor) -> None:
    report = report_of(doctor("--json"))
    assert report["ok"]
    assert check(report, "collector") == ("ok", "takes an empty export (HTTP 200)")
    assert check(report, "connections") == ("warn", "no Live connection has ever arrived")
    assert report["arrived"]["connections_last_hour"] == 0
    assert report["arrived"]["newest_event_at"] is None
    assert report["arrived"]["of_service"] is None
    assert causes(report) == ["not_instrumented", "other_python", "other_machine", "killed"]


def test_where_events_arrive_all_is_well_as_committed(doctor: Doctor, collector: Collector) -> None:
    collector.post("lessons", started(1), usage(1), spoken(1), started(2))
    exit_code, out = doctor(OTEL_SERVICE_NAME="lessons")
    assert masked(out) == HEALTHY
    assert exit_code == 0


def test_json_holds_what_arrived_as_numbers_and_times(doctor: Doctor) -> None:
    arrived = report_of(doctor("--json", OTEL_SERVICE_NAME="lessons"))["arrived"]
    newest = arrived.pop("newest_event_at")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", newest)
    assert abs(arrived.pop("clock_ahead_ms")) < 30_000
    assert arrived == {
        "connections_last_hour": 2,
        "of_service": {
            "name": "lessons",
            "connections": 2,
            "connections_last_hour": 2,
            "newest_event_at": newest,
        },
        "not_set_up_last_hour": 0,
        "with_output_last_hour": 1,
        "without_usage_last_hour": 0,
    }


def test_events_under_another_name_are_told_with_that_name(doctor: Doctor) -> None:
    report = report_of(doctor("--json", OTEL_SERVICE_NAME="talks"))
    assert check(report, "service") == ("warn", "nothing has arrived of talks; there is lessons")
    assert causes(report)[0] == "other_service"


def test_events_of_last_week_are_not_those_of_the_last_hour(doctor: Doctor, collector: Collector) -> None:
    collector.post("archive", started(3), days_ago=7)
    report = report_of(doctor("--json", OTEL_SERVICE_NAME="archive"))
    assert report["arrived"]["of_service"]["connections_last_hour"] == 0
    assert report["arrived"]["of_service"]["connections"] == 1
    assert check(report, "service")[1].startswith(
        "archive: 0 in the last hour; the newest event is from 7 days"
    )


def test_speech_without_token_counts_and_unanswered_setups_are_warnings(
    doctor: Doctor, collector: Collector
) -> None:
    collector.post("lessons", started(4), spoken(4), closed(5))
    report = report_of(doctor("--json", OTEL_SERVICE_NAME="lessons"))
    assert check(report, "setup") == ("warn", "1 of 4 connections of the last hour were never set up")
    assert check(report, "usage") == (
        "warn",
        "1 of 2 connections in which the model spoke have no token counts",
    )
    assert causes(report) == ["not_set_up", "no_usage", "dashboard"]
    assert report["ok"]


def test_an_application_without_a_name_is_found_as_an_unknown_service(
    doctor: Doctor, collector: Collector
) -> None:
    collector.post("unknown_service:python", started(6))
    report = report_of(doctor("--json"))
    status, says = check(report, "service")
    assert status == "not_applicable"
    assert says.endswith("such a one has arrived")
    assert report["arrived"]["of_service"]["name"] == "unknown_service:python"


def test_the_doctor_leaves_nothing_in_the_store(doctor: Doctor, collector: Collector) -> None:
    counts = "SELECT count(), (SELECT count() FROM connections), (SELECT count() FROM otel_traces) FROM logs"
    before = collector.ask(counts)
    assert doctor()[0] == 0
    assert collector.ask(counts) == before


def test_the_sql_port_as_an_endpoint_and_the_other_way_round_are_told(
    doctor: Doctor, collector: Collector
) -> None:
    report = report_of(doctor("--json", "--sql", collector.otlp, LIVEMETER_ENDPOINT=collector.sql))
    assert check(report, "collector") == ("fail", "there is no OTLP at that address (HTTP 404)")
    assert check(report, "sql")[0] == "warn"
    assert check(report, "sql")[1].endswith("does not answer as ClickHouse does (HTTP 404)")
    assert causes(report) == ["collector_refuses"]
