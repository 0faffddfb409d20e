"""A collector whose ClickHouse server is not there when it starts, or does not want it."""

import asyncio
import contextlib
import http.client
import http.server
import logging
import socket
import ssl
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import trustme

from livemeter_collector.ingest.request import Request
from livemeter_collector.ingest.writer import Writer
from livemeter_collector.journal.dead_letters import DeadLetters
from livemeter_collector.journal.journal import Journal
from livemeter_collector.journal.journal import Limits as JournalLimits
from livemeter_collector.journal.record import Entry, digest_of
from livemeter_collector.opening import Opening
from livemeter_collector.servers import Addresses
from livemeter_collector.service import Service, Settings
from livemeter_collector.store.awaited import AwaitedStore
from livemeter_collector.store.contract import (
    Parameters,
    Signal,
    StoreError,
    StoreUnavailableError,
    Table,
)
from livemeter_collector.store.migrate import migrate
from livemeter_collector.store.open import open_server
from tests.collector.memory_store import MemoryStore, until
from tests.collector.otlp_messages import logs_request
from tests.collector.serving import ask

WRONG_PASSWORD = (
    "Code: 516. DB::Exception: someone: Authentication failed: password is incorrect, or there is no user"
    " with such name.\n\nIf you have installed ClickHouse and forgot password you can reset it in the"
    " configuration file. (AUTHENTICATION_FAILED) (version 25.8.1.1 (official build))"
)
LOGS = Signal.LOGS


class Answers:
    """What a server answers to everything, and how often it did."""

    def __init__(self, status: int, body: str = "", code: int | None = None) -> None:
        self.status = status
        self.body = body.encode()
        self.headers = {} if code is None else {"X-ClickHouse-Exception-Code": str(code)}
        self.count = 0


@contextlib.contextmanager
def serving(answers: Answers, port: int = 0, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """Answer from a thread; yields the port."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            answers.count += 1
            self.send_response(answers.status)
            for name, value in answers.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answers.body)))
            self.end_headers()
            self.wfile.write(answers.body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            pass

    class Server(http.server.HTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            """A client that breaks off the handshake is what is tested."""

    with Server(("127.0.0.1", port), Handler) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join(20)


@pytest.mark.parametrize(
    ("answers", "kind", "says"),
    [
        (
            Answers(403, WRONG_PASSWORD, 516),
            StoreError,
            r"ClickHouse at http://127.0.0.1:\d+ does not let us in: someone: Authentication failed: password"
            r" is incorrect, or there is no user with such name \(AUTHENTICATION_FAILED\)",
        ),
        (Answers(404, "nothing here"), StoreError, r"what answers at \S+ is not .*: it says HTTP status 404"),
        (
            Answers(200, "<html>hello</html>"),
            StoreError,
            r"what answers at \S+ is not ClickHouse's HTTP interface",
        ),
        (
            Answers(502, "<html>"),
            StoreUnavailableError,
            r"cannot reach ClickHouse at \S+ \(HTTP status 502\).*",
        ),
        (
            Answers(503, "starting"),
            StoreUnavailableError,
            r"cannot reach ClickHouse at \S+ \(HTTP status 503\).*",
        ),
        (
            Answers(500, "Code: 202. DB::Exception: Too many (TOO_MANY_SIMULTANEOUS_QUERIES)", 202),
            StoreUnavailableError,
            r"Too many \(TOO_MANY_SIMULTANEOUS_QUERIES\)",
        ),
    ],
)
def test_what_waiting_mends_is_told_from_what_it_does_not(
    answers: Answers, kind: type[StoreError], says: str
) -> None:
    with serving(answers) as port, pytest.raises(StoreError) as caught:
        open_server(f"http://somebody:secret@127.0.0.1:{port}")
    assert type(caught.value) is kind
    assert caught.match(f"^{says}$")
    assert "secret" not in str(caught.value)


def test_a_certificate_that_nobody_vouches_for_is_no_server_that_is_away() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost").configure_cert(context)
    with (
        serving(Answers(200), tls=context) as port,
        pytest.raises(StoreError, match=r"certificate of https://localhost:\d+ is not trusted") as caught,
    ):
        open_server(f"https://localhost:{port}")
    assert type(caught.value) is StoreError


def test_a_port_that_speaks_no_tls_is_said_to_be_none() -> None:
    with serving(Answers(200)) as port, pytest.raises(StoreError, match="speaks no TLS") as caught:
        open_server(f"https://localhost:{port}")
    assert type(caught.value) is StoreError


def test_a_name_that_is_not_known_may_be_known_later() -> None:
    """A container's name, before that container is started."""
    with pytest.raises(StoreUnavailableError, match="its name is not known"):
        open_server("http://livemeter-test.invalid")


# The service.


@pytest.fixture
def port() -> int:
    """A port that nobody listens on."""
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as free:
        found: int = free.getsockname()[1]
        return found


def settings_of(folder: Path, port: int) -> Settings:
    url = f"http://somebody:secret@127.0.0.1:{port}"
    limits = JournalLimits(reserve_bytes=0)
    return Settings(folder, url, otlp_grpc_port=0, otlp_http_port=0, sql_port=0, journal=limits)


@contextlib.asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Addresses]:
    """Run a service to its end, which must be in order."""
    stop = asyncio.Event()
    reported: list[Addresses] = []
    task = asyncio.create_task(Service(settings).run(stop, reported.append))
    try:
        await until(lambda: bool(reported) or task.done())
        if task.done():
            await task
        yield reported[0]
    finally:
        stop.set()
        assert await task, "ended in order"


