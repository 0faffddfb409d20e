"""What the verb writes, byte for byte, and that what is shown adds up."""

import csv
import io
import json
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livemeter_collector.reconcile.billing import Bill, Billed, Wanted, read_bill
from livemeter_collector.reconcile.compare import Part, compare
from livemeter_collector.reconcile.recorded import Recorded, Unseen
from livemeter_collector.reconcile.report import BY, Report, report
from livemeter_collector.reconcile.skus import Group
from livemeter_collector.show.output import as_csv, as_json, as_text
from tests.collector.reconcile.files import AUDIO_IN, AUDIO_OUT, SEARCH, TEXT_IN, TEXT_OUT, file, line
from tests.collector.reconcile.test_compare import DAY, MODEL, usage

GOLDEN = Path(__file__).parent / "golden"
NEXT = date(2026, 7, 2)
TENANT = r'[{"key": "tenant", "value": "acme\u001b[2J"}]'


def example() -> tuple[Bill, Recorded]:
    """Two days with some of everything; the figures of the gap are in the comments."""
    second = {"start": "2026-07-02 18:00:00 UTC", "end": "2026-07-02 19:00:00 UTC"}
    bill = read_bill(
        file(
            # As recorded, with 25 tokens that nobody attributed.
            line(TEXT_IN, "0.0001785", "357", labels=TENANT),
            line(AUDIO_IN, "0.000495", "165"),
            # 100 tokens more than recorded: 4 s of a turn without usage. 0.0012.
            line(AUDIO_OUT, "0.001704", "142", credits_="-0.0004"),
            # 5 queries of 7 were free: -0.175.
            line(SEARCH + " free", "0", "5"),
            line(SEARCH + " paid", "0.07", "2"),
            # A price that was a tenth higher: 0.0001; and 50 tokens that nobody explains: 0.0001.
            line(TEXT_OUT, "0.0022", "1050", **second),
            # Never recorded: 3.
            line("Gemini 3.8 Live Video Input", "3", "3000000", service="Vertex AI", **second),
            line("Generate content input token count gemini 3.5 flash text", "0.1", "10"),
            line("Snapshots", "12.5", "1", service="Compute Engine"),
            line("Cores", "7.5", "1", service="Compute Engine"),
            line(AUDIO_IN, "0.02", "10", currency="EUR"),
            line(TEXT_IN, "1", "1", project="other"),
        ),
        Wanted(project="voice"),
    )
    rest = replace(usage("prompt", "TEXT", 25), modality="UNATTRIBUTED", usd_high=Decimal("0.000075"))
    unpriced = {"usd": None, "usd_low": None, "usd_high": None, "unpriced_quantity": 900}
    told = Recorded(
        [
            usage("prompt", "TEXT", 332),
            rest,
            usage("prompt", "AUDIO", 165),
            usage("response", "AUDIO", 42),
            usage("grounding", "", 7),
            usage("thoughts", "TEXT", 1000, day=NEXT),
            usage("prompt", "TEXT", 900, day=NEXT, model="gemini-4.0-live", **unpriced),
        ],
        [Unseen(DAY, "gemini_api", MODEL, 1, None, 4000.0, Decimal("0.000003"), Decimal("0.000012"))],
        repeats_quantity=42,
        repeats_usd=Decimal("0.000504"),
        sessions_begun_before=1,
        labelled={("tenant", "acme\x1b[2J"): Decimal("0.0001660")},
    )
    return bill, told


def made(by: Sequence[str] = BY) -> Report:
    bill, told = example()
    return report(bill, told, compare(bill, told), by)


def text_of(one: Report) -> str:
    tables = (
        (f"\n{title}\n" if title else "") + as_text(grid)
        for title, grid in zip(one.titles, one.tables, strict=True)
    )
    return "".join(tables) + "".join(f"livemeter: {note}\n" for note in one.notes)


