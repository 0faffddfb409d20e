"""``livemeter dead-letters`` as a shell runs it, over letters on disk, and with collectors that answer."""

import os
import pty
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from livemeter.cli.main import main
from livemeter_collector.commands.dead_letters import otlp_json
from livemeter_collector.ingest.request import MalformedError, RefusedError
from livemeter_collector.journal.dead_letters import DIRECTORY, DeadLetter, DeadLetters
from livemeter_collector.query.reader import open_reader
from livemeter_collector.receive.otlp_json import parse_json
from livemeter_collector.receive.rpc_status import status
from livemeter_collector.receive.schema import REQUESTS
from livemeter_collector.show.output import as_json
from livemeter_collector.store.contract import Signal
from livemeter_collector.store.lock import DirectoryLock, announce
from tests.collector.commands.conftest import MatchesGolden, Outcome, serving
from tests.collector.otlp_messages import key_values, logs_request

COMMAND = (sys.executable, "-m", "livemeter.cli", "dead-letters")
NEW_YEAR_NS = 1_767_225_600_000_000_000
"""2026-01-01 in UTC."""


def spans() -> bytes:
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    span = scope.spans.add(name="turn", trace_id=bytes(range(16)), span_id=bytes(range(8)), kind=3)
    span.start_time_unix_nano = NEW_YEAR_NS
    span.attributes.extend(key_values({"traceId": "no id", "bytes": b"\x00\xff", "share": 0.5}))
    span.links.add(trace_id=bytes(16), span_id=bytes(8))
    return request.SerializeToString()


LETTERS = (
    DeadLetter(
        Signal.LOGS,
        logs_request(["one", "two \x1b[31m\x7f"], "lessons").SerializeToString(),
        2,
        "the store cannot read this request: CANNOT_PARSE \x1b[31m",
        NEW_YEAR_NS,
        NEW_YEAR_NS + 1_500_000_000,
    ),
    DeadLetter(Signal.TRACES, spans(), 1, "another reason", NEW_YEAR_NS, NEW_YEAR_NS + 2_000_000_000),
    DeadLetter(Signal.METRICS, b"\xff no request", 1200, "a third", NEW_YEAR_NS, NEW_YEAR_NS + 3_000_000_000),
)
LOGS, TRACES, METRICS = (letter.id for letter in LETTERS)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    letters = DeadLetters(tmp_path / DIRECTORY)
    for letter in LETTERS:
        letters.set_aside(letter)
    return tmp_path


def left(data: Path) -> list[str]:
    return [letter.id for letter in DeadLetters(data / DIRECTORY).list().letters]


Run = Callable[[str], Outcome]


@pytest.fixture
def run(data: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    def run_words(words: str) -> Outcome:
        capfd.readouterr()
        try:
            exit_code = main(["dead-letters", *shlex.split(words), "--data", str(data)])
        except SystemExit as stop:
            exit_code = int(str(stop.code))
        return Outcome(exit_code, *capfd.readouterr())

    return run_words


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("dead_letters.txt", ""),
        ("dead_letters.txt", "list"),
        ("dead_letters.json", "list --json"),
        ("dead_letters.json", "--json"),
        ("dead_letters.csv", "list --csv"),
        ("dead_letters_logs.txt", f"show {LOGS}"),
        ("dead_letters_traces.txt", f"show {TRACES}"),
        ("dead_letters_traces.json", f"show {TRACES[:9]} --json"),
    ],
)
def test_output_is_as_committed(run: Run, matches_golden: MatchesGolden, name: str, words: str) -> None:
    outcome = run(words)

    assert (outcome.exit_code, outcome.err) == (0, "")
    assert name.endswith("csv") or "\x1b" not in outcome.out
    assert "\x7f" not in outcome.out
    matches_golden(name, outcome.out)


@pytest.mark.parametrize("letter", LETTERS[:2], ids=["logs", "traces"])
def test_a_request_is_shown_as_json_that_a_collector_reads_as_the_same(letter: DeadLetter) -> None:
    shown = as_json(otlp_json(letter)).encode()

    assert parse_json(letter.signal, shown) == REQUESTS[letter.signal].FromString(letter.body)


