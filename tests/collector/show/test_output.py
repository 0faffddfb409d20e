import csv
import io
import json
from datetime import UTC, datetime
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from livemeter_collector.show.output import as_csv, as_json

ROW = {
    "session_id": "a,b",
    "note": 'said "no"\r\nand left',
    "usd": Decimal("0.000000750000000000"),
    "at": datetime(2026, 11, 21, 4, 46, 9, 206_000, UTC),
    "coverage": None,
    "resumed": False,
    "labels": {"lesson": "café"},
}


def test_json_keeps_money_exact_times_in_utc_and_unknown_null() -> None:
    written = as_json([ROW])
    assert written.isascii()
    assert json.loads(written) == [
        {
            "session_id": "a,b",
            "note": 'said "no"\r\nand left',
            "usd": "0.00000075",
            "at": "2026-11-21T04:46:09.206Z",
            "coverage": None,
            "resumed": False,
            "labels": {"lesson": "café"},
        }
    ]


def test_csv_is_rfc_4180_with_a_header() -> None:
    assert as_csv(tuple(ROW), [ROW]) == (
        "session_id,note,usd,at,coverage,resumed,labels\r\n"
        '"a,b","said ""no""\r\nand left",0.00000075,2026-11-21T04:46:09.206Z,,false,'
        '"{""lesson"": ""café""}"\r\n'
    )


def test_csv_without_rows_still_has_its_header() -> None:
    assert as_csv(("a", "b"), []) == "a,b\r\n"


@given(st.lists(st.text(), min_size=2, max_size=2))
def test_csv_reads_back_as_it_was(values: list[str]) -> None:
    written = as_csv(("a", "b"), [dict(zip("ab", values, strict=True))])
    assert list(csv.reader(io.StringIO(written, newline="")))[1] == values
