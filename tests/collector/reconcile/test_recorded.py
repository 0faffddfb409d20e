"""What SQL answers of the days of a bill."""

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from google.protobuf.message import Message

from livemeter.vocabulary import Attribute, Event
from livemeter_collector.reconcile.billing import Period
from livemeter_collector.reconcile.recorded import Unseen, Usage, recorded
from livemeter_collector.store.contract import Store
from tests.collector.sql.telemetry import NOW_MS, Connection, Process, Values, insert

# Far from what other tests record, and a Pacific day long: 2026-05-04T07:00Z begins 2026-05-04 there.
DAY = (datetime.now(UTC) - timedelta(days=120)).date()
PERIOD = Period(DAY, DAY)
PRICES = {
    ("input", "TEXT"): "0.5",
    ("input", "AUDIO"): "3",
    ("output", "TEXT"): "2",
    ("output", "AUDIO"): "12",
    ("cached_input", "TEXT"): "0.05",
}


def at(hours: float) -> float:
    """Return a time of that Pacific day as telemetry counts: milliseconds after now."""
    return PERIOD.start.timestamp() * 1000 + hours * 3_600_000 - NOW_MS


@pytest.fixture(scope="module")
def model(store: Store) -> str:
    """A model of these tests alone, whose prices never change."""
    name = "gemini-9.1-flash-live"
    for (direction, modality), usd in PRICES.items():
        store.command(
            "INSERT INTO livemeter.model_prices SELECT {model:String}, 'gemini_api', 'standard',"
            " {direction:String}, {modality:String}, toDecimal128({usd:String}, 18),"
            " toDateTime('2020-01-01 00:00:00', 'UTC'), toDateTime('2100-01-01 00:00:00', 'UTC'), 'a test'",
            {"model": name, "direction": direction, "modality": modality, "usd": usd},
        )
    store.command("SYSTEM RELOAD DICTIONARIES")
    insert_day(store, name)
    return name


def insert_day(store: Store, model: str) -> None:
    own = Process().connection("billing")
    later = Process().connection("after midnight")
    said = {"MODEL": model}
    labels = json.dumps({"tenant": "acme", "env": "prod"})
    insert(
        store,
        own.started(at(-1), SETUP_LABELS=labels, **said),
        usage(own, model, at(1), {"prompt": 1000, "prompt_details": {"TEXT": 975}, "response": 100,
                                  "response_details": {"AUDIO": 100}, "thoughts": 10,
                                  "cached": 400, "cached_details": {"TEXT": 400}}),
        # Sent again in the same pass: not billable.
        usage(own, model, at(2), {"response": 100, "response_details": {"AUDIO": 100}}, repeat=True),
        own.turn(at(2), TURN_STARTED_AT=NOW_MS + round(at(1)), **said),
        # Spoken and never reported.
        own.turn(at(3), TURN=2, TURN_STARTED_AT=NOW_MS + round(at(3)), MODEL_SPEECH_MS=4000,
                 USER_SPEECH_MS=2000, **said),
        own.closed(at(4), **said),
        later.started(at(23), **said),
        usage(later, model, at(23.5), {"prompt": 50, "prompt_details": {"TEXT": 50}}),
        usage(later, model, at(24.5), {"prompt": 7, "prompt_details": {"TEXT": 7}}, 2),
        later.closed(at(25), **said),
    )  # fmt: skip


def usage(
    connection: Connection, model: str, at_ms: float, body: object, number: int = 1, *, repeat: bool = False
) -> Message:
    values: Values = {
        Attribute.TURN: 1,
        Attribute.PASS: number,
        Attribute.REPEAT: repeat,
        Attribute.MODEL: model,
    }
    return connection.event(Event.USAGE, values, json.dumps(body), at_ms)


def test_usage_is_told_by_day_kind_and_modality_with_its_cost(store: Store, model: str) -> None:
    found = {(one.kind, one.modality): one for one in recorded(store, PERIOD).usage if one.model == model}
    micro = Decimal("0.000001")
    # 1000 in the prompt: 400 cached, 575 text, 25 that nobody attributed; and 50 of the later session.
    assert {key: (one.quantity, one.usd) for key, one in found.items()} == {
        ("prompt", "TEXT"): (625, 625 * micro / 2),
        ("prompt", "UNATTRIBUTED"): (25, 25 * micro / 2),
        ("cached", "TEXT"): (400, 400 * micro / 20),
        ("response", "AUDIO"): (100, 1200 * micro),
        ("thoughts", "TEXT"): (10, 20 * micro),
    }
    assert {one.day for one in found.values()} == {DAY}
    # At a tenth of the price.
    assert found["cached", "TEXT"].discount_usd == 400 * micro / 2 - 400 * micro / 20
    rest = found["prompt", "UNATTRIBUTED"]
    assert (rest.usd_low, rest.usd_high) == (25 * micro / 2, 75 * micro)
    assert rest.unpriced_quantity == 0


def test_turns_without_usage_are_told_with_their_audio(store: Store, model: str) -> None:
    found = [one for one in recorded(store, PERIOD).unseen if one.model == model]
    input_usd, output_usd = Decimal("0.000003"), Decimal("0.000012")
    assert found == [Unseen(DAY, "gemini_api", model, 1, 2000.0, 4000.0, input_usd, output_usd)]


def test_repeats_are_told_with_what_they_would_have_cost(store: Store, model: str) -> None:
    told = recorded(store, PERIOD)
    assert model
    assert (told.repeats_quantity, told.repeats_usd) == (100, Decimal("0.0012"))


def test_what_lies_beyond_the_file_s_hours_is_told_apart(store: Store, model: str) -> None:
    hour = timedelta(hours=1)
    told = recorded(store, PERIOD, (), PERIOD.start + hour / 2, PERIOD.start + 20 * hour)
    by_kind: dict[str, Usage] = {
        f"{one.kind} {one.modality}": one for one in told.usage if one.model == model
    }
    assert by_kind["prompt TEXT"].outside_quantity == 50
    assert by_kind["prompt TEXT"].outside_usd == Decimal("0.000025")
    assert by_kind["response AUDIO"].outside_quantity == 0


def test_sessions_over_midnight_are_counted(store: Store, model: str) -> None:
    told = recorded(store, PERIOD)
    assert model
    assert (told.sessions_begun_before, told.sessions_ended_after) == (1, 1)


def test_labels_of_the_setup_are_told_for_the_keys_asked_for(store: Store, model: str) -> None:
    told = recorded(store, PERIOD, ["tenant"])
    assert model
    # All of the first session, its repeat left out: 287.5 + 12.5 + 20 + 1200 + 20 millionths.
    assert told.labelled == {("tenant", "acme"): Decimal("0.00154")}


def test_a_day_without_anything_is_empty(store: Store) -> None:
    told = recorded(store, Period(date(2020, 1, 1), date(2020, 1, 2)), ["tenant"])
    assert (told.usage, told.unseen, told.labelled) == ([], [], {})
    assert (told.repeats_quantity, told.repeats_usd) == (0, None)
