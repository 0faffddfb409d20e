"""Sessions drawn by chance, as events and as plain figures: passes of all modalities, repeats, resumes."""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from google.protobuf.message import Message

from livemeter.vocabulary import Attribute, Event, UsageBody
from livemeter_collector.store.contract import Store
from tests.collector.sql.telemetry import Connection, Process, Values, new_id

A = Attribute

PRICES = {
    ("input", "TEXT"): "0.75",
    ("input", "AUDIO"): "3",
    ("input", "IMAGE"): "1",
    ("output", "TEXT"): "4.5",
    ("output", "AUDIO"): "12",
    ("grounding", "QUERY"): "14000",
}
"""Dollars for a million; video has none."""


def price_model(store: Store, model: str) -> None:
    """Give a model its prices, for ever."""
    for (direction, modality), usd in PRICES.items():
        store.command(
            "INSERT INTO livemeter.model_prices SELECT {model:String}, 'gemini_api', 'standard',"
            " {direction:String}, {modality:String}, toDecimal128({usd:String}, 18),"
            " toDateTime('2020-01-01 00:00:00', 'UTC'), toDateTime('2100-01-01 00:00:00', 'UTC'), 'a test'",
            {"model": model, "direction": direction, "modality": modality, "usd": usd},
        )
    store.command("SYSTEM RELOAD DICTIONARIES")


@dataclass(frozen=True)
class Pass:
    """A pass's tokens by modality; ``told`` is what the process knew of the context before."""

    prompt: dict[str, int]
    response: dict[str, int]
    told: dict[str, int]
    thoughts: int = 0
    tool_use: int = 0

    @property
    def tokens(self) -> int:
        return sum(self.prompt.values())

    @property
    def made(self) -> int:
        return sum(self.response.values())


@dataclass
class Session:
    """What one session sent, and its passes in order."""

    session_id: str
    requests: list[Message] = field(default_factory=list)
    passes: list[Pass] = field(default_factory=list)


def usage_body(one: Pass) -> str:
    """Return the body of the event that tells of a pass."""
    body: dict[str, object] = {
        UsageBody.PROMPT: one.tokens,
        UsageBody.PROMPT_DETAILS: {
            name: tokens for name, tokens in one.prompt.items() if name != "UNATTRIBUTED"
        },
        UsageBody.RESPONSE: one.made,
        UsageBody.RESPONSE_DETAILS: one.response,
        UsageBody.THOUGHTS: one.thoughts,
        UsageBody.TOOL_USE: one.tool_use,
        UsageBody.PREVIOUS_CONTEXT: one.told,
    }
    return json.dumps({str(key): value for key, value in body.items() if value})


def random_session(dice: random.Random, model: str, most_passes: int = 12) -> Session:
    """Return a session of one process, over a connection or several, each resumed from the one before."""
    process = Process()
    connection, handle = process.connection(), ""
    session = Session(connection.id)
    session.requests.append(connection.started(MODEL=model))
    for number, one in enumerate(_passes(dice, dice.randint(1, most_passes)), start=1):
        resumed = number > 1 and dice.random() < 0.15
        if resumed:
            session.requests.append(connection.closed(number * 1000, handle, MODEL=model))
            before, connection, handle = connection, process.connection(session.session_id), new_id()
            started = connection.started(number * 1000, handle, MODEL=model, RESUMED_FROM=before.id)
            session.requests.append(started)
        session.passes.append(one)
        session.requests += _told(dice, connection, one, number, model, first_after_resume=resumed)
    return session


def _told(
    dice: random.Random, connection: Connection, one: Pass, number: int, model: str, first_after_resume: bool
) -> Iterator[Message]:
    """Yield a pass, perhaps its repeat, and the turn that it was."""
    at_ms = number * 1000 + 100
    values: Values = {A.MODEL: model, A.TURN: number, A.PASS: number, A.REPEAT: False}
    first: Values = {**values, A.FIRST_AFTER_RESUME: first_after_resume}
    yield connection.event(Event.USAGE, first, usage_body(one), at_ms)
    if dice.random() < 0.2:
        repeat: Values = {**values, A.REPEAT: True}
        yield connection.event(Event.USAGE, repeat, usage_body(one), at_ms + 1)
    if dice.random() < 0.9:
        yield connection.turn(
            at_ms + 2,
            MODEL=model,
            TURN=number,
            INTERRUPTED=dice.random() < 0.3,
            APP_PHASE=dice.choice(("", "talk", "score")),
            TRANSCRIPT_BYTES_IN=dice.choice((0, 37)),
            TRANSCRIPT_BYTES_OUT=dice.choice((0, 90)),
            GROUNDING_QUERIES=dice.choice((0, 0, 2)),
        )


def _passes(dice: random.Random, count: int) -> Iterator[Pass]:
    """Yield passes whose prompts hold what was before and something new, now and then less than before."""
    context: dict[str, int] = {}
    for _ in range(count):
        if dice.random() < 0.1:
            context = {name: tokens // 20 for name, tokens in context.items()}
        prompt = {name: tokens - dice.choice((0, 0, tokens // 50)) for name, tokens in context.items()}
        for name in ("TEXT", dice.choice(("AUDIO", "AUDIO", "IMAGE", "VIDEO", "UNATTRIBUTED"))):
            prompt[name] = prompt.get(name, 0) + dice.randint(1, 900)
        response = {"AUDIO": dice.randint(0, 400)}
        told = dict(context) if dice.random() < 0.8 else {}
        yield Pass(prompt, response, told, dice.choice((0, 30)), dice.choice((0, 0, 50)))
        context = {name: prompt.get(name, 0) + response.get(name, 0) for name in {**prompt, **response}}
