"""``live_passes``: a row a pass, and together with transcription and grounding all that a session cost."""

import random
from decimal import Decimal

import pytest

from livemeter.vocabulary import Attribute, Event
from livemeter_collector.store.contract import Store
from tests.collector.sql.telemetry import Process, Row, Values, insert, rows
from tests.cookbook.random_sessions import price_model, random_session

A = Attribute
NULLS = ("", " SETTINGS join_use_nulls = 1")

PARTS = """
WITH
passes AS
(
    SELECT session_id, sum(usd) AS usd, sum(usd_low) AS usd_low, sum(usd_high) AS usd_high,
        sum(carried_usd) AS carried_usd, sum(unpriced_quantity) AS unpriced
    FROM livemeter.live_passes GROUP BY session_id
),
others AS
(
    SELECT session_id, sum(costs.usd) AS usd, sum(costs.usd_low) AS usd_low, sum(costs.usd_high) AS usd_high
    FROM livemeter.live_costs AS costs WHERE kind IN ('transcription', 'grounding') GROUP BY session_id
)
SELECT
    cost_usd, coalesce(passes.usd, 0) + coalesce(others.usd, 0) AS parts,
    cost_low_usd, coalesce(passes.usd_low, 0) + coalesce(others.usd_low, 0) AS parts_low,
    cost_high_usd, coalesce(passes.usd_high, 0) + coalesce(others.usd_high, 0) AS parts_high,
    carried_cost_usd, coalesce(passes.carried_usd, 0) AS parts_carried,
    unpriced_quantity, coalesce(passes.unpriced, 0) AS parts_unpriced
FROM livemeter.live_sessions
LEFT JOIN passes USING (session_id)
LEFT JOIN others USING (session_id)
WHERE model = {model:String}
"""


@pytest.mark.parametrize("seed", range(4))
def test_passes_transcription_and_grounding_are_all_that_a_session_cost(
    store: Store, unique_model: str, seed: int
) -> None:
    dice = random.Random(seed)
    price_model(store, unique_model)
    requests = [request for _ in range(40) for request in random_session(dice, unique_model).requests]
    dice.shuffle(requests)
    insert(store, *requests)
    # A part of it is delivered again, otherwise batched.
    insert(store, *requests[::3])

    for settings in NULLS:
        found = rows(store, PARTS + settings, model=unique_model)
        assert len(found) == 40
        for row in found:
            whole_and_parts = list(row.values())
            assert whole_and_parts[0::2] == whole_and_parts[1::2], f"seed {seed}"
        assert any(row["cost_low_usd"] != row["cost_high_usd"] for row in found)
        assert any(row["unpriced_quantity"] for row in found)


def test_the_rows_are_the_same_with_join_use_nulls(store: Store, unique_model: str) -> None:
    price_model(store, unique_model)
    dice = random.Random(7)
    insert(store, *(request for _ in range(10) for request in random_session(dice, unique_model).requests))

    without, with_nulls = (
        passes(store, f"model = '{unique_model}'", "ORDER BY connection_id, seq" + settings)
        for settings in NULLS
    )
    assert without == with_nulls
    assert {row["interrupted"] for row in without} == {False, True}
    assert {row["app_phase"] for row in without} == {"", "talk", "score"}


