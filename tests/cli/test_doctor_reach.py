"""The doctor's probes against real sockets: whoever listens there, in whatever state."""

import base64
import gzip
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import trustme
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from livemeter.doctor.facts import Asked, Outcome, Reach
from livemeter.doctor.probes.deadline import within
from livemeter.doctor.probes.otlp import proxy_of, send_nothing
from livemeter.doctor.probes.sql import ask_arrivals
from livemeter.settings import Settings
from livemeter.testing.authority import CertificateAuthority

SECRET = "s3cret"
LONG_S = 20.0
SHORT_S = 0.3
"""For those who never answer."""


@dataclass
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Site:
    """What a server answers, and what it was asked."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    requests: list[Request] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def handler_of(site: Site) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            headers = {name.lower(): value for name, value in self.headers.items()}
            site.requests.append(Request(self.command, self.path, headers, body))
            self.send_response(site.status)
            for name, value in {"content-length": str(len(site.body)), **site.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(site.body)

        do_POST = do_GET  # noqa: N815 - the base class's word

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's word
            pass

    return Handler


@contextmanager
def serving(site: Site, tls: ssl.SSLContext | None = None) -> Iterator[Site]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler_of(site))
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    site.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def answering(talk: Callable[[socket.socket], None]) -> Iterator[str]:
    """Serve a URL at which every connection is handed to ``talk``."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    talk(connection)

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            # Closing alone does not wake a thread that waits.
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


@contextmanager
def silent() -> Iterator[str]:
    """Serve a URL at which connections are taken and nothing is ever said."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def closed_port() -> Iterator[str]:
    """Hold a port on which nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name in (
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "OTEL_EXPORTER_OTLP_HEADERS",
        "OTEL_EXPORTER_OTLP_CERTIFICATE",
    ):
        monkeypatch.delenv(name, raising=False)


def export(url: str, timeout_s: float = LONG_S, **settings: object) -> Reach:
    return send_nothing(Settings(endpoint=url, **settings), timeout_s)  # type: ignore[arg-type]


def test_an_empty_export_is_a_valid_request_with_the_configured_headers_and_is_sent_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "vendor-key=theirs")
    with serving(Site(headers={"content-type": "application/x-protobuf; x=y"})) as site:
        reach = export(f"{site.url}/base/", headers={"authorization": f"Bearer {SECRET}"})
    assert reach == Reach(Outcome.ANSWERED, 200, "application/x-protobuf")
    [request] = site.requests
    assert (request.method, request.path) == ("POST", "/base/v1/logs")
    assert request.headers["authorization"] == f"Bearer {SECRET}"
    assert request.headers["content-type"] == "application/x-protobuf"
    assert "vendor-key" not in request.headers
    assert ExportLogsServiceRequest.FromString(gzip.decompress(request.body)) == ExportLogsServiceRequest()
    assert caplog.records == []


@pytest.mark.parametrize("status", [302, 400, 401, 403, 404, 415, 429, 500, 503])
def test_a_status_is_told_after_one_attempt_and_nothing_is_logged(
    status: int, caplog: pytest.LogCaptureFixture
) -> None:
    """The exporter would try again for some of them, and take a redirection for success or follow it."""
    with serving(Site(status, {"retry-after": "1", "location": "/elsewhere"})) as site:
        assert export(site.url) == Reach(Outcome.ANSWERED, status)
    assert len(site.requests) == 1
    assert caplog.records == []


def test_a_port_on_which_nobody_listens_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    with closed_port() as url:
        assert export(url) == Reach(Outcome.REFUSED)
        assert ask_arrivals(url, LONG_S).reach == Reach(Outcome.REFUSED)
    assert caplog.records == []


def test_who_takes_connections_and_says_nothing_is_given_up() -> None:
    with silent() as url:
        assert export(url, SHORT_S) == Reach(Outcome.NOT_ANSWERED)
        assert ask_arrivals(url, SHORT_S).reach == Reach(Outcome.NOT_ANSWERED)