def test_bytes_that_are_no_request_are_written_as_they_are(run: Run, tmp_path: Path) -> None:
    outcome = run(f"show {METRICS}")
    assert (outcome.exit_code, "a third" in outcome.out) == (0, True)
    assert "the bytes are no ExportMetricsServiceRequest" in outcome.err
    assert run(f"show {METRICS} --raw {tmp_path / 'request.pb'}").exit_code == 0
    assert (tmp_path / "request.pb").read_bytes() == b"\xff no request"


def test_a_long_request_is_cut_at_a_line_and_says_so(run: Run, data: Path) -> None:
    body = logs_request([f"record {number}" for number in range(1000)]).SerializeToString()
    long = DeadLetter(Signal.LOGS, body, 1000, "why", 1, 2)
    DeadLetters(data / DIRECTORY).set_aside(long)
    outcome = run(f"show {long.id}")

    assert len(outcome.out) < 9_000
    assert outcome.out.endswith("\n...\n")
    assert "more characters of the request: --json writes all of it" in outcome.err
    assert "record 999" in run(f"show {long.id} --json").out


def test_what_is_no_letter_is_named(run: Run, data: Path) -> None:
    (data / DIRECTORY / "notes.txt").touch()

    assert run("").err == f"livemeter: not letters, or damaged, in {data / DIRECTORY}: notes.txt\n"


def test_without_letters_that_is_said_and_programs_get_an_empty_list(run: Run) -> None:
    assert run("drop --all --yes").out == "3 dead letters were dropped (1,203 records)\n"

    assert run("") == Outcome(0, "", "livemeter: no dead letters: the store could read every request\n")
    assert run("--json") == Outcome(0, "[]\n", "")


@pytest.mark.parametrize("words", ["show nope", "drop nope --yes", f"drop {LOGS} nope --yes"])
def test_an_unknown_id_is_one_line_and_nothing_happens(run: Run, data: Path, words: str) -> None:
    outcome = run(words)

    assert (outcome.exit_code, outcome.out) == (1, "")
    assert outcome.err == (
        "livemeter: no dead letter's id begins with 'nope': livemeter dead-letters lists them\n"
    )
    assert len(left(data)) == 3


@pytest.mark.parametrize("words", ["drop", "retry", f"drop {LOGS} --all --yes"])
def test_which_ones_has_to_be_said(run: Run, data: Path, words: str) -> None:
    assert run(words) == Outcome(2, "", "livemeter: say which: one or several ids, or --all\n")
    assert len(left(data)) == 3


def test_a_directory_without_data_is_one_line_and_is_not_made(tmp_path: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "--data", str(tmp_path / "absent")], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "livemeter up" in done.stderr
    assert not (tmp_path / "absent").exists()


def test_nothing_is_dropped_where_nobody_can_be_asked(data: Path) -> None:
    command = [*COMMAND, "drop", "--all", "--data", str(data)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "livemeter: what is dropped cannot be had back: say --yes where nobody can be asked\n"
    )
    assert len(left(data)) == 3


@pytest.mark.parametrize(("answer", "remain"), [(b"y\n", [METRICS]), (b"\n", [LOGS, TRACES, METRICS])])
def test_on_a_terminal_one_is_asked(data: Path, answer: bytes, remain: list[str]) -> None:
    ours, theirs = pty.openpty()
    command = [*COMMAND, "drop", LOGS, TRACES, "--data", str(data)]
    os.write(ours, answer)
    done = subprocess.run(command, stdin=theirs, capture_output=True, text=True, check=False)
    os.close(ours)
    os.close(theirs)

    assert "drop 2 dead letters (3 records) for good? [y/N] " in done.stderr
    assert left(data) == remain


