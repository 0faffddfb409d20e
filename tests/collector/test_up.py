import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

FREE_PORTS = ("--otlp-grpc-port", "0", "--otlp-http-port", "0", "--sql-port", "0")
COMMAND = (sys.executable, "-m", "livemeter.cli", "up")


@dataclass
class Collector:
    """A running ``livemeter up`` and what it printed."""

    process: subprocess.Popen[str]
    output: str
    grpc: str
    http: str
    sql: str

    def wait_for(self, sql: str, rows: list[list[object]]) -> None:
        """Wait until a query answers so: what was acknowledged is on disk, and in the store soon after."""
        deadline = time.monotonic() + 20
        while (found := self.rows(sql)) != rows:
            assert time.monotonic() < deadline, found
            time.sleep(0.02)

    def rows(self, sql: str) -> list[list[object]]:
        query = urllib.parse.urlencode({"query": f"{sql} FORMAT JSONCompact"})
        with urllib.request.urlopen(f"{self.sql}/?{query}", timeout=10) as answer:  # noqa: S310 - our own
            rows: list[list[object]] = json.load(answer)["data"]
            return rows


@contextlib.contextmanager
def collector(data_dir: Path, *words: str) -> Iterator[Collector]:
    with subprocess.Popen(
        [*COMMAND, "--data", str(data_dir), *FREE_PORTS, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield _ready(process)
        finally:
            process.kill()


def _ready(process: subprocess.Popen[str]) -> Collector:
    assert process.stdout is not None
    output = ""
    for line in process.stdout:
        output += line
        if "Ctrl-C" in line:
            break
    addresses = [re.search(pattern, output) for pattern in (r"gRPC +(\S+)", r"HTTP +(\S+)", r"SQL +(\S+)")]
    if not all(addresses):
        raise AssertionError(f"not ready: {output}{process.communicate(timeout=10)[1]}")
    grpc, http, sql = (found[1] for found in addresses if found)
    return Collector(process, output, grpc, http, sql)


def stopped(running: Collector, number: signal.Signals = signal.SIGTERM) -> tuple[int, str, str]:
    running.process.send_signal(number)
    output, errors = running.process.communicate(timeout=20)
    return running.process.returncode, output, errors


def refused(*arguments: str, command: tuple[str, ...] = COMMAND) -> str:
    """Run ``livemeter up`` that must fail at once, and return its one line."""
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    return line


def send_log(collector: Collector, body: str) -> None:
    logging = LoggerProvider()
    logging.add_log_record_processor(SimpleLogRecordProcessor(OTLPLogExporter(f"{collector.http}/v1/logs")))
    logging.get_logger("test").emit(body=body, attributes={"nested": ["a", 1], "flat": "b"})
    logging.shutdown()


def send_span(collector: Collector, name: str) -> None:
    tracing = TracerProvider()
    tracing.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(f"http://{collector.grpc}")))
    tracing.get_tracer("test").start_span(name).end()
    tracing.shutdown()


WRITE_AS_A_NEWER_VERSION = """
import sys
from pathlib import Path
from livemeter_collector.store.open import open_embedded
store = open_embedded(Path(sys.argv[1]))
store.command("INSERT INTO livemeter.schema_migrations (number, name, checksum) VALUES (9999, 'new', 'x')")
store.close()
"""


def test_telemetry_is_in_sql_soon_after_the_exporter_returns_and_survives_a_restart(
    tmp_path: Path, python: Callable[..., str]
) -> None:
    logs = (
        "SELECT Body, LogAttributes['nested'] FROM livemeter.logs WHERE Body LIKE 'from the%' ORDER BY Body"
    )
    spans = "SELECT SpanName FROM livemeter.otel_traces WHERE SpanName = 'a span of the test'"
    with collector(tmp_path) as first:
        assert str(tmp_path) in first.output
        assert f"LIVEMETER_ENDPOINT={first.http}" in first.output
        assert "import livemeter.auto" in first.output
        send_log(first, "from the test 1")
        send_span(first, "a span of the test")
        first.wait_for(logs, [["from the test 1", '["a",1]']])
        first.wait_for(spans, [["a span of the test"]])
        line = refused("--data", str(tmp_path), *FREE_PORTS)
        assert line.startswith("livemeter: ")
        assert str(tmp_path) in line
        assert stopped(first) == (0, "", "")
    with collector(tmp_path) as second:
        send_log(second, "from the test 2")
        second.wait_for(logs, [[f"from the test {number}", '["a",1]'] for number in (1, 2)])
        assert stopped(second, signal.SIGINT) == (0, "", "")
    python(WRITE_AS_A_NEWER_VERSION, tmp_path)
    assert "newer version" in refused("--data", str(tmp_path), *FREE_PORTS)


