"""``livemeter.diagnose``: from the exception that an application holds to what it should do."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from google.genai import Client, errors
from websockets.exceptions import ConnectionClosedError, ConnectionClosedOK
from websockets.frames import Close as CloseFrame

import livemeter
from livemeter.app.closes import UNKNOWN_BACKOFF_MS
from livemeter.diagnosis import RetryClass
from livemeter.testing import (
    Abort,
    Close,
    Expect,
    FakeLiveServer,
    GoAway,
    Match,
    RefuseHandshake,
    ResumptionUpdate,
    Script,
    SetupComplete,
    Step,
)
from tests.app.conftest import Told
from tests.hooks.conftest import ClientOf

MODEL = "gemini-3.8-live"
UNAVAILABLE = "The service is currently unavailable."
GO_AWAY_IGNORED = (
    "Connection aborted because the client failed to close the connection after receiving a GoAway signal"
)


async def error_of(
    client_of: ClientOf, *steps: Step, model: str = MODEL, vertex: bool = False
) -> BaseException:
    """What google-genai raises to an application when the server plays ``steps``."""
    async with FakeLiveServer([Script("talk", steps)]) as server, client_of(server, vertex=vertex) as client:
        with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever it is
            await receive_for_ever(client, model)
    return caught.value


async def receive_for_ever(client: Client, model: str) -> None:
    async with client.aio.live.connect(model=model) as live:
        while True:
            async for _ in live.receive():
                pass


async def test_a_close_that_was_observed_is_diagnosed_from_all_that_is_known(
    told: Told, client_of: ClientOf
) -> None:
    """The model's name is not in the exception; the setup frame had it."""
    error = await error_of(
        client_of,
        SetupComplete(),
        Close(1008, ""),
        model="gemini-2.5-flash-native-audio-preview-09-2025",
        vertex=True,
    )

    advice = livemeter.diagnose(error)

    assert advice is not None
    assert advice.was_observed
    assert "gemini-live-2.5-flash-preview-native-audio-09-2025" in advice.hint
    assert (advice.retry_class, advice.should_retry, advice.wait_s()) == (RetryClass.NEVER, False, None)


async def test_an_exception_raised_because_of_the_close_is_diagnosed_alike(
    told: Told, client_of: ClientOf
) -> None:
    error = await error_of(client_of, SetupComplete(), Close(1011, UNAVAILABLE))
    outer = RuntimeError("the call failed")
    outer.__cause__ = error

    assert livemeter.diagnose(outer) == livemeter.diagnose(error)
    advice = livemeter.diagnose(outer)
    assert advice is not None
    assert (advice.retry_class, advice.keep_handle) == (RetryClass.RESUME, True)


async def test_without_instrumentation_the_exception_has_to_do(client_of: ClientOf) -> None:
    error = await error_of(client_of, SetupComplete(), Close(1011, UNAVAILABLE))

    advice = livemeter.diagnose(error)

    assert advice is not None
    assert not advice.was_observed
    assert (advice.code, advice.reason) == (1011, UNAVAILABLE)
    assert advice.retry_class is RetryClass.RESUME


async def test_an_ignored_go_away_is_an_expected_rotation(told: Told, client_of: ClientOf) -> None:
    error = await error_of(client_of, SetupComplete(), GoAway("50s"), Close(1008, GO_AWAY_IGNORED))

    advice = livemeter.diagnose(error)

    assert advice is not None
    assert (advice.retry_class, advice.should_retry, advice.keep_handle) == (RetryClass.ROTATE, True, True)


@pytest.mark.parametrize("observed", [True, False])
async def test_a_refused_handshake_is_diagnosed_by_its_status(
    request: pytest.FixtureRequest, client_of: ClientOf, observed: bool
) -> None:
    if observed:
        request.getfixturevalue("told")
    error = await error_of(client_of, RefuseHandshake(429))

    advice = livemeter.diagnose(error)

    assert advice is not None
    assert (advice.code, advice.was_observed) == (429, observed)
    assert advice.wait_s() is not None


