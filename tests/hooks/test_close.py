"""How connections end, on real sockets: one test for each way in which they do."""

import asyncio
import base64
import hashlib
import socket
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import InvalidStatus

from livemeter.diagnosis.catalogue import load_catalogue
from livemeter.diagnosis.models import load_models
from livemeter.hooks.close import has_unread, read_close, read_refusal, read_refused_dial, redacted
from livemeter.observer.connection import Close
from livemeter.testing import FakeLiveServer, RefuseHandshake, Script
from livemeter.vocabulary import ClosedBy
from tests.hooks.sockets import Quiet, drained, mute_server, serving

OK = "websockets.exceptions.ConnectionClosedOK"
ERROR = "websockets.exceptions.ConnectionClosedError"


async def ended(
    handler: Callable[[ServerConnection], Awaitable[None]],
    use: Callable[[ClientConnection], Awaitable[Any]],
    **options: Any,
) -> Close:
    """Connect, use the connection until it ends, and read how it did."""
    async with serving(handler) as url, connect(url, **{**Quiet, **options}) as connection:
        error = await use(connection)
        return read_close(connection, error if isinstance(error, BaseException) else None)


async def idle(connection: ServerConnection) -> None:
    await connection.wait_closed()


@pytest.mark.parametrize(("code", "error"), [(1000, OK), (1001, OK), (1008, ERROR), (1011, ERROR)])
async def test_the_server_closes_first(code: int, error: str) -> None:
    async def closes(connection: ServerConnection) -> None:
        await connection.close(code, "enough")

    assert await ended(closes, drained) == Close(
        code=code,
        reason="enough",
        closed_by=ClosedBy.SERVER,
        clean=True,
        error_type=error,
        exception_chain=(error,),
    )


async def test_a_close_without_a_code_is_1005() -> None:
    async def closes(connection: ServerConnection) -> None:
        connection.protocol.send_close()
        connection.send_data()
        await connection.wait_closed()

    close = await ended(closes, drained)
    assert (close.code, close.reason, close.closed_by, close.clean) == (1005, "", ClosedBy.SERVER, True)


async def test_the_client_closes_first() -> None:
    async def close_it(connection: ClientConnection) -> None:
        await connection.close(1001, "bye")

    assert await ended(idle, close_it) == Close(
        code=1001, reason="bye", closed_by=ClosedBy.CLIENT, clean=True
    )


async def test_the_client_closes_while_it_receives() -> None:
    async def close_it(connection: ClientConnection) -> Exception:
        receiving = asyncio.create_task(drained(connection))
        await asyncio.sleep(0)
        await connection.close()
        return await receiving

    close = await ended(idle, close_it)
    assert (close.code, close.closed_by, close.clean, close.error_type) == (1000, ClosedBy.CLIENT, True, OK)


async def test_both_close_at_once() -> None:
    """Each sent its close before the other's came: the client was first, as far as the client can tell."""

    async def closes(connection: ServerConnection) -> None:
        connection.protocol.send_close(1001, "server")
        await connection.recv()

    async def close_it(connection: ClientConnection) -> Exception:
        # The server made up its mind before; its close is on its way when the client's is sent.
        connection.protocol.send_close(1000, "client")
        connection.send_data()
        return await drained(connection)

    close = await ended(closes, close_it)
    assert (close.code, close.reason, close.closed_by, close.clean) == (1000, "client", ClosedBy.CLIENT, True)


async def test_a_connection_that_is_reset_is_nobody_s_close() -> None:
    async with mute_server(abort=True) as server, connect(server.url, **Quiet) as connection:
        await connection.send("anything")
        error = await drained(connection)
        close = read_close(connection, error)

    assert (close.code, close.closed_by, close.clean, close.error_type) == (1006, ClosedBy.NONE, False, ERROR)
    # What became of the socket is the operating system's to say; that nothing came is all that is certain.
    assert close.exception_chain[0] == ERROR


async def test_a_client_that_drops_the_line_closed_nothing() -> None:
    async def drop(connection: ClientConnection) -> Exception:
        connection.transport.abort()
        return await drained(connection)

    close = await ended(idle, drop)
    assert (close.code, close.closed_by, close.clean) == (1006, ClosedBy.NONE, False)


