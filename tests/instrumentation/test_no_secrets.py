"""No key, token, handle or content leaves the process: every exported byte is searched.

The whole way is real: google-genai against the fake Live server, the private providers, and a collector that
keeps what it is sent. Secrets and content are marked, and the marks are looked for in the bodies, paths and
headers of all three signals, and in our own log.
"""

import hashlib
import logging
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from google.genai import Client, types
from google.genai.errors import APIError
from google.oauth2.credentials import Credentials
from websockets.exceptions import WebSocketException

import livemeter
from livemeter.instrumentation import instrument_privately
from livemeter.settings import ContentCapture, FramesForm, Settings
from livemeter.testing import (
    Close,
    Expect,
    FakeLiveServer,
    RefuseHandshake,
    ResumptionUpdate,
    Script,
    Send,
    SetupComplete,
    Usage,
)
from tests.instrumentation.live import MODEL, client_of
from tests.instrumentation.otlp_server import OtlpServer

pytestmark = pytest.mark.filterwarnings("ignore:The SDK's ephemeral token support is experimental")

FLUSH_MS = 30_000

API_KEY = "AIzaSyD-apikeymark0123456789abcdefghijk"
EPHEMERAL_TOKEN = "auth_tokens/tokenmark0123456789abcdef"
OAUTH_TOKEN = "ya29.oauthmark0123456789abcdef"
HANDLE = "handlemark-CiQ0MTBlYzc5Ny0xMTQ1LTQ1"
USER = "usermark@example.org"
SECRETS = (API_KEY, EPHEMERAL_TOKEN, OAUTH_TOKEN, HANDLE, USER)
PARTS_OF_SECRETS = ("apikeymark", "tokenmark", "oauthmark", "handlemark", "usermark")

NEVER = ("instructionmark", "questionmark", "answermark", "descriptionmark")
"""Content that is exported under no setting: instructions, what is written, descriptions of tools."""

SAID = ("heardmark", "spokenmark", "argumentmark", "resultmark")
"""Content that the settings let out."""

TALK = Script(
    "everything that could leak",
    (
        SetupComplete(),
        Expect("clientContent"),
        ResumptionUpdate(handle=HANDLE),
        Send({"serverContent": {"inputTranscription": {"text": "I said heardmark"}}}),
        Send({"toolCall": {"functionCalls": [{"id": "1", "name": "score", "args": {"of": "argumentmark"}}]}}),
        Expect("toolResponse"),
        Send({"serverContent": {"modelTurn": {"parts": [{"text": "answermark"}]}}}),
        Send({"serverContent": {"outputTranscription": {"text": "It said spokenmark"}}}),
        Usage(prompt={"TEXT": 5}, bundled_with={"serverContent": {"turnComplete": True}}),
        Close(1007, f"API key not valid: {API_KEY} (see ?key={API_KEY})"),
    ),
)
REFUSAL = Script("refused", (RefuseHandshake(403, f"key={API_KEY} or {EPHEMERAL_TOKEN} may not"),))

TOOL: dict[str, Any] = {"function_declarations": [{"name": "score", "description": "descriptionmark"}]}
CONFIG = types.LiveConnectConfig(
    response_modalities=[types.Modality.AUDIO],
    system_instruction="You are instructionmark.",
    tools=[types.Tool(**TOOL)],
    session_resumption=types.SessionResumptionConfig(handle=HANDLE),
    input_audio_transcription=types.AudioTranscriptionConfig(),
    output_audio_transcription=types.AudioTranscriptionConfig(),
)


@pytest.fixture
def server() -> Iterator[OtlpServer]:
    with OtlpServer().running() as running:
        yield running


async def talk(client: Client) -> None:
    """Say, call and hear everything, until the server closes or refuses."""
    with suppress(APIError, WebSocketException):
        async with client.aio.live.connect(model=MODEL, config=CONFIG) as session:
            question = types.Content(role="user", parts=[types.Part(text="questionmark?")])
            await session.send_client_content(turns=question, turn_complete=True)
            async for message in session.receive():
                if message.tool_call:
                    answer = types.FunctionResponse(id="1", name="score", response={"output": "resultmark"})
                    await session.send_tool_response(function_responses=[answer])
            async for _ in session.receive():
                pass


