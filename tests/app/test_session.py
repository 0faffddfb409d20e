"""What an application can say of its sessions and ask about them, with the real google-genai."""

import asyncio
import contextvars
import threading
from decimal import Decimal
from typing import Any

import pytest
from google.genai import types
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs

import livemeter
from livemeter.app.session import MAX_NOTES
from livemeter.testing import (
    Close,
    Expect,
    FakeLiveServer,
    Match,
    Repeat,
    ResumptionUpdate,
    Script,
    SendAudio,
    SetupComplete,
    Step,
    Usage,
)
from livemeter.vocabulary import Attribute, Event
from livemeter_collector.store.contract import Signal, Store
from tests.app.conftest import Told
from tests.hooks.conftest import ClientOf

MODEL = "gemini-3.8-live"
TURN_COMPLETE = {"serverContent": {"turnComplete": True}}
TURN = (
    Expect("clientContent"),
    SendAudio(100),
    Usage(prompt={"TEXT": 1000, "AUDIO": 2000}, response={"AUDIO": 500}, bundled_with=TURN_COMPLETE),
)
# USD per million tokens: text in 0.75, audio in 3, audio out 12.
TURN_USD = (1000 * Decimal("0.75") + 2000 * 3 + 500 * 12) / 1_000_000


def served(*steps: Step) -> FakeLiveServer:
    return FakeLiveServer([Script("talk", (SetupComplete(), *steps))])


async def ask(live: Any) -> None:
    turn = types.Content(role="user", parts=[types.Part(text="hello")])
    await live.send_client_content(turns=turn, turn_complete=True)
    async for _ in live.receive():
        pass


async def test_what_is_said_inside_the_block_is_on_the_events(told: Told, client_of: ClientOf) -> None:
    async with served(Repeat(TURN, times=2)) as server, client_of(server) as client:
        with livemeter.session(id="call-7", user="mary", labels={"tenant": "acme"}) as session:
            session.expect(["get_weather"])
            async with client.aio.live.connect(model=MODEL) as live:
                await ask(live)
                session.phase("scoring")
                await ask(live)
                session.outcome("scored_by_fallback", "2 of 5 spoken")

    [phase] = told.of(Event.PHASE)
    [expected] = told.of(Event.EXPECTATION)
    [outcome] = told.of(Event.OUTCOME)
    turns = told.of(Event.TURN)
    assert phase[Attribute.APP_PHASE] == "scoring"
    assert expected[Attribute.EXPECTED_TOOLS] == '["get_weather"]'
    assert outcome[Attribute.OUTCOME] == "scored_by_fallback"
    assert outcome[Attribute.OUTCOME_DETAIL] == "2 of 5 spoken"
    assert [turn.get(Attribute.APP_PHASE) for turn in turns] == [None, "scoring"]
    assert {event[Attribute.SESSION_ID] for event in (phase, expected, outcome, *turns)} == {"call-7"}


async def test_what_is_said_before_the_connection_is_told_with_it(told: Told, client_of: ClientOf) -> None:
    async with served(*TURN) as server, client_of(server) as client:
        with livemeter.session() as session:
            for number in range(MAX_NOTES + 5):
                session.phase(f"phase {number}")
            assert told.of(Event.PHASE) == []
            async with client.aio.live.connect(model=MODEL) as live:
                await ask(live)

    phases = [event[Attribute.APP_PHASE] for event in told.of(Event.PHASE)]
    assert phases == [f"phase {number}" for number in range(5, MAX_NOTES + 5)]
    assert told.of(Event.TURN)[0][Attribute.APP_PHASE] == f"phase {MAX_NOTES + 4}"


async def test_a_session_can_be_named_on_the_session_object_from_another_task(
    told: Told, client_of: ClientOf
) -> None:
    async def name(live: Any) -> None:
        session = livemeter.current(live)
        assert session is not None
        session.identify("call-8", user="paul", labels={"tenant": "acme"})

    async with served(Repeat(TURN, times=1)) as server, client_of(server) as client:
        async with client.aio.live.connect(model=MODEL) as live:
            # A context of its own, which has inherited nothing.
            await asyncio.create_task(name(live), context=contextvars.Context())
            await ask(live)

    [turn] = told.of(Event.TURN)
    assert turn[Attribute.SESSION_ID] == "call-8"
    assert turn[f"{Attribute.LABEL_PREFIX}tenant"] == "acme"
    assert turn[Attribute.USER_ID]


async def test_the_current_session_is_the_block_s_else_the_latest_connection_s(
    told: Told, client_of: ClientOf
) -> None:
    async with served(*TURN) as server, client_of(server) as client:
        assert livemeter.current() is None
        async with client.aio.live.connect(model=MODEL) as live:
            latest = livemeter.current()
            assert latest is not None
            assert latest is livemeter.current(live)
            with livemeter.session() as named:
                assert livemeter.current() is named
            assert livemeter.current() is latest
            await ask(live)
    assert livemeter.current("no connection") is None


