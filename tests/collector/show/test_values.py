import json
import math
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from ipaddress import IPv4Address
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livemeter_collector.show.values import (
    duration,
    milliseconds,
    moment,
    number,
    percent,
    printable,
    text,
    to_plain,
    yes_no,
)


@pytest.mark.parametrize("show", [duration, milliseconds, moment, number, percent, text, yes_no])
def test_unknown_is_a_dash_and_never_zero(show: object) -> None:
    assert callable(show)
    assert show(None) == "-"


@pytest.mark.parametrize("show", [duration, milliseconds, percent, text])
def test_a_figure_that_is_no_number_is_unknown(show: object) -> None:
    assert callable(show)
    assert (show(math.nan), show(math.inf)) == ("-", "-")


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0.0 s"),
        (12.34, "12.3 s"),
        (59.94, "59.9 s"),
        (59.96, "1 m 00 s"),
        (245, "4 m 05 s"),
        (3599.6, "1 h 00 m 00 s"),
        (3725, "1 h 02 m 05 s"),
        (Decimal("9.776"), "9.8 s"),
    ],
)
def test_durations(seconds: object, shown: str) -> None:
    assert duration(seconds) == shown


@pytest.mark.parametrize(
    ("value", "shown"), [(0.0, "0 ms"), (349.6, "350 ms"), (999.6, "1.0 s"), (65_000, "1 m 05 s")]
)
def test_milliseconds(value: object, shown: str) -> None:
    assert milliseconds(value) == shown


@pytest.mark.parametrize(
    ("share", "shown"),
    [(0, "0%"), (0.0004, "<1%"), (0.5, "50%"), (2 / 3, "67%"), (0.9999, ">99%"), (1, "100%"), (1.0, "100%")],
)
def test_only_an_exact_share_reads_nothing_or_all(share: object, shown: str) -> None:
    assert percent(share) == shown


def test_numbers_have_thousands_separators() -> None:
    assert (number(0), number(999), number(1_234_567)) == ("0", "999", "1,234,567")


def test_times_are_shown_and_written_in_utc() -> None:
    elsewhere = datetime(2026, 11, 21, 4, 46, 9, 206_000, timezone(timedelta(hours=5, minutes=30)))
    naive = datetime(2026, 11, 20, 23, 16, 9, tzinfo=UTC).replace(tzinfo=None)
    assert moment(elsewhere) == moment(naive) == "2026-11-20 23:16:09"
    assert to_plain(elsewhere) == "2026-11-20T23:16:09.206Z"
    assert to_plain(naive.replace(tzinfo=UTC)) == "2026-11-20T23:16:09Z"


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (Decimal("0.031101250000000000"), "0.03110125"),
        (Decimal("0E-18"), "0"),
        (Decimal("1E+3"), "1000"),
        (Decimal("12345678901234567890.000000000000000001"), "12345678901234567890.000000000000000001"),
        (Decimal("NaN"), None),
        (2**64 - 1, 2**64 - 1),
        (True, True),
        (math.nan, None),
        (b"\x01\xff", "01ff"),
        (date(2026, 11, 21), "2026-11-21"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (IPv4Address("127.0.0.1"), "127.0.0.1"),
        ({"a": Decimal("1.50"), 2: (None, [1])}, {"a": "1.5", "2": [None, [1]]}),
    ],
)
def test_what_programs_read(value: object, plain: object) -> None:
    assert to_plain(value) == plain
    assert json.loads(json.dumps(to_plain(value))) == plain


def test_what_people_read_of_any_value() -> None:
    assert text(True) == "yes"
    assert text("") == text({}) == text([]) == "-"
    assert text({"lesson": "café", "empty": None}) == "lesson=café, empty=-"
    assert text([1, "two"]) == "1, two"


def test_nothing_foreign_reaches_the_terminal() -> None:
    """Escape sequences, line breaks, invisible and right-to-left characters show what they are."""
    assert printable("\x1b[2J a\nb\r\u202ec\u200b é") == r"\x1b[2J a\nb\r\u202ec\u200b é"


@given(st.text())
def test_printable_text_is_printable(words: str) -> None:
    assert printable(words).isprintable()