def test_who_never_stops_to_talk_is_given_up() -> None:
    """Each byte comes within the time-out; only a limit on the whole ends it."""
    stop = threading.Event()

    def drip(connection: socket.socket) -> None:
        connection.recv(65_536)
        try:
            connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
            while not stop.wait(SHORT_S / 10):
                connection.sendall(b"x")
        except OSError:
            return

    with answering(drip) as url, ExitStack() as end:
        end.callback(stop.set)
        assert export(url, SHORT_S) == Reach(Outcome.NOT_ANSWERED)
        assert ask_arrivals(url, SHORT_S).reach == Reach(Outcome.NOT_ANSWERED)


def test_a_connection_that_is_closed_instead_of_an_answer_is_told() -> None:
    with answering(lambda _: None) as url:
        assert export(url) == Reach(Outcome.CLOSED)
        assert export(url.replace("http:", "https:")) == Reach(Outcome.CLOSED)


def test_a_host_without_an_address_is_told() -> None:
    # RFC 6761 keeps this name free for ever.
    assert export("http://nowhere.invalid:4318").outcome is Outcome.UNKNOWN_HOST


def test_a_header_that_http_cannot_carry_is_told_and_not_shown() -> None:
    with serving(Site()) as site:
        reach = export(site.url, headers={"authorization": f"{SECRET} 東"})
    assert reach == Reach(Outcome.FAILED, detail="UnicodeEncodeError")


@pytest.fixture(scope="module")
def authority() -> Iterator[CertificateAuthority]:
    with CertificateAuthority() as authority:
        yield authority