def test_a_pass_has_the_figures_of_its_frame_and_the_money_of_its_tokens(
    store: Store, unique_model: str
) -> None:
    """522 + 42 + 136, of it 25 of unknown modality, then what grew from it."""
    price_model(store, unique_model)
    connection = Process().connection()
    first_pass: Values = {A.MODEL: unique_model, A.TURN: 1, A.REPEAT: False, A.PASS: 1}
    second_pass: Values = {**first_pass, A.PASS: 2}
    insert(
        store,
        connection.started(MODEL=unique_model),
        connection.event(
            Event.USAGE,
            first_pass,
            '{"prompt":522,"prompt_details":{"TEXT":332,"AUDIO":165},"response":42,'
            '"response_details":{"AUDIO":42},"thoughts":136}',
            1000,
        ),
        connection.event(
            Event.USAGE,
            second_pass,
            '{"prompt":700,"prompt_details":{"TEXT":400,"AUDIO":300},"tool_use":10,"tool_use_details":{"TEXT":10},'
            '"cached":100,"cached_details":{"TEXT":100},"previous_prompt":522,'
            '"previous_context":{"TEXT":332,"AUDIO":207,"UNATTRIBUTED":25}}',
            2000,
        ),
        connection.turn(3000, MODEL=unique_model, INTERRUPTED=True, APP_PHASE="talk", TRANSCRIPT_BYTES_IN=40),
    )

    first, second = passes(store, f"connection_id = '{connection.id}'", "ORDER BY pass")
    assert (first["prompt_tokens"], first["response_tokens"], first["thoughts_tokens"]) == (522, 42, 136)
    assert (first["fresh"], first["carried"], first["carried_usd"]) == (522, 0, 0)
    # 332 x 0.75 + 165 x 3 + 25 x 0.75 = 762.75; the 25 at 3 are 56.25 more. 42 x 12 + 136 x 4.50 = 1116.
    assert (first["input_usd"], first["output_usd"]) == (Decimal("0.00076275"), Decimal("0.001116"))
    assert (first["usd"], first["usd_low"], first["usd_high"]) == (
        Decimal("0.00187875"),
        Decimal("0.00187875"),
        Decimal("0.001935"),
    )
    assert (second["prompt_tokens"], second["cached_tokens"], second["tool_use_tokens"]) == (700, 100, 10)
    # Of 400 text 332 were there before (100 of them cached), of 300 audio 207; 10 came from a tool.
    assert (second["fresh"], second["carried"]) == (68 + 93 + 10, 539)
    # 410 text and 300 audio: 307.50 + 900. Of it carried: 332 x 0.75 + 207 x 3 = 870. Nothing was said.
    assert (second["input_usd"], second["carried_usd"]) == (Decimal("0.0012075"), Decimal("0.00087"))
    assert second["output_usd"] == 0
    assert all(row["interrupted"] and row["app_phase"] == "talk" for row in (first, second))
    assert first["pass"] == 1
    assert not first["first_after_resume"]


def test_what_has_no_price_has_no_amount_and_what_was_not_said_costs_nothing(
    store: Store, unique_model: str
) -> None:
    connection = Process().connection()
    insert(store, connection.started(MODEL=unique_model), connection.usage(100, MODEL=unique_model))

    (row,) = passes(store, f"connection_id = '{connection.id}'")
    assert (row["usd"], row["input_usd"], row["output_usd"]) == (None, None, 0)
    assert row["unpriced_quantity"] == 100


def test_a_turn_told_twice_does_not_double_a_pass(store: Store, unique_model: str) -> None:
    connection = Process().connection()
    insert(
        store,
        connection.started(MODEL=unique_model),
        connection.usage(100, MODEL=unique_model),
        connection.turn(10, MODEL=unique_model),
        connection.turn(20, MODEL=unique_model, INTERRUPTED=True),
    )

    (row,) = passes(store, f"connection_id = '{connection.id}'")
    assert (row["prompt_tokens"], row["interrupted"]) == (100, True)


def test_the_first_pass_after_a_resume_is_marked_and_a_repeat_is_no_pass(
    store: Store, unique_model: str
) -> None:
    connection = Process().connection()
    insert(
        store,
        connection.started(MODEL=unique_model),
        connection.usage(100, 5, FIRST_AFTER_RESUME=True),
        connection.usage(100, 5, REPEAT=True),
        connection.usage(140, 5, PASS=2),
    )

    found = passes(store, f"connection_id = '{connection.id}'", "ORDER BY seq")
    assert [(row["prompt_tokens"], row["first_after_resume"]) for row in found] == [(100, True), (140, False)]


def passes(store: Store, where: str, rest: str = "") -> list[Row]:
    return rows(store, f"SELECT * FROM livemeter.live_passes WHERE {where} {rest}")
