"""Every query of every board, executed as Grafana would send it, against sessions that came as OTLP."""

import json
import uuid
from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from tests.dashboards.boards import QUERIES, BoardQuery
from tests.dashboards.plugin import ALL, View, expand
from tests.dashboards.seed import HOUR_MS, PRICED_MODEL, UNPRICED_MODEL, first_hour_ms, otlp_request

if TYPE_CHECKING:
    from livemeter_collector.store.contract import Store, Table

EVERY_QUERY = pytest.mark.parametrize("query", QUERIES, ids=str)


@pytest.fixture(scope="module")
def seeded(store: "Store") -> View:
    """The view of a reader who chose the seeded application, over the two hours of its sessions."""
    from livemeter_collector.store.contract import Signal

    app, hour_ms = uuid.uuid4().hex, first_hour_ms()
    store.insert_otlp(Signal.LOGS, otlp_request(app, hour_ms), app)
    return View(hour_ms, hour_ms + 2 * HOUR_MS - 1, {"app": (app,), "model": ALL})


def answer(store: "Store", owner: str, view: View) -> "Table":
    (query,) = (each for each in QUERIES if each.owner == owner)
    return store.query(expand(query.sql, view))


def series(store: "Store", owner: str, view: View) -> dict[tuple[object, ...], float | None]:
    """Return a time series answer by hour, counted from the view's first, and labels; in micro-dollars."""
    return {
        (_hours(time, view), *labels): None if value is None else round(value * 1_000_000, 6)  # type: ignore[operator]
        for time, *labels, value in answer(store, owner, view).rows
    }


def _hours(time: object, view: View) -> int:
    assert isinstance(time, datetime)
    return round(time.timestamp() * 1000 - view.from_ms) // HOUR_MS


@EVERY_QUERY
def test_each_query_answers_for_one_application(store: "Store", seeded: View, query: BoardQuery) -> None:
    table = store.query(expand(query.sql, seeded))
    assert table.rows
    assert any(value is not None for row in table.rows for value in row)


@EVERY_QUERY
def test_each_query_answers_a_read_only_reader_who_chose_all(
    store: "Store", seeded: View, query: BoardQuery
) -> None:
    view = View(seeded.from_ms, seeded.to_ms, {"app": ALL, "model": ALL})
    body = b"".join(store.stream(expand(query.sql, view), "JSONCompact"))
    assert json.loads(body)["rows"] > 0


@EVERY_QUERY
def test_a_time_range_without_sessions_is_no_error(store: "Store", seeded: View, query: BoardQuery) -> None:
    """Series and lists are empty, figures are NULL: nothing is shown as zero."""
    view = View(0, HOUR_MS, seeded.chosen)
    rows = store.query(expand(query.sql, view)).rows
    assert not rows or (len(rows) == 1 and set(rows[0]) == {None})


@pytest.mark.parametrize("query", [query for query in QUERIES if query.is_time_series], ids=str)
def test_time_series_are_a_time_in_order_then_text_then_a_number(
    store: "Store", seeded: View, query: BoardQuery
) -> None:
    """The plugin refuses to make series of anything else."""
    table = store.query(expand(query.sql, seeded))
    times = [row[0] for row in table.rows]
    assert table.columns[0] == "time"
    assert all(isinstance(time, datetime) for time in times)
    assert times == sorted(times)  # type: ignore[type-var]
    assert all(isinstance(text, str) for row in table.rows for text in row[1:-1])
    assert all(row[-1] is None or isinstance(row[-1], float) for row in table.rows)


def test_a_chosen_name_with_a_quote_stays_a_name(store: "Store", seeded: View) -> None:
    view = View(seeded.from_ms, seeded.to_ms, {"app": ("it's", "b"), "model": (PRICED_MODEL,)})
    assert answer(store, "Spend", view).rows == ((None, None, None),)


def test_spend(store: "Store", seeded: View) -> None:
    """3450 + 45 + 990; the 100 untold tokens at 3 instead of 0.75 are 225 more."""
    assert answer(store, "Spend", seeded).rows == ((0.004485, 0.004485, 0.00471),)