@pytest.mark.parametrize("observed", [True, False])
async def test_a_connection_that_broke_off_is_resumed(
    request: pytest.FixtureRequest, client_of: ClientOf, observed: bool
) -> None:
    if observed:
        request.getfixturevalue("told")
    error = await error_of(client_of, SetupComplete(), Abort())

    advice = livemeter.diagnose(error)

    assert advice is not None
    assert advice.retry_class is RetryClass.RESUME


def test_an_unknown_cause_is_retried_with_an_ordinary_back_off() -> None:
    error = ConnectionClosedError(
        CloseFrame(4242, "the moon is full"), CloseFrame(4242, ""), rcvd_then_sent=True
    )

    advice = livemeter.diagnose(error)

    assert advice is not None
    assert (advice.diagnosis, advice.retry_class, advice.code) == ("", RetryClass.RESUME, 4242)
    assert (advice.backoff_initial_ms, advice.backoff_max_ms) == UNKNOWN_BACKOFF_MS


def test_waits_double_up_to_the_largest_with_a_jitter_of_a_quarter() -> None:
    error = ConnectionClosedError(CloseFrame(4242, "?"), None, rcvd_then_sent=None)
    advice = livemeter.diagnose(error)
    assert advice is not None

    for attempt, seconds in [(0, 1), (1, 1), (2, 2), (3, 4), (6, 30), (10_000, 30)]:
        waits = {advice.wait_s(attempt) for _ in range(50)}
        assert len(waits) > 1
        assert all(wait is not None and 0.75 * seconds <= wait <= seconds for wait in waits)


@pytest.mark.parametrize(
    "error",
    [
        ValueError("1008 policy violation"),
        asyncio.CancelledError(),
        errors.ClientError(429, {"error": {"message": "slow down"}}),
        KeyError("code"),
    ],
)
def test_what_is_no_end_of_a_connection_has_no_diagnosis(error: BaseException) -> None:
    assert livemeter.diagnose(error) is None


def test_a_loop_of_causes_ends() -> None:
    first, second = ValueError("a"), ValueError("b")
    first.__cause__, second.__cause__ = second, first

    assert livemeter.diagnose(first) is None


def test_a_normal_close_has_no_cause() -> None:
    error = ConnectionClosedOK(CloseFrame(1000, ""), CloseFrame(1000, ""), rcvd_then_sent=False)

    advice: Any = livemeter.diagnose(error)

    assert (advice.diagnosis, advice.code) == ("", 1000)


async def test_the_reconnect_loop_of_the_documentation_reconnects(told: Told, client_of: ClientOf) -> None:
    """An outage is waited out with the handle kept; a model that is wrong ends it."""
    page = (Path(__file__).parents[2] / "docs" / "sessions.md").read_text("utf-8")
    [code] = [block for block in page.split("```python\n") if "stay_connected" in block]
    scope: dict[str, Any] = {}
    exec(code.partition("```")[0], scope)  # noqa: S102 - the page's own example
    waits: list[float] = []

    async def noted(seconds: float) -> None:
        assert len(waits) < 5
        waits.append(seconds)

    scope["asyncio"] = SimpleNamespace(sleep=noted)

    async def talk(live: Any) -> str:
        handle = ""
        while True:
            async for message in live.receive():
                if message.session_resumption_update:
                    handle = message.session_resumption_update.new_handle
                if message.go_away:
                    return handle

    until_it_leaves = Expect("clientContent", or_closed=True)
    scripts = [
        Script(
            "rotated",
            (SetupComplete(), ResumptionUpdate("h"), GoAway("5s"), until_it_leaves),
            Match(connection=1),
        ),
        Script("down", (SetupComplete(), Close(1011, UNAVAILABLE)), Match(connection=2)),
        Script("gone", (SetupComplete(), Close(1008, "models/x is not found for API version v1beta"))),
    ]
    async with FakeLiveServer(scripts) as server, client_of(server) as client:
        with pytest.raises(Exception, match="is not found"):
            await scope["stay_connected"](client, MODEL, talk)

    resumptions = [connection.setup["sessionResumption"] for connection in server.connections]
    assert [resumption.get("handle") for resumption in resumptions] == [None, "h", "h"]
    assert len(waits) == 1
