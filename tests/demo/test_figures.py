"""What the demo learns, against figures worked out by hand from its script (see ``expected``)."""

from decimal import Decimal

import pytest

from tests.demo.conftest import Ran
from tests.demo.expected import CONVERSATION, CONVERSATION_TURNS, SESSIONS

# Two sessions have no name of the application's: they are found by what only they did.
NAMELESS = {"go_away": "go_aways = 1", "forgotten": "context_lost"}


def session_row(demo: Ran, name: str) -> dict[str, object]:
    where = NAMELESS.get(name, f"session_id = '{name}'")
    [row] = demo.rows(f"SELECT * FROM livemeter.live_sessions WHERE {where}")
    return row


@pytest.mark.parametrize("name", SESSIONS)
def test_a_session_costs_what_the_script_says(demo: Ran, name: str) -> None:
    expected, row = SESSIONS[name], session_row(demo, name)

    assert (row["input_tokens"], row["output_tokens"]) == (expected.input_tokens, expected.output_tokens)
    assert (row["cost_usd"], row["cost_low_usd"], row["cost_high_usd"]) == (
        expected.cost,
        expected.low,
        expected.high,
    )
    assert row["carried_cost_usd"] == expected.carried
    assert row["unpriced_quantity"] == 0


@pytest.mark.parametrize("name", SESSIONS)
def test_a_session_has_the_turns_tools_and_coverage_of_its_script(demo: Ran, name: str) -> None:
    expected, row = SESSIONS[name], session_row(demo, name)

    assert (row["turns"], row["tool_calls"]) == (expected.turns, expected.tool_calls)
    assert (row["connections"], row["reconnects"]) == (expected.connections, expected.connections - 1)
    coverage = expected.covered / expected.with_output if expected.with_output else None
    assert row["usage_coverage"] == coverage


@pytest.mark.parametrize("name", SESSIONS)
def test_a_session_ends_as_its_script_says_and_is_explained(demo: Ran, name: str) -> None:
    expected, row = SESSIONS[name], session_row(demo, name)

    assert (row["close_code"], row["closed_by"]) == (expected.close_code, expected.closed_by)
    assert (row["status"], row["diagnosis"]) == (expected.status, expected.diagnosis)
    assert bool(row["context_lost"]) is expected.context_lost


def test_there_are_no_other_sessions(demo: Ran) -> None:
    [row] = demo.rows("SELECT count() AS sessions FROM livemeter.live_sessions")

    assert row["sessions"] == len(SESSIONS)


def test_the_conversation_s_money_went_where_the_script_says(demo: Ran) -> None:
    rows = demo.rows("SELECT * FROM livemeter.live_session_costs WHERE session_id = 'conversation'")

    assert {
        (row["direction"], row["modality"]): (row["quantity"], row["usd"]) for row in rows
    } == CONVERSATION


def test_each_turn_of_the_conversation_costs_what_the_script_says(demo: Ran) -> None:
    rows = demo.rows("SELECT turn, cost_usd FROM livemeter.live_turns WHERE session_id = 'conversation'")

    assert {row["turn"]: row["cost_usd"] for row in rows} == CONVERSATION_TURNS


def test_the_interrupted_turn_is_known_and_so_is_the_speech(demo: Ran) -> None:
    rows = demo.rows(
        "SELECT turn, interrupted, end_reason, model_speech_ms FROM livemeter.live_turns"
        " WHERE session_id = 'conversation' ORDER BY turn"
    )

    assert [row["turn"] for row in rows if row["interrupted"]] == [3]
    assert [row["model_speech_ms"] for row in rows] == [1680, 2200, 2320, 4000, 1200]


def test_the_trailing_copy_of_a_usage_frame_is_kept_and_not_billed(demo: Ran) -> None:
    rows = demo.rows(
        "SELECT turn, billable, sum(quantity) AS tokens FROM livemeter.live_usage"
        " WHERE session_id = 'conversation' AND turn = 4 AND kind IN ('prompt', 'response')"
        " GROUP BY turn, billable ORDER BY billable"
    )

    assert [(row["billable"], row["tokens"]) for row in rows] == [(False, 1158), (True, 1158)]


def test_what_was_derived_from_audio_is_marked(demo: Ran) -> None:
    rows = demo.rows(
        "SELECT kind, modality, quantity, source FROM livemeter.live_usage"
        " WHERE session_id = 'gaps' AND turn = 1 ORDER BY kind, modality"
    )

    assert [tuple(row.values()) for row in rows] == [
        ("prompt", "AUDIO", 75, "derived"),
        ("prompt", "UNATTRIBUTED", 225, "derived"),
        ("response", "AUDIO", 50, "derived"),
        ("response", "UNATTRIBUTED", 10, "derived"),
    ]