async def test_figures_are_those_of_the_session_so_far(told: Told, client_of: ClientOf) -> None:
    async with served(Repeat(TURN, times=2)) as server, client_of(server) as client:
        with livemeter.session(id="call-9") as session:
            assert (session.figures.turns, session.figures.cost_usd) == (0, Decimal(0))
            async with client.aio.live.connect(model=MODEL) as live:
                await ask(live)
                await ask(live)

    figures = session.figures
    assert (figures.turns, figures.input_tokens, figures.output_tokens) == (2, 6000, 1000)
    assert figures.cost_usd == 2 * TURN_USD


async def test_figures_go_on_over_a_reconnect_with_a_handle(told: Told, client_of: ClientOf) -> None:
    """Two connections opened without any block: the handle makes them one session."""
    steps = (SetupComplete(), ResumptionUpdate("h"), *TURN, Close(1011, ""))
    again = (SetupComplete(), *TURN)
    scripts = [Script("first", steps, Match(connection=1)), Script("second", again)]
    async with FakeLiveServer(scripts) as server, client_of(server) as client:
        for handle in (None, "h"):
            config: Any = {"session_resumption": {"handle": handle}}
            async with client.aio.live.connect(model=MODEL, config=config) as live:
                await ask(live)
                session = livemeter.current(live)

    assert session is not None
    assert session.figures.cost_usd == 2 * TURN_USD


async def test_a_budget_calls_once_when_the_session_passes_it(told: Told, client_of: ClientOf) -> None:
    called: list[tuple[livemeter.Session, int]] = []
    async with served(Repeat(TURN, times=4)) as server, client_of(server) as client:
        with livemeter.session() as session:
            call = lambda session: called.append((session, session.figures.turns))  # noqa: E731
            session.on_budget(usd=TURN_USD + Decimal("0.000001"), call=call)
            async with client.aio.live.connect(model=MODEL) as live:
                for _ in range(4):
                    await ask(live)
                    await asyncio.sleep(0)

    assert called == [(session, 2)]


async def test_a_budget_for_all_sessions_calls_once_a_session(
    told: Told, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("livemeter.instrumentation._budgets", [])
    called: list[str] = []
    livemeter.on_budget(usd=0.001, call=lambda session: called.append(session.id))
    async with served(*TURN, *TURN) as server, client_of(server) as client:
        for name in ("a", "b"):
            with livemeter.session(id=name):
                async with client.aio.live.connect(model=MODEL) as live:
                    await ask(live)
                    await ask(live)

    assert called == ["a", "b"]


@pytest.mark.parametrize("usd", [0, -1, "much", float("nan"), float("inf")])
def test_a_budget_is_a_positive_amount(usd: Any) -> None:
    with pytest.raises(ValueError, match="a budget is a positive amount of US dollars"):
        livemeter.on_budget(usd=usd, call=lambda _: None)


async def test_a_session_may_be_spoken_of_from_another_thread(told: Told, client_of: ClientOf) -> None:
    async with served(*TURN) as server, client_of(server) as client:
        with livemeter.session() as session:
            async with client.aio.live.connect(model=MODEL) as live:
                speaking = threading.Thread(target=session.phase, args=("elsewhere",))
                speaking.start()
                await asyncio.to_thread(speaking.join)
                await ask(live)

    assert [event[Attribute.APP_PHASE] for event in told.of(Event.PHASE)] == ["elsewhere"]


def test_without_instrumentation_nothing_happens() -> None:
    with livemeter.session(id="call-1") as session:
        session.phase("scoring")
        session.expect(["f"])
        session.outcome("done")
        session.on_budget(usd=1, call=lambda _: None)
        assert livemeter.current() is session
        assert session.figures.cost_usd == 0
    assert livemeter.current() is None


def test_a_block_left_in_another_context_raises_nothing() -> None:
    block = livemeter.session()
    contextvars.copy_context().run(block.__enter__)

    block.__exit__(None, None, None)


async def test_running_figures_are_what_sql_says_of_the_session(
    told: Told, client_of: ClientOf, store: Store
) -> None:
    turn = (
        Expect("clientContent"),
        SendAudio(300),
        Usage(
            prompt={"TEXT": 334, "AUDIO": 417},
            response={"AUDIO": 291},
            thoughts_token_count=64,
            bundled_with=TURN_COMPLETE,
        ),
    )
    unsplit = Usage(prompt_token_count=900, response_token_count=120, bundled_with=TURN_COMPLETE)
    bare = (Expect("clientContent"), SendAudio(300), unsplit)
    async with served(*turn, *bare, *turn) as server, client_of(server) as client:
        with livemeter.session(id="figures-and-sql") as session:
            async with client.aio.live.connect(model=MODEL) as live:
                for _ in range(3):
                    await ask(live)

    logs = encode_logs(told.exporter.get_finished_logs()).SerializeToString()
    store.insert_otlp(Signal.LOGS, logs, "figures-and-sql")
    [row] = store.query(
        "SELECT turns, input_tokens, output_tokens, cost_usd, cost_low_usd, cost_high_usd, carried_cost_usd"
        " FROM livemeter.live_sessions WHERE session_id = 'figures-and-sql'"
    ).rows
    figures = session.figures
    assert list(row) == [
        figures.turns,
        figures.input_tokens,
        figures.output_tokens,
        figures.cost_usd,
        figures.cost_low_usd,
        figures.cost_high_usd,
        figures.carried_cost_usd,
    ]