async def test_a_keepalive_that_times_out_is_a_close_of_the_client_s_library() -> None:
    async with mute_server() as server:
        options = {**Quiet, "ping_interval": 0.01, "ping_timeout": 0.01, "close_timeout": 0.01}
        async with connect(server.url, **options) as connection:
            close = read_close(connection, await drained(connection))

    assert (close.code, close.reason) == (1011, "keepalive ping timeout")
    assert (close.closed_by, close.clean, close.error_type) == (ClosedBy.CLIENT, False, ERROR)
    assert close.exception_chain == (ERROR, "builtins.TimeoutError")


async def test_a_close_that_nobody_answers_is_not_clean() -> None:
    async with mute_server() as server, connect(server.url, **Quiet, close_timeout=0.01) as connection:
        await connection.close()
        close = read_close(connection, None)

    assert (close.code, close.closed_by, close.clean) == (1000, ClosedBy.CLIENT, False)


async def test_a_frame_that_is_too_large_is_a_close_of_the_client_s_library() -> None:
    async def sends(connection: ServerConnection) -> None:
        await connection.send("x" * 101)
        await connection.wait_closed()

    close = await ended(sends, drained, max_size=100)
    assert (close.code, close.closed_by, close.clean) == (1009, ClosedBy.CLIENT, False)
    assert type(close.code) is int
    assert close.error_type == ERROR


async def test_a_handle_in_a_reason_is_not_kept() -> None:
    handle = "CihjZXJ0aWZpY2F0ZS1vZi1hdXRoZW50aWNpdHk0MTIz/d+9"

    async def closes(connection: ServerConnection) -> None:
        await connection.close(1008, f"handle {handle} expired")

    assert (await ended(closes, drained)).reason == "handle [redacted] expired"


async def test_messages_that_wait_beyond_the_end_are_known_to_wait() -> None:
    async def sends(connection: ServerConnection) -> None:
        await connection.send("one")
        await connection.send("two")

    async with serving(sends) as url, connect(url, **Quiet) as connection:
        await connection.wait_closed()
        assert has_unread(connection)
        await connection.recv()
        assert has_unread(connection)
        await connection.recv()
        assert not has_unread(connection)
    assert not has_unread(object())


# No connection came about.


async def refused(uri: str, **options: Any) -> Close:
    with pytest.raises((OSError, InvalidStatus)) as raised:
        await connect(uri, **{**Quiet, **options})
    return read_refused_dial(raised.value)


@pytest.mark.parametrize("status", [401, 403, 429, 500])
async def test_an_http_refusal_carries_its_status_and_text(status: int) -> None:
    body = '{"error": {\n  "message": "no, not with AIzaSyVerySecretIndeed"}}'
    async with FakeLiveServer([Script("no", (RefuseHandshake(status, body),))]) as server:
        uri = f"{server.url.replace('https', 'wss')}/ws/BidiGenerateContent?key=secret"
        close = await refused(uri, ssl=server.ssl_context())

    assert close == Close(
        reason='{"error": { "message": "no, not with [redacted]"}}',
        http_status=status,
        error_type="websockets.exceptions.InvalidStatus",
        exception_chain=("websockets.exceptions.InvalidStatus",),
    )


async def test_nobody_listens() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        close = await refused(f"ws://127.0.0.1:{unused.getsockname()[1]}/")

    assert close == Close(
        error_type="builtins.ConnectionRefusedError",
        exception_chain=("builtins.ConnectionRefusedError[ECONNREFUSED]",),
    )


async def test_a_certificate_that_nobody_vouches_for() -> None:
    async with FakeLiveServer() as server:
        close = await refused(server.url.replace("https", "wss"), ssl=ssl.create_default_context())

    assert close == Close(
        error_type="ssl.SSLCertVerificationError",
        exception_chain=("ssl.SSLCertVerificationError[CERTIFICATE_VERIFY_FAILED]",),
    )


async def test_an_address_that_does_not_resolve() -> None:
    # An IPv4 address asked for as IPv6: the resolver refuses by itself, whatever the network.
    close = await refused("ws://127.0.0.1:1/", family=socket.AF_INET6)

    assert close.error_type == "socket.gaierror"
    assert [name.partition("_")[0] for name in close.exception_chain] == ["socket.gaierror[EAI"]