def test_a_certificate_is_trusted_when_opentelemetry_is_told_its_authority(
    authority: CertificateAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(Site(), authority.server_context()) as site:
        url = f"https://127.0.0.1:{site.port}"
        reach = export(url)
        assert reach.outcome is Outcome.UNTRUSTED
        assert "unable to get local issuer certificate" in reach.detail
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", str(authority.ca_file))
        assert export(url) == Reach(Outcome.ANSWERED, 200)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere/ca.pem")
        assert export(url) == Reach(Outcome.NO_CERTIFICATE_FILE)


def test_a_certificate_of_another_host_is_not_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("collector.example").configure_cert(context)
    with serving(Site(), context) as site:
        reach = export(f"https://127.0.0.1:{site.port}")
    assert reach.outcome is Outcome.UNTRUSTED
    assert "mismatch" in reach.detail


def test_https_where_plain_http_is_spoken_is_told_and_the_other_way_round(
    authority: CertificateAuthority,
) -> None:
    with serving(Site()) as site:
        assert export(f"https://127.0.0.1:{site.port}").outcome is Outcome.NOT_TLS
    with serving(Site(), authority.server_context()) as site:
        assert export(site.url).outcome is Outcome.CLOSED


def test_a_proxy_is_used_for_the_world_and_never_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(Site()) as proxy, serving(Site()) as site:
        monkeypatch.setenv("HTTP_PROXY", proxy.url.replace("http://", f"http://user:{SECRET}@"))
        assert export(site.url) == Reach(Outcome.ANSWERED, 200)
        assert proxy.requests == []
        assert export("http://nowhere.invalid") == Reach(Outcome.ANSWERED, 200, proxy="HTTP_PROXY")
        assert proxy.requests[0].path == "http://nowhere.invalid/v1/logs"


def test_a_proxy_that_is_down_is_told_apart_from_a_collector_that_is(monkeypatch: pytest.MonkeyPatch) -> None:
    with closed_port() as url:
        monkeypatch.setenv("HTTP_PROXY", url)
        assert export("http://nowhere.invalid") == Reach(Outcome.PROXY, detail="refused", proxy="HTTP_PROXY")


@pytest.mark.parametrize(
    ("url", "env", "proxy"),
    [
        ("https://far:4318", {"HTTPS_PROXY": "http://p"}, "HTTPS_PROXY"),
        ("https://far:4318", {"ALL_PROXY": "http://p"}, "ALL_PROXY"),
        ("https://far:4318", {"HTTP_PROXY": "http://p"}, ""),
        ("https://far:4318", {"HTTPS_PROXY": "http://p", "NO_PROXY": "far"}, ""),
        ("https://localhost:4318", {"HTTPS_PROXY": "http://p"}, ""),
        ("https://[::1]:4318", {"HTTPS_PROXY": "http://p"}, ""),
    ],
)
def test_which_proxy_variable_counts(
    url: str, env: dict[str, str], proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    assert proxy_of(url) == proxy


EVERYTHING = {
    "now_ms": 7,
    "app": "a",
    "connections": "2",
    "recent": 1,
    "not_set_up": 0,
    "newest_ms": 5,
    "spoke": 1,
    "unmetered": "0",
}
"""A row that answers every question; numbers of 64 bits may be strings."""


def rows(*rows: object) -> bytes:
    return json.dumps({"data": rows}).encode()


@pytest.mark.parametrize(
    ("site", "expected"),
    [
        (Site(401, body=b"no"), Asked("", Reach(Outcome.ANSWERED, 401))),
        (Site(302, {"location": "/login"}), Asked("", Reach(Outcome.ANSWERED, 302))),
        (
            Site(404, body=b"Code: 60. DB::Exception: Unknown table expression identifier"),
            Asked("", Reach(Outcome.ANSWERED, 404), 60),
        ),
        (Site(body=b"<html>Code: 60"), Asked("", Reach(Outcome.ANSWERED, 200))),
        (Site(body=b'{"data": 5}'), Asked("", Reach(Outcome.ANSWERED, 200))),
        (Site(body=rows()), Asked("", Reach(Outcome.ANSWERED, 200))),
        (Site(body=rows({"now_ms": "soon"})), Asked("", Reach(Outcome.ANSWERED, 200))),
        (Site(body=rows({"now_ms": None})), Asked("", Reach(Outcome.ANSWERED, 200))),
        (Site(body=b" " * 9_000_000 + rows(EVERYTHING)), Asked("", Reach(Outcome.ANSWERED, 200))),
    ],
    ids=lambda value: str(value.status) if isinstance(value, Site) else "",
)
def test_what_is_no_answer_of_clickhouse_tells_nothing_of_arrivals(site: Site, expected: Asked) -> None:
    with serving(site):
        asked = ask_arrivals(site.url, LONG_S)
    assert asked == Asked(site.url, expected.reach, expected.error_code)


def test_a_password_in_the_sql_url_is_sent_and_never_shown() -> None:
    with serving(Site(403)) as site:
        asked = ask_arrivals(f"http://reader:{SECRET}@127.0.0.1:{site.port}/", LONG_S)
    assert SECRET not in repr(asked)
    assert asked.url == site.url
    [request] = site.requests
    credentials = base64.b64encode(f"reader:{SECRET}".encode()).decode()
    assert request.headers["authorization"] == f"Basic {credentials}"


def test_questions_are_selects_by_get_within_the_time_that_is_left() -> None:
    with serving(Site(body=rows(EVERYTHING))) as site:
        asked = ask_arrivals(site.url, LONG_S)
    assert asked.arrivals is not None
    assert [(app.app, app.connections) for app in asked.arrivals.apps] == [("a", 2)]
    assert (asked.arrivals.now_ms, asked.arrivals.spoke, asked.arrivals.unmetered) == (7, 1, 0)
    told = [parse_qs(urlsplit(request.path).query) for request in site.requests]
    assert len(told) == 3
    for request, words in zip(site.requests, told, strict=True):
        assert request.method == "GET"
        assert words["query"][0].split()[0] == "SELECT"
        assert words["query"][0].endswith("FORMAT JSON")
        assert words["database"] == ["livemeter"]
        assert 0 < float(words["max_execution_time"][0]) <= LONG_S


def test_a_probe_that_fails_of_itself_is_reported_and_found_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> int:
        raise RuntimeError(SECRET)

    assert within(LONG_S, "look around", broken) is None
    [record] = [record for record in caplog.records if record.levelname == "WARNING"]
    assert record.getMessage().startswith("Livemeter could not look around (RuntimeError at ")
    assert SECRET not in record.getMessage()


def test_a_probe_that_hangs_is_left_behind() -> None:
    stop = threading.Event()
    with pytest.raises(TimeoutError):
        within(0.01, "wait", stop.wait)
    stop.set()