def port_of(address: str) -> int:
    return int(address.rpartition(":")[2])


def send_log(addresses: Addresses, name: str) -> int:
    connection = http.client.HTTPConnection(addresses.otlp_http, timeout=20)
    with contextlib.closing(connection):
        headers = {"Content-Type": "application/x-protobuf"}
        connection.request("POST", "/v1/logs", logs_request([name]).SerializeToString(), headers)
        return connection.getresponse().status


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "livemeter.collector"]


async def test_without_its_server_a_collector_takes_telemetry_and_says_why_it_is_not_ready(
    tmp_path: Path, port: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "livemeter.collector")
    reason = f"cannot reach ClickHouse at http://127.0.0.1:{port} (Connection refused): is it running?"
    async with running(settings_of(tmp_path, port)) as addresses:
        assert await asyncio.to_thread(send_log, addresses, "kept") == 200
        otlp, sql = port_of(addresses.otlp_http), port_of(addresses.sql)
        ready = await asyncio.to_thread(ask, otlp, path="/readyz")
        assert ready.status == 503
        assert ready.body.decode().splitlines() == [
            f"{signal}: the store takes nothing: {reason}" for signal in Signal
        ]
        alive = await asyncio.to_thread(ask, otlp, path="/healthz")
        assert alive.status == 200
        metrics = await asyncio.to_thread(ask, otlp, path="/metrics")
        assert b'livemeter_store_available{signal="logs"} 0' in metrics.body
        assert b'livemeter_journal_requests{signal="logs"} 1' in metrics.body
        answer = await asyncio.to_thread(ask, sql, "SELECT 1")
        assert (answer.status, reason in answer.body.decode()) == (503, True)
    assert warnings(caplog) == [f"the store is away, and telemetry is kept in the journal: {reason}"]
    (segment,) = (tmp_path / "journal" / "logs").glob("*.pb")
    assert b"kept" in segment.read_bytes()


