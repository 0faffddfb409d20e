"""Who is let in at the three doors: tokens, certificates and host names, each with the clients that exist."""

import asyncio
import base64
import contextlib
import json
import logging
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import clickhouse_connect
import grpc
import grpc.aio
import pytest
import trustme
from clickhouse_connect.driver.exceptions import ClickHouseError
from google.rpc.code_pb2 import PERMISSION_DENIED, UNAUTHENTICATED
from google.rpc.status_pb2 import Status
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from livemeter_collector.access import (
    Access,
    AccessError,
    Refusal,
    basic_password,
    bearer_token,
    is_loopback,
    names_this_machine,
    read_token,
)
from livemeter_collector.query.gateway import create_sql_app
from livemeter_collector.receive.decode import JSON, PROTOBUF
from livemeter_collector.receive.http import create_otlp_app
from livemeter_collector.receive.schema import SERVICES
from livemeter_collector.store.contract import Signal, Store
from tests.collector.doors import TOKEN, HttpDoor, Recorder, grpc_door, http_door
from tests.collector.serving import ask, serving

WRONG = TOKEN[:-1] + "x"
EVERYWHERE = Access("0.0.0.0", TOKEN)  # noqa: S104 - nothing listens: it is what would be asked there


def log(name: str) -> bytes:
    request = ExportLogsServiceRequest()
    request.resource_logs.add().scope_logs.add().log_records.add().body.string_value = name
    return request.SerializeToString()


# What can be asked of callers at all.


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost", "LOCALHOST"])
def test_loopback_needs_nothing(host: str) -> None:
    assert Access(host).token is None


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "collector.example", ""])  # noqa: S104
def test_every_other_host_needs_a_token_and_the_error_says_how(host: str) -> None:
    with pytest.raises(AccessError) as failure:
        Access(host)
    text = str(failure.value)
    assert "LIVEMETER_TOKEN" in text
    assert "--token-file" in text
    assert "\n" not in text
    assert Access(host, TOKEN).token == TOKEN


@pytest.mark.parametrize(
    "token", ["", "short", "x" * 15, "x" * 1025, "a token with spaces in it", "x" * 16 + "\n", "ä" * 16]
)
def test_a_token_that_no_header_could_carry_is_refused_and_not_repeated(token: str) -> None:
    with pytest.raises(AccessError) as failure:
        Access(token=token)
    assert not token or token not in str(failure.value)


def test_a_token_is_not_in_the_text_of_what_holds_it() -> None:
    assert TOKEN not in repr(EVERYWHERE)
    assert TOKEN not in str(EVERYWHERE)


def test_half_of_a_certificate_is_refused() -> None:
    half = Path("a.pem")
    for certificate, key, client_ca in ((half, None, None), (None, half, None), (None, None, half)):
        with pytest.raises(AccessError, match="pass --tls-cert and --tls-key"):
            Access("127.0.0.1", TOKEN, certificate, key, client_ca)


def test_tokens_in_the_clear_are_known() -> None:
    assert EVERYWHERE.in_the_clear
    assert not Access("0.0.0.0", TOKEN, Path("a"), Path("b")).in_the_clear  # noqa: S104
    assert not Access(token=TOKEN).in_the_clear


def test_the_token_comes_from_the_file_or_else_from_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    assert read_token({}, None) is None
    assert read_token({"LIVEMETER_TOKEN": ""}, None) is None
    assert read_token({"LIVEMETER_TOKEN": f" {TOKEN}\n"}, None) == TOKEN
    assert read_token({"LIVEMETER_TOKEN": WRONG}, file) == TOKEN


def test_a_token_file_that_holds_none_is_named_and_not_quoted(tmp_path: Path) -> None:
    file = tmp_path / "token"
    with pytest.raises(AccessError, match=r"cannot read the token file .*token: No such file"):
        read_token({}, file)
    file.write_text(" \n")
    with pytest.raises(AccessError, match="is empty"):
        read_token({}, file)
    file.write_bytes(b"\xffhidden")
    with pytest.raises(AccessError) as failure:
        read_token({}, file)
    assert "hidden" not in str(failure.value)
    assert failure.value.__cause__ is None
    # What is longer than a token can be is not cut to one.
    file.write_text("x" * 5000)
    text = read_token({}, file)
    with pytest.raises(AccessError):
        Access(token=text)


@pytest.mark.parametrize(
    "header",
    [
        "localhost",
        "localhost:4318",
        "LocalHost:1",
        "localhost.",
        "127.0.0.1",
        "127.1.2.3:80",
        "[::1]",
        "[::1]:4318",
    ],
)
def test_hosts_that_are_this_machine(header: str) -> None:
    assert names_this_machine(header)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "example.com",
        "localhost.example.com",
        "127.0.0.1.example.com",
        "example.com:4318",
        "192.168.0.1",
        "0.0.0.0",  # noqa: S104
        "[::]",
        "[::1",
        "::1]",
        "127.0.0.1@example.com",
        "localhost:80:80",
        "localhost:x",
        "[::ffff:8.8.8.8]",
    ],
)
def test_hosts_that_are_not(header: str) -> None:
    assert not names_this_machine(header)