@dataclass
class Answers:
    """What a collector answers, and what it was sent."""

    given: list[tuple[int, bytes]]
    asked: list[tuple[str, bytes, str | None, str | None]] = field(default_factory=list)


@contextmanager
def collector(data: Path, *given: tuple[int, bytes]) -> Iterator[Answers]:
    """Announce a collector that gives these answers in turn."""
    answers = Answers(list(given))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = self.headers["livemeter-retry"], self.headers["Content-Type"]
            answers.asked.append((self.path, body, *headers))
            code, said = answers.given.pop(0)
            self.send_response(code)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    lock = DirectoryLock(data)
    try:
        announce(data, "http://127.0.0.1:9", f"http://127.0.0.1:{server.server_address[1]}")
        yield answers
    finally:
        lock.release()
        server.shutdown()
        thread.join()
        server.server_close()


def test_what_is_accepted_again_is_no_dead_letter_any_more(run: Run, data: Path) -> None:
    with collector(data, (200, b"")) as answers:
        outcome = run(f"retry {LOGS[:8]}")

    assert outcome == Outcome(
        0,
        "1 of 1 requests were accepted again (2 records);"
        " one that the store still cannot read becomes a dead letter again\n",
        "",
    )
    assert answers.asked == [("/v1/logs", LETTERS[0].body, "1", "application/x-protobuf")]
    assert left(data) == [TRACES, METRICS]


def test_what_is_refused_again_stays_with_the_reason_and_the_others_go(run: Run, data: Path) -> None:
    refusals = [
        status(error).SerializeToString() for error in (MalformedError("no request"), RefusedError("full"))
    ]
    with collector(data, (400, refusals[0]), (200, b""), (503, refusals[1])):
        outcome = run("retry --all")

    assert (outcome.exit_code, outcome.out.partition(" (")[0]) == (1, "1 of 3 requests were accepted again")
    assert outcome.err == (
        f"livemeter: {LOGS} stays: HTTP 400: no request\nlivemeter: {METRICS} stays: HTTP 503: full\n"
    )
    assert left(data) == [LOGS, METRICS]


def test_a_collector_that_does_not_answer_ends_it_and_every_letter_stays(run: Run, data: Path) -> None:
    lock = DirectoryLock(data)
    announce(data, "http://127.0.0.1:9", "http://127.0.0.1:9")
    outcome = run("retry --all")
    lock.release()

    assert (outcome.exit_code, outcome.out, outcome.err.count("\n")) == (1, "", 1)
    assert outcome.err.startswith("livemeter: the collector at http://127.0.0.1:9 does not answer (")
    assert left(data) == [LOGS, TRACES, METRICS]
    assert all(path.suffix == ".letter" for path in (data / DIRECTORY).iterdir())


def test_without_a_collector_one_is_told_to_start_it(run: Run, data: Path) -> None:
    outcome = run("retry --all")

    assert (outcome.exit_code, outcome.out) == (1, "")
    assert outcome.err == (
        f"livemeter: no collector runs on {data}: start it with `livemeter up --data {data}`, and try again\n"
    )
    assert len(left(data)) == 3


def test_a_real_collector_stores_what_is_sent_again(run: Run, data: Path) -> None:
    # What is too old to be kept would be gone at once.
    request = logs_request(["again"], "lessons", time_unix_nano=time.time_ns())
    letter = DeadLetter(Signal.LOGS, request.SerializeToString(), 1, "why", NEW_YEAR_NS, NEW_YEAR_NS)
    DeadLetters(data / DIRECTORY).set_aside(letter)
    with serving(data):
        outcome = run(f"retry {letter.id}")
        assert (outcome.exit_code, outcome.err) == (0, "")
        with open_reader(data, None) as reader:
            sql = "SELECT Body FROM livemeter.logs WHERE ServiceName = 'lessons'"
            deadline = time.monotonic() + 60
            while not (rows := reader.query(sql).rows):
                assert time.monotonic() < deadline
                time.sleep(0.02)
    assert rows == (("again",),)
    assert left(data) == [LOGS, TRACES, METRICS]