async def test_a_server_that_refuses_at_the_start_is_told_at_once_and_nothing_is_left_behind(
    tmp_path: Path,
) -> None:
    with serving(Answers(403, WRONG_PASSWORD, 516)) as port:
        service = Service(settings_of(tmp_path, port))
        with pytest.raises(StoreError, match="does not let us in") as caught:
            await service.run(asyncio.Event(), lambda _: pytest.fail("it serves"))
    assert "\n" not in str(caught.value)
    # Another one can have the directory.
    Journal(tmp_path / "journal", 1).close()


async def test_a_server_that_comes_and_refuses_costs_no_telemetry(
    tmp_path: Path, port: int, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told once; what is wrong can be mended there, and the collector goes on by itself then."""
    monkeypatch.setattr("livemeter_collector.opening._FIRST_PAUSE_S", 0.05)
    caplog.set_level(logging.INFO, "livemeter.collector")
    answers = Answers(403, WRONG_PASSWORD, 516)
    async with running(settings_of(tmp_path, port)) as addresses:
        assert await asyncio.to_thread(send_log, addresses, "first") == 200
        with serving(answers, port=port):
            await until(lambda: answers.count >= 3)
            assert await asyncio.to_thread(send_log, addresses, "second") == 200
            ready = await asyncio.to_thread(ask, port_of(addresses.otlp_http), path="/readyz")
            assert "does not let us in" in ready.body.decode()
    first, second = warnings(caplog)
    assert first.startswith("the store is away")
    assert second.startswith(
        "the store cannot be opened, and telemetry is kept in the journal: ClickHouse at"
    )


async def test_a_server_that_takes_connections_and_says_nothing_does_not_keep_a_collector_from_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Opening.first, "__defaults__", (0.05,))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        async with running(settings_of(tmp_path, silent.getsockname()[1])) as addresses:
            ready = await asyncio.to_thread(ask, port_of(addresses.otlp_http), path="/readyz")
            assert b"the store is being opened" in ready.body
            assert await asyncio.to_thread(send_log, addresses, "kept") == 200
        opening = [thread for thread in threading.enumerate() if thread.name == "livemeter-open"]
        assert [thread.daemon for thread in opening] == [True], "it is still waiting, and nobody for it"
    # The socket is closed by now.
    opening[0].join(20)


# What lies beneath.


def test_every_call_says_why_the_store_is_not_there() -> None:
    store = AwaitedStore(MemoryStore)
    calls: list[Callable[[], object]] = [
        lambda: store.insert_otlp(LOGS, b"", "t"),
        lambda: store.command("SELECT 1"),
        lambda: store.query("SELECT 1"),
        lambda: store.stream("SELECT 1", "TSV"),
    ]
    for call in calls:
        with pytest.raises(StoreUnavailableError, match="the store is being opened"):
            call()
    store.close()


async def test_a_store_that_comes_after_the_end_is_closed_at_once() -> None:
    late, come = MemoryStore(), threading.Event()

    def open_late() -> MemoryStore:
        come.wait(20)
        return late

    store = AwaitedStore(open_late)
    opening = asyncio.ensure_future(store.open())
    await asyncio.sleep(0)
    store.close()
    come.set()
    with pytest.raises(StoreError, match="closed"):
        await opening
    assert late.closed


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_a_bug_in_opening_is_no_server_that_is_away() -> None:
    def broken() -> MemoryStore:
        raise ZeroDivisionError("a bug")

    with pytest.raises(RuntimeError, match="ended of a bug"):
        await AwaitedStore(broken).open()
    for thread in threading.enumerate():
        if thread.name == "livemeter-open":
            thread.join(20)


class Comes:
    """A store that can be opened at the n-th attempt, counted from 0."""

    def __init__(self, store: MemoryStore, *failures: StoreError) -> None:
        self._store = store
        self._failures = list(failures)

    def __call__(self) -> MemoryStore:
        if self._failures:
            raise self._failures.pop(0)
        return self._store


async def test_attempts_go_on_until_the_store_is_there_and_the_log_is_short(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("livemeter_collector.opening._FIRST_PAUSE_S", 0.001)
    away, refused = StoreUnavailableError("away"), StoreError("refused")
    memory = MemoryStore()
    store = AwaitedStore(Comes(memory, away, away, away, refused, refused))
    opening, troubles = Opening(store), list[str]()
    await opening.first()
    assert opening.trouble == "away"
    await opening.finish(troubles.append)
    assert opening.trouble == ""
    assert troubles == ["away", "away", "away", "refused", "refused"]
    store.insert_otlp(LOGS, logs_request(["a"]).SerializeToString(), "t")
    assert memory.names == ["a"]
    kept = "and telemetry is kept in the journal"
    assert warnings(caplog) == [
        f"the store is away, {kept}: away",
        f"the store cannot be opened, {kept}: refused",
        "the store is there, and takes what was kept in the journal",
    ]
    store.close()


async def test_what_is_too_much_for_a_server_at_its_start_is_asked_again() -> None:
    store = AwaitedStore(Comes(MemoryStore(), StoreError("Memory limit exceeded", 241)))
    opening = Opening(store)
    await opening.first()
    assert opening.trouble == "Memory limit exceeded"
    opening.give_up()


class _Bare(MemoryStore):
    """A server without our database, which refuses or loses the first statement that makes something."""

    def __init__(self, failure: StoreError) -> None:
        super().__init__()
        self._failure = failure

    def query(self, sql: str, parameters: Parameters | None = None) -> Table:
        raise StoreError("Database livemeter does not exist (UNKNOWN_DATABASE)", 81)

    def command(self, sql: str, parameters: Parameters | None = None) -> None:
        raise self._failure


@pytest.mark.parametrize(
    "failure",
    [
        StoreError("someone: Not enough privileges. (ACCESS_DENIED)", 497),
        StoreUnavailableError("the connection failed"),
    ],
)
def test_a_database_that_cannot_be_made_is_named_and_a_lost_connection_stays_one(failure: StoreError) -> None:
    with pytest.raises(StoreError, match=r"^the database livemeter cannot be made: ") as caught:
        migrate(_Bare(failure))
    assert (type(caught.value), caught.value.code) == (type(failure), failure.code)
    assert str(caught.value).endswith(str(failure))


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal(tmp_path / "journal", 1, JournalLimits(reserve_bytes=0))
    yield opened
    opened.close()


def request(name: str) -> Request:
    return Request(logs_request([name]).SerializeToString(), 1)


async def test_what_an_earlier_process_left_is_stored_before_what_came_while_the_store_was_away(
    tmp_path: Path,
) -> None:
    limits = JournalLimits(reserve_bytes=0)
    earlier = Journal(tmp_path / "journal", 1, limits)
    body = request("left").body
    earlier.append(LOGS, [Entry(body, 1, time.time_ns(), digest_of(body))])
    earlier.close()
    journal, store = Journal(tmp_path / "journal", 1, limits), MemoryStore()
    writer = Writer(store, journal, DeadLetters(tmp_path / "letters"))
    writer.start(away="it is away")
    try:
        await writer.submit(LOGS, request("came"))
        assert {state.trouble for state in writer.state().values()} == {"it is away"}
        assert store.calls == 0
        writer.store_is_there()
        await until(lambda: store.names == ["left", "came"])
        assert {state.trouble for state in writer.state().values()} == {""}
    finally:
        assert await writer.stop(timeout_s=5)
        journal.close()


async def test_a_writer_that_is_stopped_before_its_store_is_there_leaves_all_in_the_journal(
    tmp_path: Path, journal: Journal
) -> None:
    store = MemoryStore()
    writer = Writer(store, journal, DeadLetters(tmp_path / "letters"))
    writer.start(away="it is away")
    await writer.submit(LOGS, request("kept"))
    assert await writer.stop(timeout_s=5)
    assert store.calls == 0
    assert journal.held(LOGS)[0].requests == 1
