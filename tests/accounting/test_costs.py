"""SQL's tokens and money against an independent oracle and against sums worked out by hand."""

import random
from decimal import Decimal

import pytest

from livemeter.vocabulary import Attribute, Event
from livemeter_collector.store.contract import Signal, Store
from tests.accounting.events import Exported
from tests.accounting.oracle import PRICES, Frame, Line, session_costs

SESSIONS = 300
MODALITIES = ("TEXT", "AUDIO", "IMAGE", "VIDEO", "DOCUMENT", "MODALITY_UNSPECIFIED")
UNPRICED = "gemini-9-live-unheard-of"


Costs = dict[tuple[str, str], Line]


def stored_costs(store: Store, session: str) -> Costs:
    return all_stored_costs(store, session).get(session, {})


def all_stored_costs(store: Store, prefix: str) -> dict[str, Costs]:
    table = store.query(
        "SELECT session_id, direction, modality, quantity, usd, usd_low, usd_high"
        " FROM livemeter.live_session_costs WHERE startsWith(session_id, {prefix:String})",
        {"prefix": prefix},
    )
    costs: dict[str, Costs] = {}
    for session, direction, modality, *figures in table.rows:
        line = Line(*figures)  # type: ignore[arg-type]
        costs.setdefault(str(session), {})[str(direction), str(modality)] = line
    return costs


def some_details(dice: random.Random, modalities: tuple[str, ...], total: int) -> dict[str, int]:
    """Details that add up to the total, fall short of it, or are missing."""
    if dice.random() < 0.2:
        return {}
    left = total if dice.random() < 0.5 else dice.randint(0, total)
    details: dict[str, int] = {}
    for modality in dice.sample(modalities, dice.randint(1, len(modalities))):
        details[modality] = dice.randint(0, left)
        left -= details[modality]
    return details


def some_frame(dice: random.Random) -> Frame:
    prompt, tool_use, response = (dice.choice((0, 1, 25, 999, 131_072)) for _ in range(3))
    prompt_details = some_details(dice, MODALITIES, prompt)
    cached_details = {name: dice.randint(0, tokens) for name, tokens in prompt_details.items()}
    return Frame(
        prompt=prompt,
        prompt_details=prompt_details,
        tool_use=tool_use,
        tool_use_details=some_details(dice, ("TEXT",), tool_use),
        cached=sum(cached_details.values()),
        cached_details=cached_details,
        response=response,
        response_details=some_details(dice, ("TEXT", "AUDIO"), response),
        thoughts=dice.choice((0, 0, 136)),
        context_audio_ms=dice.choice((0, 20, 40_000, 10_000_000)),
        response_audio_ms=dice.choice((0, 20, 4_000, 10_000_000)),
        repeat=dice.random() < 0.2,
    )


def test_sql_agrees_with_the_oracle_to_the_last_decimal(store: Store) -> None:
    seed = random.randrange(2**32)
    dice = random.Random(seed)
    models = (*PRICES, UNPRICED)
    sessions = {
        f"o{seed}-{number}": (dice.choice(models), [some_frame(dice) for _ in range(dice.randint(1, 8))])
        for number in range(SESSIONS)
    }
    request = Exported()
    for session, (model, frames) in sessions.items():
        request.usage(session, model, frames)
    store.insert_otlp(Signal.LOGS, request.to_bytes(), f"oracle-{seed}")

    stored = all_stored_costs(store, f"o{seed}-")
    for session, (model, frames) in sessions.items():
        assert stored.get(session, {}) == session_costs(model, frames), f"seed {seed}, {session}"