def test_tool_calls_are_answered_cancelled_and_followed_by_the_close(demo: Ran) -> None:
    rows = demo.rows(
        "SELECT call_id, name, turn, status, id_match, response_bytes, closed_after_ms"
        " FROM livemeter.live_tool_calls WHERE session_id = 'tools' ORDER BY call_id"
    )

    assert [(row["call_id"], row["name"], row["turn"], row["status"]) for row in rows] == [
        ("call-1", "find_order", 1, "ok"),
        ("call-2", "track_parcel", 2, "cancelled"),
        ("call-3", "find_order", 3, "ok"),
    ]
    assert [row["id_match"] for row in rows] == ["yes", "absent", "yes"]
    # The answer is {"status":"shipped","carrier":"any"}, 36 bytes.
    assert [row["response_bytes"] for row in rows] == [36, 0, 36]
    assert rows[1]["closed_after_ms"] is None
    assert isinstance(rows[2]["closed_after_ms"], int)


def test_the_connection_after_the_resume_knows_the_one_before(demo: Ran) -> None:
    go_away = session_row(demo, "go_away")["session_id"]
    rows = demo.rows(
        "SELECT connection_id, attempt, resumed, resumed_from, gap_ms FROM livemeter.live_connections"
        " WHERE session_id = {session:String} ORDER BY opened_at",
        session=str(go_away),
    )

    first, second = rows
    assert (first["attempt"], first["resumed"], first["gap_ms"]) == (1, False, None)
    assert (second["attempt"], second["resumed"]) == (2, True)
    assert second["resumed_from"] == first["connection_id"] == go_away
    assert second["gap_ms"] is not None


def test_the_wrong_backend_is_explained_with_the_name_to_use(demo: Ran) -> None:
    [row] = demo.rows("SELECT * FROM livemeter.live_closes WHERE session_id = 'wrong-backend'")

    assert (row["phase"], row["retry_class"], row["platform"]) == ("setup", "never", "vertex_ai")
    assert "gemini-live-2.5-flash-preview-native-audio-09-2025" in str(row["hint"])


def test_every_frame_is_there_once_with_its_audio(demo: Ran) -> None:
    rows = demo.rows(
        "SELECT direction, count() AS frames, uniqExact(connection_id, seq) AS distinct,"
        " sum(audio_ms) AS audio FROM livemeter.live_frames"
        " WHERE session_id = 'conversation' GROUP BY direction ORDER BY direction"
    )

    # Sent: setup, 4 x activityStart and activityEnd, 238 chunks of 20 ms (2000 + 960 + 600 + 1200 = 4760),
    # a camera image and a typed turn. Received: setupComplete, 285 chunks of 40 ms (11,400), 3 input and
    # 5 output transcriptions, 3 generationComplete alone (turns 1, 2, 5), interrupted, and the usage of
    # turns 1, 2, 3 and 5; turn 4: generationComplete with turnComplete, and usage twice.
    assert [(row["direction"], row["frames"], row["audio"]) for row in rows] == [
        ("sent", 249, 4760),
        ("received", 305, 11_400),
    ]
    assert all(row["frames"] == row["distinct"] for row in rows)


def test_sums_of_parts_equal_the_whole(demo: Ran) -> None:
    [row] = demo.rows(
        "SELECT (SELECT sum(usd) FROM livemeter.live_costs) AS costs,"
        " (SELECT sum(usd) FROM livemeter.live_session_costs) AS session_costs,"
        " (SELECT sum(cost_usd) FROM livemeter.live_sessions) AS sessions,"
        " (SELECT sum(cost_usd) FROM livemeter.live_turns) AS turns"
    )

    total = sum((expected.cost for expected in SESSIONS.values()), Decimal(0))
    assert set(row.values()) == {total}


def test_spans_and_metrics_arrive_as_well(demo: Ran) -> None:
    spans = demo.rows(
        "SELECT SpanName AS name, count() AS spans FROM livemeter.otel_traces GROUP BY SpanName"
    )
    counted = {row["name"]: row["spans"] for row in spans}
    metrics = demo.rows(
        "SELECT max(Value) AS tokens FROM livemeter.otel_metrics_sum"
        " WHERE MetricName = 'gen_ai.client.inference.usage.input_tokens'"
        " AND Attributes['gen_ai.request.model'] = 'gemini-live-2.5-flash-native-audio'"
        " AND Attributes['gen_ai.token.modality'] = 'text'"
    )

    assert counted["gemini_live.connection"] == 11
    assert counted["execute_tool find_order"] == 2
    assert metrics == [{"tokens": 4200.0}]