@given(st.text(max_size=40))
def test_no_header_makes_them_fail(text: str) -> None:
    for read in (names_this_machine, is_loopback, bearer_token, basic_password):
        read(text)
        read(f"Bearer {text}")
        read(f"Basic {text}")
    assert EVERYWHERE.refusal(text, iter([text])) is (Refusal.WRONG_TOKEN if text else Refusal.NO_TOKEN)


@given(
    user=st.text(st.characters(blacklist_characters=":", codec="utf-8")),
    password=st.text(st.characters(codec="utf-8")),
)
def test_a_basic_password_may_hold_anything(user: str, password: str) -> None:
    encoded = base64.b64encode(f"{user}:{password}".encode()).decode()
    assert basic_password(f"basic {encoded}") == password


# OTLP over HTTP.


@pytest.fixture
async def guarded() -> AsyncIterator[tuple[Recorder, HttpDoor]]:
    recorder = Recorder()
    app = create_otlp_app(recorder, access=EVERYWHERE)
    app.router.routes.append(Route("/healthz", _healthy))
    async with http_door(app) as door:
        yield recorder, door


async def _healthy(_: Request) -> Response:
    return PlainTextResponse("ok\n")


async def test_otlp_http_takes_who_shows_the_token(guarded: tuple[Recorder, HttpDoor]) -> None:
    recorder, door = guarded
    for scheme in ("Bearer", "bearer"):
        answer = await door.post(
            "/v1/logs", log(scheme), content_type=PROTOBUF, authorization=f"{scheme} {TOKEN}"
        )
        assert answer.status == 200
    # With a token, a host is not asked for: names of other machines are what it is reached by.
    answer = await door.post(
        "/v1/logs", log("far"), content_type=PROTOBUF, authorization=f"Bearer {TOKEN}", host="a.example"
    )
    assert answer.status == 200
    assert recorder.names == ["Bearer", "bearer", "far"]


@pytest.mark.parametrize(
    "shown", ["", f"Bearer {WRONG}", f"Bearer {TOKEN}x", f"Basic {TOKEN}", TOKEN, "Bearer", "Bearer \xff"]
)
async def test_otlp_http_turns_others_away_with_a_status(
    guarded: tuple[Recorder, HttpDoor], shown: str
) -> None:
    recorder, door = guarded
    headers = {"authorization": shown} if shown else {}
    answer = await door.post("/v1/logs", log("a"), content_type=PROTOBUF, **headers)
    status = Status.FromString(answer.body)
    assert (answer.status, status.code) == (401, UNAUTHENTICATED)
    assert answer.headers["www-authenticate"].startswith("Bearer")
    answer = await door.post("/v1/logs", b"{}", content_type=JSON, **headers)
    assert (answer.status, json.loads(answer.body)["code"]) == (401, UNAUTHENTICATED)
    # What is there and what is not is nobody's business either.
    assert (await door.post("/elsewhere", b"", **headers)).status == 401
    assert recorder.taken == []
    assert recorder.malformed == []


async def test_health_is_open_to_everyone(guarded: tuple[Recorder, HttpDoor]) -> None:
    _, door = guarded
    answer = await door.post("/healthz", b"", method="GET", host="10.0.0.1:4318")
    assert (answer.status, answer.body) == (200, b"ok\n")
    assert (await door.post("/healthz/../v1/logs", b"", method="GET")).status == 401


async def test_without_a_token_a_page_of_another_name_is_turned_away() -> None:
    """A browser that was told that a.example is 127.0.0.1 says a.example."""
    recorder = Recorder()
    async with http_door(create_otlp_app(recorder)) as door:
        answer = await door.post("/v1/logs", log("a"), content_type=PROTOBUF, host="a.example:4318")
        assert (answer.status, Status.FromString(answer.body).code) == (421, PERMISSION_DENIED)
        for host in (f"localhost:{door.port}", "[::1]:4318"):
            assert (await door.post("/v1/logs", log(host), content_type=PROTOBUF, host=host)).status == 200
    assert len(recorder.names) == 2


