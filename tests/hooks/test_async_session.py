"""Sessions whose socket was dialled around the hook, with the real client; each connection is seen once."""

import inspect
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, Self

import pytest
from google.genai import live, types

from livemeter import guard
from livemeter.hooks.connection_id import new_connection_id
from livemeter.hooks.google_genai import GoogleGenAIHooks
from livemeter.hooks.tap import Tap, read_clocks
from livemeter.observer.connection import ConnectionObserver
from livemeter.observer.facts import ConnectionClosed, ConnectionStarted, FramesRecorded, UsageReported
from livemeter.observer.sessions import SessionDirectory
from livemeter.testing import Expect, FakeLiveServer, Script, SendAudio, SetupComplete, Usage
from livemeter.vocabulary import ClosedBy, Phase
from tests.hooks.conftest import ClientOf, Watched

MODEL = "gemini-3.8-live"
TURN_COMPLETE = {"serverContent": {"turnComplete": True}}
TALK = Script(
    "talk",
    (
        SetupComplete(session_id="s-1"),
        Expect("clientContent"),
        SendAudio(100),
        Usage(prompt={"TEXT": 12}, response={"AUDIO": 3}, bundled_with=TURN_COMPLETE),
    ),
)


class Installed:
    """Google's hooks, and which connections they saw: all in ``urls``, those of late in ``late``."""

    def __init__(self) -> None:
        self.hooks = GoogleGenAIHooks()
        self.seen = Watched(self.hooks)
        self.urls: list[str] = []
        self.late: list[str] = []
        self._directory = SessionDirectory()

    def install(self) -> None:
        self.hooks.install(self._watch)

    def _watch(self, url: str) -> Tap:
        self.urls.append(url)
        now = read_clocks()
        connection_id = new_connection_id(now.wall_ns)
        observer = ConnectionObserver(connection_id, self._directory, now, frames_interval_ms=50)
        return NotedTap(self.late, observer, self.seen, 50)


class NotedTap(Tap):
    """A tap that notes when it came late, with Google's session id."""

    def __init__(self, late: list[str], *args: Any) -> None:
        super().__init__(*args)
        self._late = late

    def set_up_before(self, google_session_id: str) -> Self:
        self._late.append(google_session_id)
        return super().set_up_before(google_session_id)


@pytest.fixture
def hooks() -> Iterator[Installed]:
    installed = Installed()
    guard.strict(True)
    yield installed
    guard.strict(False)
    installed.hooks.uninstall()


@pytest.fixture
def replace_dial(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    return lambda dial: monkeypatch.setattr(live, "ws_connect", dial)


def laid_over(dial: Any) -> Any:
    def theirs(*args: Any, **kwargs: Any) -> Any:
        return dial(*args, **kwargs)

    return theirs


async def talk(client_of: ClientOf) -> FakeLiveServer:
    turn = types.Content(role="user", parts=[types.Part(text="hello")])
    async with FakeLiveServer([TALK]) as server, client_of(server) as client:
        async with client.aio.live.connect(model=MODEL) as session:
            await session.send_client_content(turns=turn, turn_complete=True)
            messages = [message async for message in session.receive()]
        assert messages[-1].server_content
    return server


def sizes(seen: Watched, direction: int) -> list[int]:
    return [
        size
        for batch in seen.of(FramesRecorded)
        for way, size in zip(batch.directions, batch.bytes, strict=True)
        if way == direction
    ]


async def test_a_session_that_was_dialled_around_the_hook_is_seen_from_its_first_message_on(
    hooks: Installed, client_of: ClientOf, replace_dial: Callable[[Any], None]
) -> None:
    plain = live.ws_connect  # type: ignore[attr-defined]
    hooks.install()
    replace_dial(plain)
    server = await talk(client_of)

    [record] = server.connections
    path = record.path.partition("?")[0]
    # Releases before 1.40 do not tell the session its id.
    session_id = "s-1" if "session_id" in inspect.signature(live.AsyncSession).parameters else ""
    assert hooks.late == [session_id]
    assert hooks.urls == [f"{server.url.replace('https', 'wss')}{path}"]
    # Set-up and its answer passed before the session was made.
    assert sizes(hooks.seen, 0) == [frame.payload_bytes for frame in record.received[1:]]
    assert sizes(hooks.seen, 1) == [frame.payload_bytes for frame in record.sent[1:]]
    [started], [usage] = hooks.seen.of(ConnectionStarted), hooks.seen.of(UsageReported)
    assert (started.google_session_id, started.setup_ms, started.setup.model) == (session_id, None, "")
    assert usage.usage.prompt == 12
    [closed] = hooks.seen.of(ConnectionClosed)
    assert (closed.code, closed.closed_by, closed.phase) == (1000, ClosedBy.CLIENT, Phase.ACTIVE)


async def test_a_dial_that_was_replaced_before_us_is_seen_whole(
    hooks: Installed, client_of: ClientOf, replace_dial: Callable[[Any], None]
) -> None:
    plain = live.ws_connect  # type: ignore[attr-defined]
    replace_dial(laid_over(plain))
    hooks.install()
    await talk(client_of)
    hooks.hooks.uninstall()

    assert (len(hooks.urls), hooks.late) == (1, [])
    assert len(hooks.seen.of(ConnectionClosed)) == 1


async def test_a_dial_that_was_laid_over_ours_is_seen_once(
    hooks: Installed, client_of: ClientOf, replace_dial: Callable[[Any], None]
) -> None:
    hooks.install()
    ours = live.ws_connect  # type: ignore[attr-defined]
    replace_dial(laid_over(ours))
    await talk(client_of)

    assert (len(hooks.urls), hooks.late) == (1, [])
    assert len(hooks.seen.of(UsageReported)) == 1


async def test_without_a_replacement_the_session_adds_nothing(hooks: Installed, client_of: ClientOf) -> None:
    hooks.install()
    await talk(client_of)

    assert (len(hooks.urls), hooks.late) == (1, [])
    assert len(hooks.seen.of(ConnectionClosed)) == 1


@pytest.mark.parametrize("socket", [None, object(), SimpleNamespace(transport=1)], ids=repr)
def test_a_session_around_something_else_is_left_alone(hooks: Installed, socket: Any) -> None:
    hooks.install()
    client: Any = object()
    session = live.AsyncSession(api_client=client, websocket=socket)

    assert session._ws is socket
    assert hooks.urls == []


def test_errors_of_the_session_s_own_pass(hooks: Installed) -> None:
    hooks.install()

    with pytest.raises(TypeError, match="api_client"):
        live.AsyncSession()  # type: ignore[call-arg]


def test_uninstalling_puts_back_what_was_there(hooks: Installed) -> None:
    original = live.AsyncSession.__init__
    hooks.install()
    hooks.install()
    assert live.AsyncSession.__init__ is not original
    assert live.AsyncSession.__init__.__wrapped__ is original  # type: ignore[attr-defined]
    hooks.hooks.uninstall()
    hooks.hooks.uninstall()

    assert live.AsyncSession.__init__ is original


async def test_uninstalled_beneath_somebody_else_s_hook_we_see_nothing(
    hooks: Installed,
    client_of: ClientOf,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    original = live.AsyncSession.__init__
    # Undone before the fixture's own uninstall.
    monkeypatch.setattr(live.AsyncSession, "__init__", original)
    hooks.install()
    theirs = laid_over(live.AsyncSession.__init__)
    live.AsyncSession.__init__ = theirs  # type: ignore[method-assign]
    hooks.hooks.uninstall()
    assert live.AsyncSession.__init__ is theirs
    await talk(client_of)

    assert hooks.urls == []