def test_what_was_acknowledged_is_there_once_after_a_kill(tmp_path: Path) -> None:
    acknowledged: list[str] = []
    with collector(tmp_path, "--no-supervisor") as first:
        sender = threading.Thread(target=_send_until_refused, args=(first.http, acknowledged))
        sender.start()
        while len(acknowledged) < 5 and sender.is_alive():
            sender.join(0.01)
        first.process.kill()
        sender.join(20)
    assert len(acknowledged) >= 5
    with collector(tmp_path) as second:
        second.wait_for(f"SELECT count(DISTINCT Body) >= {len(acknowledged)} FROM livemeter.logs", [[1]])
        stored = second.rows("SELECT Body FROM livemeter.logs")
        bodies = [str(body) for (body,) in stored]
    assert set(acknowledged) <= set(bodies)
    assert len(bodies) == len(set(bodies)) <= len(acknowledged) + 1


def _send_until_refused(address: str, acknowledged: list[str]) -> None:
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(address).netloc, timeout=10)
    with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
        for number in range(1000):
            request = ExportLogsServiceRequest()
            record = request.resource_logs.add().scope_logs.add().log_records.add()
            record.body.string_value = f"record {number}"
            headers = {"Content-Type": "application/x-protobuf"}
            connection.request("POST", "/v1/logs", request.SerializeToString(), headers)
            answer = connection.getresponse()
            answer.read()
            if answer.status == 200:
                acknowledged.append(record.body.string_value)


def test_a_port_in_use_is_one_line_and_no_directory_is_made(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as other:
        port = str(other.getsockname()[1])
        line = refused("--data", str(data_dir), *FREE_PORTS, "--otlp-grpc-port", port)
    assert f"port {port} on 127.0.0.1 is in use" in line
    assert "--otlp-grpc-port" in line
    assert not data_dir.exists()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com"])  # noqa: S104 - refused
def test_a_host_that_others_can_reach_is_refused(host: str) -> None:
    line = refused("--host", host)
    assert f"--host {host} can be reached from other machines and needs a token" in line


def test_a_server_that_is_away_is_waited_for_and_told_in_one_line_without_its_password(
    tmp_path: Path,
) -> None:
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    with collector(tmp_path, "--clickhouse", f"http://someone:secret@127.0.0.1:{port}") as running:
        send_log(running, "kept")
        returncode, output, errors = stopped(running)
    assert (returncode, output) == (0, "")
    assert errors.splitlines() == [
        "the store is away, and telemetry is kept in the journal: cannot reach ClickHouse at"
        f" http://127.0.0.1:{port} (Connection refused): is it running?"
    ]
    assert "secret" not in running.output


def test_a_server_that_refuses_is_one_line_without_its_password(tmp_path: Path) -> None:
    """What answers is a collector's own endpoint, which lets nobody write."""
    with collector(tmp_path / "other") as other:
        url = other.sql.replace("http://", "http://someone:secret@")
        another_age = "--keep", "logs=7"
        line = refused("--data", str(tmp_path / "data"), "--clickhouse", url, *another_age, *FREE_PORTS)
        assert stopped(other)[0] == 0
    assert "READONLY" in line
    assert "secret" not in line


def test_commands_trust_the_authority_that_a_variable_names(tmp_path: Path) -> None:
    """The collector's certificate is of an authority that no machine knows."""
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    certificate.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "own.pem"))
    own, data = str(tmp_path / "own.pem"), str(tmp_path / "data")
    sql = [sys.executable, "-m", "livemeter.cli", "sql", "SELECT 40 + 2", "--data", data, "--csv"]

    def asked(**more: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, **more}
        return subprocess.run(sql, env=environment, capture_output=True, text=True, timeout=60, check=False)

    with collector(tmp_path / "data", "--tls-cert", own, "--tls-key", own) as running:
        refusal = asked(SSL_CERT_FILE=os.devnull)
        answer = asked(SSL_CERT_FILE=str(tmp_path / "ca.pem"))
        assert stopped(running)[0] == 0
    assert refusal.returncode == 1
    assert re.fullmatch(
        r"livemeter: the certificate of \S+ is not trusted: .* SSL_CERT_FILE .*\n", refusal.stderr
    )
    assert (answer.returncode, answer.stdout.split()[-1]) == (0, "42")


def test_the_extra_that_is_missing_is_named(tmp_path: Path) -> None:
    without_chdb = (
        "import sys; sys.modules['chdb'] = None; from livemeter.cli.main import main; sys.exit(main())"
    )
    command = (sys.executable, "-c", without_chdb, "up")
    line = refused("--data", str(tmp_path), *FREE_PORTS, command=command)
    assert "pip install 'livemeter[embedded]'" in line


def test_a_port_that_is_none_is_a_usage_error() -> None:
    done = subprocess.run(
        [*COMMAND, "--sql-port", "70000"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert "'70000' is not a port" in done.stderr


def test_the_help_names_every_option_with_its_default() -> None:
    done = subprocess.run([*COMMAND, "--help"], capture_output=True, text=True, timeout=60, check=True)
    for word in ("--data", "--clickhouse", "127.0.0.1", "4317", "4318", "8123"):
        assert word in done.stdout
