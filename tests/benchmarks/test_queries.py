"""The questions of the benchmark can be asked, leave no public view out, and are judged by the aims."""

from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.fleet_events import Plan
from benchmarks.queries import flags_of, questions_for, views_without_questions, written_questions

if TYPE_CHECKING:
    from livemeter_collector.store.contract import Store


def test_every_question_has_an_answer(store: "Store", plan: Plan) -> None:
    """Asked as the benchmark does: read-only, of whatever views there are."""
    questions = questions_for(plan, lambda sql: store.query(sql).rows)
    assert {"live_sessions", "live_costs", "command", "panel"} <= {question.view for question in questions}
    for question in questions:
        chunks = store.stream(question.sql, "JSONEachRow", question.parameters)
        answer = b"".join(chunks)
        assert answer or question.view in {"live_transcripts", "live_findings"}, question.name


def test_no_public_view_goes_unasked(store: "Store") -> None:
    """A new view needs a question in ``benchmarks/questions.sql``."""
    assert views_without_questions(lambda sql: store.query(sql).rows) == []


def test_questions_about_all_days_have_no_window() -> None:
    for question in written_questions():
        has_window = any(name in question.sql for name in ("$since", "$session", "$connection"))
        assert has_window == question.is_windowed, question.name


@pytest.mark.parametrize(
    ("small_ms", "big_ms", "rows", "is_windowed", "flags"),
    [
        (10, 12.9, 7, True, []),
        (10, 13.1, 7, True, ["over 1.3"]),
        (10, 99, 7, False, []),
        (90, 101, 7, True, ["over 100 ms"]),
        (10, 10, 8, True, ["8 rows in the big one"]),
        (10, 10, 8, False, []),
    ],
)
def test_what_is_flagged(
    small_ms: float, big_ms: float, rows: int, is_windowed: bool, flags: list[str]
) -> None:
    result: dict[str, Any] = {
        "small": {"ms": small_ms, "rows": 7},
        "big": {"ms": big_ms, "rows": rows},
        "ratio": big_ms / small_ms,
        "is_windowed": is_windowed,
    }
    assert flags_of(result) == flags


def test_one_fleet_alone_is_judged_by_its_milliseconds() -> None:
    assert flags_of({"small": {"ms": 120, "rows": 1}, "is_windowed": True}) == ["over 100 ms"]