def test_spend_of_a_model_without_a_price_is_not_known(store: "Store", seeded: View) -> None:
    view = View(seeded.from_ms, seeded.to_ms, {**seeded.chosen, "model": (UNPRICED_MODEL,)})
    assert answer(store, "Spend", view).rows == ((None, None, None),)


def test_carried_and_fresh_share_of_the_input_spend(store: "Store", seeded: View) -> None:
    """750 of 750 + 1500 + 825 + 75."""
    ((carried, fresh),) = answer(store, "Input spend: carried and fresh", seeded).rows
    assert (carried, fresh) == pytest.approx((750 / 3150, 2400 / 3150))


def test_unattributed_and_unpriced_share_of_the_tokens(store: "Store", seeded: View) -> None:
    """100 and 300 of 1600 + 10 + 1220 + 300."""
    rows = answer(store, "Unattributed and unpriced tokens", seeded).rows
    assert rows == ((100 / 3130, 300 / 3130),)


def test_usage_coverage(store: "Store", seeded: View) -> None:
    """Three of four turns with output; two of three of the priced model's."""
    assert answer(store, "Usage coverage", seeded).rows == ((0.75,),)
    view = View(seeded.from_ms, seeded.to_ms, {**seeded.chosen, "model": (PRICED_MODEL,)})
    assert answer(store, "Usage coverage", view).rows == ((2 / 3,),)


def test_spend_by_model(store: "Store", seeded: View) -> None:
    assert series(store, "Spend by model", seeded) == {
        (0, PRICED_MODEL): 3495,
        (1, PRICED_MODEL): 990,
        (1, UNPRICED_MODEL): None,
    }


def test_spend_by_direction_and_modality(store: "Store", seeded: View) -> None:
    view = View(seeded.from_ms, seeded.to_ms, {**seeded.chosen, "model": (PRICED_MODEL,)})
    assert series(store, "Spend by direction and modality", view) == {
        (0, "input", "TEXT"): 750,
        (0, "input", "AUDIO"): 1500,
        (0, "output", "AUDIO"): 1200,
        (0, "output", "TRANSCRIPTION"): 45,
        (1, "input", "TEXT"): 825,
        (1, "input", "UNATTRIBUTED"): 75,
        (1, "output", "TEXT"): 90,
    }


def test_spend_per_hour(store: "Store", seeded: View) -> None:
    (app,) = seeded.chosen["app"]
    assert series(store, "Spend per hour, by app", seeded) == {(0, app): 3495, (1, app): 990}


def test_cost_per_session(store: "Store", seeded: View) -> None:
    """The dearest first, the unpriced last; what falls outside the time range does not count."""
    (app,) = seeded.chosen["app"]
    table = answer(store, "Cost per session", seeded)
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    assert [row["session_id"] for row in rows] == [f"priced-{app}", f"unpriced-{app}"]
    assert table.columns[0] == "session_id"
    names = ("model", "input_tokens", "output_tokens", "usd", "usd_high", "unpriced_quantity")
    assert [rows[0][name] for name in names] == [PRICED_MODEL, 2700, 120, 0.004485, 0.00471, 0]
    assert rows[0]["carried_share"] == pytest.approx(750 / 3150)
    assert [rows[1][name] for name in names] == [UNPRICED_MODEL, 300, 0, None, None, 300]

    second_hour = View(seeded.from_ms + HOUR_MS, seeded.to_ms, seeded.chosen)
    assert answer(store, "Cost per session", second_hour).rows[0][table.columns.index("usd")] == 0.00099


def test_variables_offer_what_ran_in_the_time_range(store: "Store", seeded: View) -> None:
    assert seeded.chosen["app"] in answer(store, "$app", seeded).rows
    models = answer(store, "$model", seeded).rows
    assert {(PRICED_MODEL,), (UNPRICED_MODEL,)} <= set(models)