FORMS: dict[str, Callable[[Report], str]] = {
    "txt": text_of,
    "json": lambda one: as_json(one.answer),
    "csv": lambda one: as_csv(one.columns, one.rows),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("by", [BY, ("day",), ("sku",)], ids="-".join)
def test_output_is_as_committed(by: Sequence[str], form: str) -> None:
    written = FORMS[form](made(by))
    assert form == "csv" or "\x1b" not in written
    path = GOLDEN / f"{'-'.join(by)}.{form}"
    if os.environ.get("LIVEMETER_UPDATE_GOLDEN") == "1":
        path.write_bytes(written.encode())
    assert written == path.read_bytes().decode(), (
        f"{path.name} differs; LIVEMETER_UPDATE_GOLDEN=1 rewrites it"
    )


def test_the_gap_is_taken_apart_as_it_was_made() -> None:
    total = json.loads(as_json(made().answer))["total"]
    parts = {
        part: total[f"{part.name.lower()}_usd"] for part in Part if total[f"{part.name.lower()}_usd"] != "0"
    }
    assert parts == {
        Part.NOT_RECORDED: "3",
        Part.COVERAGE: "0.0012",
        Part.FREE: "-0.175",
        Part.PRICE: "0.0001",
        Part.UNEXPLAINED: "0.0001",
    }
    assert sum(map(Decimal, parts.values())) == Decimal(total["gap_usd"])


def test_rows_of_programs_add_up_however_they_are_grouped() -> None:
    for by in (BY, ("day",), ("sku",)):
        rows = list(csv.DictReader(io.StringIO(FORMS["csv"](made(by)), newline="")))
        for name in ("billed_usd", "recorded_usd", "gap_usd", "unexplained_usd"):
            total = json.loads(as_json(made().answer))["total"][name]
            assert sum(Decimal(row[name] or 0) for row in rows) == Decimal(total)


MONEY = re.compile(r"[-+]?\$[\d,]+(?:\.\d+)?")


def shown(cell: object) -> Decimal:
    found = MONEY.search(str(cell))
    return Decimal(found[0].replace("$", "").replace(",", "")) if found else Decimal(0)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([TEXT_IN, AUDIO_IN, AUDIO_OUT]),
            st.decimals(0, 10, places=9),
            st.integers(0, 99),
        ),
        min_size=1,
    ),
    st.lists(st.tuples(st.sampled_from([("prompt", "TEXT"), ("response", "AUDIO")]), st.integers(0, 10**6))),
)  # fmt: skip
def test_what_is_shown_adds_up(
    billed: list[tuple[str, Decimal, int]], told: list[tuple[tuple[str, str], int]]
) -> None:
    """Costs down their columns, each gap from the costs beside it, and the parts of the gap."""
    bill = read_bill(file(*(line(sku, f"{cost:f}", str(amount)) for sku, cost, amount in billed)))
    record = Recorded([usage(*kind, quantity) for kind, quantity in told])
    compared, parts, *_ = report(bill, record, compare(bill, record), BY).tables
    places = {column.heading: place for place, column in enumerate(compared.columns)}
    assert compared.total is not None
    assert parts.total is not None
    for name in ("billed", "recorded", "gap"):
        column = [shown(row[places[name]]) for row in compared.rows]
        assert sum(column, Decimal(0)) == shown(compared.total[places[name]])
    for row in [*compared.rows, compared.total]:
        assert shown(row[places["billed"]]) - shown(row[places["recorded"]]) == shown(row[places["gap"]])
    assert sum((shown(row[1]) for row in parts.rows), Decimal(0)) == shown(parts.total[1])
    assert shown(parts.total[1]) == shown(compared.total[places["gap"]])


def test_a_bill_with_nothing_to_compare_still_lists_what_it_has() -> None:
    bill = read_bill(file(line("Snapshots", "12.5", "1", service="Compute Engine")))
    one = report(bill, Recorded(), compare(bill, Recorded()), BY)
    assert "Compute Engine" in text_of(one)
    assert one.rows == []
    assert json.loads(as_json(one.answer))["total"]["gap_usd"] == "0"


def test_a_unit_that_is_not_known_is_named() -> None:
    bill = Bill(first_day=DAY, last_day=DAY)
    group = Group("gemini_api", "gemini 2.5 flash live", "input", "TEXT")
    bill.compared[DAY, group] = Billed(cost=Decimal(1), unknown_units={"seconds"})
    one = report(bill, Recorded(), compare(bill, Recorded()), BY)
    assert one.notes == ["no tokens are known of units that are not: 'seconds'"]