@pytest.mark.parametrize(
    ("name", "model", "frames", "usd", "low", "high"),
    [
        # 332 x 0.75 + 165 x 3 + 25 x 0.75 + 42 x 12 + 136 x 4.50; the 25 untold tokens at 3 are 75.
        (
            "field",
            "gemini-3.8-live",
            [
                Frame(
                    522,
                    {"TEXT": 332, "AUDIO": 165},
                    response=42,
                    response_details={"AUDIO": 42},
                    thoughts=136,
                )
            ],
            "0.00187875",
            "0.00187875",
            "0.001935",
        ),
        # A tool turn of two passes: both count. 3501 x 0.75 + 3642 x 0.75 = 5357.25.
        (
            "tool-turn",
            "gemini-3.8-live",
            [Frame(3501, {"TEXT": 3501}), Frame(3642, {"TEXT": 3642})],
            "0.00535725",
            "0.00535725",
            "0.00535725",
        ),
        # Growing prompts are all billed: (143 + 181 + 224) x 0.75 + (19 + 24 + 24) x 12 = 411 + 804.
        (
            "growing",
            "gemini-3.8-live",
            [
                Frame(143, {"TEXT": 143}, response=19, response_details={"AUDIO": 19}),
                Frame(181, {"TEXT": 181}, response=24, response_details={"AUDIO": 24}),
                Frame(224, {"TEXT": 224}, response=24, response_details={"AUDIO": 24}),
            ],
            "0.001215",
            "0.001215",
            "0.001215",
        ),
        # Cached tokens are part of the prompt and not billed beside it: 100 x 0.75.
        (
            "cached",
            "gemini-3.8-live",
            [Frame(100, {"TEXT": 100}, cached=40, cached_details={"TEXT": 40})],
            "0.000075",
            "0.000075",
            "0.000075",
        ),
        # The same when nobody says of what modality they are.
        (
            "cached-untold",
            "gemini-3.8-live",
            [Frame(100, {"TEXT": 100}, cached=40)],
            "0.000075",
            "0.000075",
            # 40 tokens of unknown modality: 60 x 0.75 + 40 x 3.
            "0.000165",
        ),
    ],
)
def test_worked_examples(
    store: Store, name: str, model: str, frames: list[Frame], usd: str, low: str, high: str
) -> None:
    request = Exported()
    request.usage(name, model, frames)
    store.insert_otlp(Signal.LOGS, request.to_bytes(), f"worked-{name}")

    lines = stored_costs(store, name).values()
    totals = tuple(sum((line.usd, line.low, line.high)[i] or 0 for line in lines) for i in range(3))
    assert totals == (Decimal(usd), Decimal(low), Decimal(high))


def test_a_model_without_a_price_is_unpriced_and_never_free(store: Store) -> None:
    request = Exported()
    request.usage("unpriced", UNPRICED, [Frame(10, {"TEXT": 10})])
    request.event(Event.CONNECTION_CLOSED, 9, "unpriced", UNPRICED, {Attribute.CLOSE_CODE: 1000})
    store.insert_otlp(Signal.LOGS, request.to_bytes(), "unpriced")

    answer = store.query(
        "SELECT cost_usd, unpriced_quantity, input_tokens"
        " FROM livemeter.live_sessions WHERE session_id = 'unpriced'"
    )
    assert answer.rows == ((None, 10, 10),)


def test_provisioned_throughput_is_not_priced_as_pay_as_you_go(store: Store) -> None:
    request = Exported()
    attributes: dict[str, object] = {
        Attribute.TRAFFIC_TYPE: "PROVISIONED_THROUGHPUT",
        Attribute.REPEAT: False,
    }
    request.event(Event.USAGE, 1, "provisioned", "gemini-3.8-live", attributes, '{"prompt": 7}')
    store.insert_otlp(Signal.LOGS, request.to_bytes(), "provisioned")

    assert stored_costs(store, "provisioned") == {("input", "UNATTRIBUTED"): Line(7)}


def test_the_same_event_delivered_again_in_another_request_counts_once(store: Store) -> None:
    for delivery in range(3):
        request = Exported()
        request.usage("again", "gemini-3.8-live", [Frame(10, {"TEXT": 10})] * (1 + delivery))
        store.insert_otlp(Signal.LOGS, request.to_bytes(), f"again-{delivery}")

    # Three distinct events, of six that came.
    assert stored_costs(store, "again")["input", "TEXT"].quantity == 30


def test_a_corrected_price_restates_history(store: Store) -> None:
    request = Exported()
    request.usage("restated", "made-up-live", [Frame(1000, {"TEXT": 1000})])
    store.insert_otlp(Signal.LOGS, request.to_bytes(), "restated")
    for price in ("2", "5"):
        store.command(
            "ALTER TABLE livemeter.model_prices DELETE WHERE model = 'made-up-live'"
            " SETTINGS mutations_sync = 1"
        )
        store.command(
            "INSERT INTO livemeter.model_prices VALUES ('made-up-live', 'gemini_api', 'standard', 'input',"
            f" 'TEXT', {price}, '2020-01-01 00:00:00', '2100-01-01 00:00:00', 'test')"
        )
        store.command("SYSTEM RELOAD DICTIONARIES")

        assert stored_costs(store, "restated")["input", "TEXT"].usd == Decimal(price) / 1000