async def test_a_handshake_that_nobody_answers() -> None:
    async with mute_server(handshake=False) as server:
        close = await refused(server.url, open_timeout=0.01)

    assert close.error_type == "builtins.TimeoutError"
    assert close.exception_chain[0] == "builtins.TimeoutError"


# What is never kept.

KEY = "AIzaSyD-9tSrke72PouQMnMX-a7eZSW0jkFMBWY"
HANDLE = "Cig3ZTI5MGVmNi1jY2Y4LTQyZTUtOTVhYS0wNGQ1MTIzZjM5ZDE"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (f"API key {KEY} not valid.", "API key [redacted] not valid."),
        ("auth key AQ.Ab8RN6KSecretSecret1 expired", "auth key [redacted] expired"),
        ("token auth_tokens/0123abc-def is used up", "token [redacted] is used up"),
        ("Bearer ya29.a0AfB_byC-1.x expired", "Bearer [redacted] expired"),
        ("authorization: Bearer opaque~value; retry", "authorization: Bearer [redacted] retry"),
        ("got eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln, sorry", "got [redacted], sorry"),
        ("GET /ws?key=abc&alt=json failed", "GET /ws?key=[redacted] failed"),
        ("?access_token=abc", "?access_token=[redacted]"),
        ('{"api_key": "abcdef123456", "a": 1}', '{"api_key": "[redacted]", "a": 1}'),
        ("x-goog-api-key: abcdef123456", "x-goog-api-key: [redacted]"),
        (f"Invalid handle: {HANDLE}", "Invalid handle: [redacted]"),
        (f"handle '{HANDLE}' is unknown", "handle '[redacted]' is unknown"),
        ("digest da39a3ee5e6b4b0d3255bfef95601890afd80709 differs", "digest [redacted] differs"),
    ],
)
def test_what_looks_like_a_credential_is_not_kept(text: str, kept: str) -> None:
    assert redacted(text) == kept


PATH = "projects/my-project-1/locations/us-central1/publishers/google/models"
SENTENCES = [
    "Unsupported token: conversation has ended",
    'Unknown name "key": Cannot find field.',
    "The input token count (1048577) exceeds the maximum number of tokens allowed (1048576).",
    "Request trace id: 0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0, Thread was cancelled when writing StartStep",
    "BidiGenerateContentServerMessage: models/gemini-2.0 is not found for API version v1beta",
    "google.cloud.aiplatform.v1beta1.LlmBidiService/BidiGenerateContent is not enabled",
]


@pytest.mark.parametrize("sentence", SENTENCES)
def test_an_ordinary_sentence_is_kept(sentence: str) -> None:
    assert redacted(sentence) == sentence


def test_every_reason_of_the_catalogue_is_kept() -> None:
    patterns = [entry.reason for entry in load_catalogue().entries if entry.reason is not None]
    texts = [text for pattern in patterns for text in (*pattern.prefix, *pattern.contains, *pattern.exact)]

    assert [text for text in texts if redacted(text) != text] == []


def test_every_model_s_name_is_kept_in_its_path() -> None:
    names = [f"{PATH}/{model}" for model in load_models().models]

    assert [name for name in names if redacted(name) != name] == []


@given(st.integers(), st.text(" .,:;'\"", min_size=1), st.text(" .,;'\"", min_size=1))
def test_an_opaque_value_never_passes(seed: int, before: str, after: str) -> None:
    handle = base64.b64encode(hashlib.sha512(str(seed).encode()).digest()).decode()

    assert redacted(f"of{before}{handle}{after}") == f"of{before}[redacted]{after}"


def test_a_refusal_is_one_short_line_and_a_large_one_is_not_read_through() -> None:
    assert read_refusal(b"a\n  b\xff " + b"c " * 10_000) == ("a b\ufffd " + "c " * 300)[:300]
    assert read_refusal(b"a1B" * 1_000_000) == "[redacted]"
    assert read_refusal(None) == ""
    assert read_refusal("text") == ""
