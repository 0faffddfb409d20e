"""What the views say of sessions, as plain rows; and what the oracle says, in the same shape."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from livemeter_collector.store.contract import Store
from tests.accounting.rules import Account, Row, added

Found = dict[str, list[tuple[object, ...]]]
"""A view's rows by session, sorted."""

USAGE = (
    "connection_id, toUnixTimestamp64Milli(ts), turn, pass, kind, modality, quantity, unit, billable, fresh,"
    " carried, source, tier, coalesce(previous_prompt, -1), first_after_resume"
)
COSTS = (
    "connection_id, toUnixTimestamp64Milli(ts), turn, pass, kind, modality, quantity, unit, billable, fresh,"
    " carried, source, tier, direction, usd, usd_low, usd_high, carried_usd, price_usd_per_mtok"
)
LINES = "direction, modality, unit, quantity, carried, usd, usd_low, usd_high, unpriced_quantity"
TURNS = (
    "connection_id, turn, has_output, interrupted, end_reason, has_usage, input_tokens, output_tokens,"
    " cost_usd, unpriced_quantity"
)
SESSIONS = (
    "model, platform, toUnixTimestamp64Milli(started_at), status, connections, reconnects, turns, tool_calls,"
    " interruptions, go_aways, input_tokens, output_tokens, cost_usd, cost_low_usd, cost_high_usd,"
    " carried_cost_usd, unpriced_quantity, usage_coverage, context_lost"
)
HOURS = (
    "toUnixTimestamp(hour), kind, modality, tier, direction, unit, quantity, fresh, carried, usd, usd_low,"
    " usd_high, carried_usd"
)
HOURLY = "live_costs_hourly"
SETTLED = ("live_session_costs", "live_turns", "live_sessions")
"""Views that answer from memory where they can."""
VIEWS = {
    "live_usage": USAGE,
    "live_costs": COSTS,
    "live_session_costs": LINES,
    "live_turns": TURNS,
    "live_sessions": SESSIONS,
}


def stored(
    store: Store, tag: str, views: Iterable[str] = VIEWS, *, facts_alone: bool = False
) -> dict[str, Found]:
    """Return what views say of the sessions, and of the models, whose names begin with the tag.

    ``facts_alone``: without what was settled of them.
    """
    comment = "settle=all" if facts_alone else ""
    found = {
        view: _found(
            store, f"session_id, '', {VIEWS[view]} FROM livemeter.{view}", "session_id", tag, comment
        )
        for view in views
    }
    hours = f"model, platform, {HOURS} FROM livemeter.{HOURLY}"
    return {**found, HOURLY: _found(store, hours, "model", tag, comment)}


def _found(store: Store, columns: str, key: str, tag: str, comment: str) -> Found:
    where = f"startsWith({key}, {{tag:String}}) SETTINGS log_comment = '{comment}'"
    table = store.query(f"SELECT {columns} WHERE {where}", {"tag": tag})
    return grouped((f"{first}{second}", tuple(row)) for first, second, *row in table.rows)


def grouped(rows: Iterable[tuple[str, tuple[object, ...]]]) -> Found:
    found: Found = defaultdict(list)
    for key, row in rows:
        found[key].append(row)
    return {key: sorted(rows_of_one, key=_in_order) for key, rows_of_one in found.items()}


def _in_order(row: tuple[object, ...]) -> list[str]:
    # Not by money, which may have zeros at its end: what else a row has tells it apart.
    told = [int(value) if isinstance(value, bool) else value for value in row]
    return [f"{value!s:>20}" for value in told if not isinstance(value, Decimal)]


def expected(accounts: Mapping[str, Account]) -> dict[str, Found]:
    """Return what the views must say."""
    rows = [(session, row) for session, account in accounts.items() for row in account.rows]
    return {
        "live_usage": grouped((session, usage_row(row)) for session, row in rows),
        "live_costs": grouped((session, cost_row(row)) for session, row in rows if row.billable),
        "live_session_costs": grouped(
            (session, (*key, *_values(line)))
            for session, account in accounts.items()
            for key, line in account.lines.items()
        ),
        "live_turns": grouped(
            (session, _values(turn)) for session, account in accounts.items() for turn in account.turns
        ),
        "live_sessions": grouped((session, _values(account.totals)) for session, account in accounts.items()),
        HOURLY: _by_hour([row for account in accounts.values() for row in account.rows]),
    }


def _by_hour(rows: Iterable[Row]) -> Found:
    groups: dict[tuple[str, tuple[object, ...]], list[Row]] = defaultdict(list)
    for row in rows:
        if row.billable:
            unit = "query" if row.kind == "grounding" else "token"
            direction = "input" if row.is_input else "output"
            hour_s = row.at_ms // 3_600_000 * 3600
            key = (hour_s, row.kind, row.modality, row.tier, direction, unit)
            groups[f"{row.model}{row.platform}", key].append(row)
    return grouped((model, (*key, *_summed(those))) for (model, key), those in groups.items())


def _summed(rows: Sequence[Row]) -> tuple[object, ...]:
    quantity, carried = sum(row.quantity for row in rows), sum(row.carried for row in rows)
    usd = [added(row.usd(which) for row in rows) for which in range(3)]
    return (quantity, quantity - carried, carried, *usd, added(row.carried_usd for row in rows))


def usage_row(row: Row) -> tuple[object, ...]:
    previous = -1 if row.previous_prompt is None else row.previous_prompt
    # What a turn costs beside its passes tells nothing of a prompt.
    told = (previous, row.first_after_resume) if row.number else (-1, False)
    return (*_used(row), *told)


def cost_row(row: Row) -> tuple[object, ...]:
    price = None if row.each is None else row.each[0].scaleb(6)
    usd = (row.usd(), row.usd(1), row.usd(2), row.carried_usd)
    return (*_used(row), "input" if row.is_input else "output", *usd, price)


def _used(row: Row) -> tuple[object, ...]:
    unit = "query" if row.kind == "grounding" else "token"
    where = (row.connection_id, row.at_ms, row.turn, row.number, row.kind, row.modality)
    fresh = row.quantity - row.carried
    return (*where, row.quantity, unit, row.billable, fresh, row.carried, row.source, row.tier)


def _values(figures: object) -> tuple[object, ...]:
    return tuple(getattr(figures, name) for name in figures.__dataclass_fields__)  # type: ignore[attr-defined]
