from datetime import UTC, datetime
from decimal import Decimal

import pytest

from livemeter_collector.show.output import as_text
from livemeter_collector.show.report import (
    cause_and_hint,
    close_code,
    closes_table,
    costs_table,
    costs_total,
    session_costs_table,
    session_finding,
    sessions_table,
)
from livemeter_collector.show.session_page import turns_table

SESSION: dict[str, object] = {
    "session_id": "0199a7c2000070008000000000000001",
    "started_at": datetime(2026, 11, 21, 10, 0, 0, tzinfo=UTC),
    "duration_s": 245.0,
    "status": "failed",
    "model": "gemini-3.8-live",
    "connections": 3,
    "turns": 12,
    "input_tokens": 12_345,
    "output_tokens": 678,
    "cost_usd": Decimal("0.0123"),
    "cost_low_usd": Decimal("0.0120"),
    "cost_high_usd": Decimal("0.0141"),
    "unpriced_quantity": 0,
    "usage_coverage": 0.75,
    "close_code": 1008,
    "http_status": None,
    "diagnosis": "wrong-backend-model",
    "context_lost": False,
}
UNKNOWN: dict[str, object] = {**dict.fromkeys(SESSION), "session_id": "cut", "status": "lost"}

COST: dict[str, object] = {
    "direction": "input",
    "modality": "TEXT",
    "tokens": 100,
    "input_tokens": 100,
    "carried": 25,
    "queries": 0,
    "usd": Decimal("0.00001"),
    "usd_low": Decimal("0.00001"),
    "usd_high": Decimal("0.00001"),
    "unpriced_quantity": 0,
}

CLOSE: dict[str, object] = {
    "closes": 3,
    "close_code": 1008,
    "http_status": None,
    "diagnosis": "wrong-backend-model",
    "sessions": 2,
    "last_closed_at": datetime(2026, 11, 21, 10, 0, 0, tzinfo=UTC),
    "cause": "This model name belongs to the other backend.",
    "hint": "Use gemini-live-2.5-flash-native-audio here.",
    "close_reason": "",
    "ended_well": False,
}


def test_a_session_is_a_line_and_what_is_unknown_is_a_dash() -> None:
    heading, known, unknown = as_text(sessions_table([SESSION, UNKNOWN]).table).splitlines()
    assert heading.split("  ")[0] == "session"
    assert [cell.strip() for cell in known.split("  ") if cell.strip()] == [
        "0199a7c2",
        "2026-11-21 10:00:00",
        "4 m 05 s",
        "failed",
        "gemini-3.8-live",
        "3",
        "12",
        "12,345",
        "678",
        "$0.0123 (0.0120\N{EN DASH}0.0141)",
        "75%",
        "1008",
        "wrong-backend-model",
    ]
    assert unknown.split() == ["cut", "-", "-", "lost", *["-"] * 9]


def test_lost_context_is_told_beside_the_diagnosis() -> None:
    lost = {**SESSION, "context_lost": True}
    assert session_finding(SESSION) == "wrong-backend-model"
    assert session_finding(lost) == "wrong-backend-model, context lost"
    assert session_finding({**lost, "diagnosis": None}) == "context lost"
    assert session_finding({**lost, "diagnosis": None, "context_lost": None}) == "-"


def test_a_narrow_terminal_keeps_what_it_cost_and_why_it_ended() -> None:
    shown = as_text(sessions_table([SESSION]).table, width=80)
    assert max(map(len, shown.splitlines())) <= 80
    for word in ("0199a7c2", "failed", "$0.0123 (0.0120\N{EN DASH}0.0141)", "1008", "wrong-backend-model"):
        assert word in shown


def test_sessions_are_named_by_the_prefixes_given() -> None:
    shown = as_text(sessions_table([SESSION], {str(SESSION["session_id"]): "0199a7c20"}).table)
    assert shown.splitlines()[1].startswith("0199a7c20 ")


def test_three_equal_parts_add_up_to_the_total_as_shown() -> None:
    third = {**COST, "usd": Decimal("0.00001") / 3, "usd_low": None, "usd_high": None}
    shown = as_text(session_costs_table([third, third, third], decimals=5).table)
    assert [line.split("$")[-1] for line in shown.splitlines()[1:]] == [
        "0.00001",
        "0.00000",
        "0.00000",
        "0.00001",
    ]
    enough = as_text(session_costs_table([third, third, third]).table)
    cells = [line.split("$")[-1] for line in enough.splitlines()[1:]]
    assert cells == ["0.0000034", "0.0000033", "0.0000033", "0.0000100"]


def test_the_plain_data_of_a_display_is_exact_and_whole() -> None:
    rows = [COST, {**COST, "usd": None, "usd_low": None, "usd_high": None, "unpriced_quantity": 100}]
    assert costs_table(("direction",), rows).rows == rows
    assert costs_total(rows) == {
        "tokens": 200,
        "input_tokens": 200,
        "carried": 50,
        "queries": 0,
        "unpriced_quantity": 100,
        "usd": Decimal("0.00001"),
        "usd_low": Decimal("0.00001"),
        "usd_high": Decimal("0.00001"),
    }


def test_a_close_says_why_and_what_to_do() -> None:
    shown = as_text(closes_table([CLOSE]).table, width=100)
    assert " ".join(shown.split()).endswith(
        "This model name belongs to the other backend. → Use gemini-live-2.5-flash-native-audio here."
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"hint": None}, "This model name belongs to the other backend."),
        ({"cause": None, "hint": None, "ended_well": True}, "ended in order"),
        ({"cause": None, "hint": None}, "no known cause; reason given: -"),
        (
            {"cause": None, "hint": None, "close_reason": "a\nb\x1b"},
            r"no known cause; reason given: a\nb\x1b",
        ),
        ({"cause": "a\x1bb", "hint": "c\nd"}, "a\\x1bb\n→ c\\nd"),
    ],
)
def test_what_is_known_of_a_close(changes: dict[str, object], words: str) -> None:
    assert cause_and_hint({**CLOSE, **changes}).plain == words


def test_a_socket_that_never_opened_shows_its_http_status() -> None:
    assert close_code(CLOSE) == "1008"
    assert close_code({**CLOSE, "close_code": None, "http_status": 429}) == "HTTP 429"
    assert close_code({**CLOSE, "close_code": None}) == "-"


def test_what_belongs_to_no_turn_is_the_rest() -> None:
    """A pass whose turn never ended costs all the same: turns and rest add up to the session."""
    turn: dict[str, object] = {
        "turn": 1,
        "started_at": datetime(2026, 11, 21, 10, 0, 0, tzinfo=UTC),
        "turn_ms": 9000.0,
        "first_audio_ms": 640.0,
        "user_speech_ms": None,
        "model_speech_ms": 1680.0,
        "end_reason": "complete",
        "input_tokens": 12_000,
        "output_tokens": 678,
        "cost_usd": Decimal("0.0100"),
        "unpriced_quantity": 0,
    }
    lines = as_text(turns_table(SESSION, [turn], decimals=4)).splitlines()
    assert [line.split()[-3:] for line in lines[1:]] == [
        ["12,000", "678", "$0.0100"],
        ["345", "0", "$0.0023"],
        ["12,345", "678", "$0.0123"],
    ]
    assert [line.split()[0] for line in lines[1:]] == ["1", "rest", "total"]
    whole = {**turn, "input_tokens": 12_345, "cost_usd": Decimal("0.0123")}
    assert "rest" not in as_text(turns_table(SESSION, [whole], decimals=4))