async def talk_over_every_door(settings: Settings) -> None:
    """An API key, an ephemeral token and Vertex AI, each once heard and once refused."""
    instrument_privately(settings)
    try:
        with livemeter.session(id="lesson-7", user=USER, labels={"tenant": "acme"}):
            for script in (TALK, REFUSAL):
                async with FakeLiveServer([script], raise_errors=False) as fake:
                    async with client_of(fake, api_key=API_KEY) as client:
                        await talk(client)
                    async with client_of(fake, api_key=EPHEMERAL_TOKEN, api_version="v1alpha") as client:
                        await talk(client)
                    await talk(vertex_client_of(fake))
    finally:
        livemeter.uninstrument()


def vertex_client_of(fake: FakeLiveServer) -> Client:
    options: Any = {"base_url": fake.url, "async_client_args": {"ssl": fake.ssl_context()}}
    credentials = Credentials(token=OAUTH_TOKEN)  # type: ignore[no-untyped-call]
    return Client(
        vertexai=True,
        project="p",
        location="us-central1",
        credentials=credentials,
        http_options=types.HttpOptions(**options),
    )


def exported(server: OtlpServer) -> str:
    """Everything that was sent, as text in which whatever is no text is escaped."""
    sent = [f"{one.path}{one.headers}".encode() + one.unpacked for one in server.requests]
    return b"".join(sent).decode("utf-8", "backslashreplace")


def found(marks: tuple[str, ...], text: str) -> set[str]:
    return {mark for mark in marks if mark in text}


def settings_of(server: OtlpServer, **settings: Any) -> Settings:
    return Settings(endpoint=server.endpoint, shutdown_timeout_ms=FLUSH_MS, **settings)


@pytest.mark.parametrize("form", list(FramesForm))
async def test_nothing_that_is_secret_or_was_said_leaves(
    server: OtlpServer, caplog: pytest.LogCaptureFixture, form: FramesForm
) -> None:
    caplog.set_level(logging.DEBUG, "livemeter")
    await talk_over_every_door(settings_of(server, frames=form))
    text = exported(server) + caplog.text
    assert {request.path for request in server.requests} == {"/v1/logs", "/v1/traces", "/v1/metrics"}
    assert found((*SECRETS, *PARTS_OF_SECRETS), text) == set()
    assert found((*NEVER, *SAID), text) == set()
    # The search would find it: what stands beside the marks is there.
    assert hashlib.sha256(USER.encode()).hexdigest() in text
    assert hashlib.sha256(HANDLE.encode()).hexdigest()[:16] in text
    assert "API key not valid" in text
    told = ("lesson-7", "acme", "score", MODEL, "us-central1", "v1alpha", "v1beta")
    assert found(told, text) == set(told)


async def test_what_was_said_leaves_redacted_where_it_is_switched_on(server: OtlpServer) -> None:
    def redact(text: str) -> str:
        for mark in SAID:
            text = text.replace(mark, f"[{len(mark)} letters]")
        return text

    content: Any = {"capture_content": ContentCapture.SPAN_AND_EVENT, "redact": redact}
    await talk_over_every_door(settings_of(server, **content))
    text = exported(server)
    assert found((*SECRETS, *PARTS_OF_SECRETS, *NEVER, *SAID), text) == set()
    wanted = ("I said [9 letters]", "It said [10 letters]", '{"of":"[12 letters]"}', "[10 letters]")
    assert found(wanted, text) == set(wanted)


async def test_what_was_said_leaves_as_it_was_where_nobody_redacts(server: OtlpServer) -> None:
    await talk_over_every_door(settings_of(server, capture_content=ContentCapture.EVENT_ONLY))
    text = exported(server)
    assert found(SAID, text) == set(SAID)
    assert found((*SECRETS, *PARTS_OF_SECRETS, *NEVER), text) == set()


async def test_what_was_said_stays_here_when_it_cannot_be_redacted(
    server: OtlpServer, caplog: pytest.LogCaptureFixture
) -> None:
    from livemeter import guard

    def redact(text: str) -> str:
        raise ValueError(text)

    guard.strict(False)
    caplog.set_level(logging.INFO, "livemeter")
    content: Any = {"capture_content": ContentCapture.SPAN_AND_EVENT, "redact": redact}
    await talk_over_every_door(settings_of(server, **content))
    assert found((*SECRETS, *NEVER, *SAID), exported(server) + caplog.text) == set()