async def test_no_door_writes_a_token_into_a_log(
    guarded: tuple[Recorder, HttpDoor], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    _, door = guarded
    for token in (TOKEN, WRONG):
        await door.post(
            f"/v1/logs?password={token}", log("a"), content_type=PROTOBUF, authorization=f"Bearer {token}"
        )
    assert TOKEN not in caplog.text
    assert WRONG not in caplog.text


# OTLP over gRPC.


def export(channel: grpc.aio.Channel) -> "grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]":
    return channel.unary_unary(f"/{SERVICES[Signal.LOGS]}/Export", None, None)


async def test_grpc_takes_who_shows_the_token() -> None:
    recorder = Recorder()
    async with grpc_door(recorder, access=EVERYWHERE) as port:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            await export(channel)(log("a"), metadata=(("authorization", f"Bearer {TOKEN}"),), timeout=10)
    assert recorder.names == ["a"]


@pytest.mark.parametrize(
    "metadata", [(), (("authorization", f"Bearer {WRONG}"),), (("x-clickhouse-key", TOKEN),)]
)
async def test_grpc_turns_others_away_before_their_message_is_read(
    metadata: tuple[tuple[str, str], ...],
) -> None:
    recorder = Recorder()
    async with grpc_door(recorder, access=EVERYWHERE) as port:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            with pytest.raises(grpc.aio.AioRpcError) as failure:
                await export(channel)(log("a"), metadata=metadata, timeout=10)
            assert failure.value.code() is grpc.StatusCode.UNAUTHENTICATED
            # The message never comes, and the answer does.
            stream = channel.stream_unary(f"/{SERVICES[Signal.LOGS]}/Export", None, None)
            call = stream(_nothing(), metadata=metadata, timeout=10)
            assert await call.code() is grpc.StatusCode.UNAUTHENTICATED
    assert recorder.taken == []
    assert recorder.malformed == []


async def _nothing() -> AsyncIterator[bytes]:
    await asyncio.Event().wait()
    yield b""


# SQL.


@pytest.fixture(scope="module")
def sql_port(store: Store) -> Iterator[int]:
    with serving(create_sql_app(store, access=EVERYWHERE)) as port:
        yield port


def basic(password: str) -> str:
    return "Basic " + base64.b64encode(f"default:{password}".encode()).decode()


WAYS: list[Callable[[str], tuple[dict[str, str], dict[str, str]]]] = [
    lambda token: ({"X-ClickHouse-User": "anyone", "X-ClickHouse-Key": token}, {}),
    lambda token: ({"Authorization": basic(token)}, {}),
    lambda token: ({"Authorization": f"Bearer {token}"}, {}),
    lambda token: ({}, {"user": "anyone", "password": token}),
]


@pytest.mark.parametrize("way", WAYS)
def test_sql_takes_the_token_wherever_clickhouses_clients_put_a_password(
    sql_port: int, way: Callable[[str], tuple[dict[str, str], dict[str, str]]]
) -> None:
    headers, url = way(TOKEN)
    answer = ask(sql_port, "SELECT 1", None, headers, **url)
    assert (answer.status, answer.body) == (200, b"1\n")
    headers, url = way(WRONG)
    answer = ask(sql_port, "SELECT 1", None, headers, **url)
    assert (answer.status, answer.headers["x-clickhouse-exception-code"]) == (403, "516")
    assert answer.body.startswith(b"Code: 516. DB::Exception: ")
    assert WRONG.encode() not in answer.body


def test_sql_asks_who_shows_nothing_for_a_password(sql_port: int) -> None:
    for headers in ({}, {"X-ClickHouse-User": "default"}, {"Authorization": basic("")}):
        answer = ask(sql_port, "SELECT 1", headers=headers)
        assert (answer.status, answer.headers["x-clickhouse-exception-code"]) == (401, "194")
        assert "Basic" in answer.headers["www-authenticate"]
    assert ask(sql_port, path="/ping").status == 200


def test_clickhouse_connect_reads_with_the_token_as_password(sql_port: int) -> None:
    client = clickhouse_connect.get_client(
        host="127.0.0.1", port=sql_port, username="default", password=TOKEN
    )
    with contextlib.closing(client):
        assert client.query("SELECT 1").result_rows == [(1,)]
    for password in ("", WRONG):
        with pytest.raises(ClickHouseError):
            clickhouse_connect.get_client(
                host="127.0.0.1", port=sql_port, username="default", password=password
            )


def test_sql_without_a_token_turns_away_a_page_of_another_name(store: Store) -> None:
    with serving(create_sql_app(store)) as port:
        answer = ask(port, "SELECT 1", headers={"Host": "a.example"})
        assert (answer.status, b"Host header" in answer.body) == (421, True)
        assert ask(port, "SELECT 1", headers={"Host": "localhost:8123"}).status == 200


# TLS.


@dataclass(frozen=True)
class Certificates:
    authority: trustme.CA
    server: Access
    """Asks for the token, over TLS."""
    directory: Path

    def client(self, certificate: trustme.LeafCert | None = None) -> ssl.SSLContext:
        context = ssl.create_default_context()
        self.authority.configure_trust(context)
        if certificate is not None:
            certificate.configure_cert(context)
        return context

    def strict(self) -> Access:
        """Asks for a certificate of the authority too."""
        return Access("localhost", TOKEN, self.server.certificate, self.server.key, self.directory / "ca.pem")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    directory = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    leaf = authority.issue_cert("localhost", "127.0.0.1")
    (directory / "cert.pem").write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
    leaf.private_key_pem.write_to_path(str(directory / "key.pem"))
    authority.cert_pem.write_to_path(str(directory / "ca.pem"))
    access = Access("localhost", TOKEN, directory / "cert.pem", directory / "key.pem")
    return Certificates(authority, access, directory)


async def test_otlp_http_over_tls(certificates: Certificates) -> None:
    recorder = Recorder()
    access = certificates.server
    app = create_otlp_app(recorder, access=access)
    async with http_door(app, tls=access.ssl_context(), client_tls=certificates.client()) as door:
        answer = await door.post("/v1/logs", log("a"), content_type=PROTOBUF, authorization=f"Bearer {TOKEN}")
        assert answer.status == 200
        plain = HttpDoor(door.port, door.server)
        with pytest.raises(OSError, match=r"closed|reset|aborted"):
            await plain.post("/v1/logs", log("b"))
    assert recorder.names == ["a"]


async def test_otlp_http_with_certificates_of_clients(certificates: Certificates) -> None:
    recorder = Recorder()
    access = certificates.strict()
    known = certificates.client(certificates.authority.issue_cert("client"))
    stranger = certificates.client(trustme.CA().issue_cert("client"))
    app = create_otlp_app(recorder, access=access)
    headers = {"content_type": PROTOBUF, "authorization": f"Bearer {TOKEN}"}
    async with http_door(app, tls=access.ssl_context(), client_tls=known) as door:
        assert (await door.post("/v1/logs", log("a"), **headers)).status == 200
        for context in (certificates.client(), stranger):
            with pytest.raises(OSError, match=r"(?i)certificate|unknown ca|closed|reset|eof"):
                await HttpDoor(door.port, door.server, context).post("/v1/logs", log("b"), **headers)
    assert recorder.names == ["a"]


@pytest.mark.parametrize("strict", [False, True])
async def test_grpc_over_tls_with_and_without_certificates_of_clients(
    certificates: Certificates, strict: bool
) -> None:
    recorder = Recorder()
    leaf = certificates.authority.issue_cert("client")
    trusted = (certificates.directory / "ca.pem").read_bytes()
    chain = b"".join(blob.bytes() for blob in leaf.cert_chain_pems)
    with_one = grpc.ssl_channel_credentials(trusted, leaf.private_key_pem.bytes(), chain)
    metadata = (("authorization", f"Bearer {TOKEN}"),)
    async with grpc_door(recorder, access=certificates.strict() if strict else certificates.server) as port:
        async with grpc.aio.secure_channel(f"localhost:{port}", with_one) as channel:
            await export(channel)(log("with"), metadata=metadata, timeout=10)
        async with grpc.aio.secure_channel(
            f"localhost:{port}", grpc.ssl_channel_credentials(trusted)
        ) as channel:
            with contextlib.ExitStack() as refused:
                if strict:
                    refused.enter_context(pytest.raises(grpc.aio.AioRpcError))
                await export(channel)(log("without"), metadata=metadata, timeout=10)
    assert recorder.names == (["with"] if strict else ["with", "without"])


def test_files_that_are_no_certificates_are_named(tmp_path: Path, certificates: Certificates) -> None:
    cert, key = certificates.server.certificate, certificates.server.key
    assert cert is not None
    assert key is not None
    other = tmp_path / "other.key"
    trustme.CA().issue_cert("localhost").private_key_pem.write_to_path(str(other))
    (tmp_path / "text").write_text("no certificate")
    with pytest.raises(AccessError, match=r"cannot read .*nowhere: No such file"):
        Access(certificate=cert, key=tmp_path / "nowhere").ssl_context()
    for certificate, wrong in ((cert, other), (tmp_path / "text", key), (cert, tmp_path / "text")):
        with pytest.raises(AccessError, match="cannot be used for TLS"):
            Access(certificate=certificate, key=wrong).ssl_context()
    with pytest.raises(AccessError, match="text cannot be used for TLS"):
        Access(certificate=cert, key=key, client_ca=tmp_path / "text").ssl_context()


def test_a_key_with_a_passphrase_is_refused_and_nobody_is_asked_for_it(
    tmp_path: Path, certificates: Certificates
) -> None:
    from cryptography.hazmat.primitives import serialization

    assert certificates.server.key is not None
    key = serialization.load_pem_private_key(certificates.server.key.read_bytes(), None)
    locked = tmp_path / "locked.pem"
    locked.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"passphrase"),
        )
    )
    with pytest.raises(AccessError, match="no passphrase"):
        Access(certificate=certificates.server.certificate, key=locked).ssl_context()
