import argparse
from datetime import UTC, datetime, timedelta

import pytest

from livemeter_collector.commands.options import limit, since
from livemeter_collector.query.questions import NO_LIMIT
from tests.collector.commands.conftest import Run


@pytest.mark.parametrize(
    ("words", "start"),
    [
        ("2026-11-01", datetime(2026, 11, 1, tzinfo=UTC)),
        ("2026-11-01T14:30", datetime(2026, 11, 1, 14, 30, tzinfo=UTC)),
        ("2026-11-01 14:30:15.5", datetime(2026, 11, 1, 14, 30, 15, 500_000, UTC)),
        ("2026-11-01T14:30+02:00", datetime(2026, 11, 1, 12, 30, tzinfo=UTC)),
        ("2026-11-01T14:30Z", datetime(2026, 11, 1, 14, 30, tzinfo=UTC)),
        ("1960-01-01", datetime(1970, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_date_or_time_is_in_utc_unless_it_says_otherwise(words: str, start: datetime) -> None:
    assert since(words) == round(start.timestamp() * 1000)


@pytest.mark.parametrize(
    ("words", "span"),
    [
        ("90s", timedelta(seconds=90)),
        ("30m", timedelta(minutes=30)),
        ("24h", timedelta(hours=24)),
        ("7d", timedelta(days=7)),
        ("2w", timedelta(weeks=2)),
    ],
)
def test_a_span_ends_now(words: str, span: timedelta) -> None:
    before = datetime.now(UTC)
    start = datetime.fromtimestamp(since(words) / 1000, UTC)
    assert before - timedelta(milliseconds=1) <= start + span <= datetime.now(UTC)


@pytest.mark.parametrize(
    "words", ["", "yesterday", "24", "h", "-1d", "1.5h", "2026-13-01", "999999w", "24 h"]
)
def test_what_is_no_time_is_said_so(words: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="try 24h, 7d or 2026-11-01"):
        since(words)


@pytest.mark.parametrize("words", ["0", "-1", "1.5", "", "many", "٣x", "9" * 30])
def test_what_is_no_limit_is_said_so(words: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="try 100, or all"):
        limit(words)


def test_limits() -> None:
    assert (limit("1"), limit("500"), limit("all")) == (1, 500, NO_LIMIT)


@pytest.mark.parametrize(
    "words",
    [
        "sessions --since tomorrow",
        "sessions --limit 0",
        "sessions --status broken",
        "sessions --json --csv",
        "sessions --clickhouse http://127.0.0.1:8123",
        "costs --by colour",
        "session",
        "sql",
    ],
)
def test_a_command_that_is_not_understood_has_exit_code_2(run: Run, words: str) -> None:
    """``run`` adds --data, which excludes --clickhouse."""
    outcome = run(words)
    assert (outcome.exit_code, outcome.out) == (2, "")
    assert "usage: livemeter" in outcome.err
