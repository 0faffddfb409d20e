"""The questions about prices, and about the terms of a session's sum. Times come in UTC, money as Decimal."""

from dataclasses import dataclass

from livemeter_collector.query.questions import Queryable, ask
from livemeter_collector.store.contract import Table


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which prices, at a Unix time in seconds; an empty filter lets everything through."""

    at_s: int
    model: str = ""
    platform: str = ""
    tier: str = ""


def prices(store: Queryable, chosen: Chosen) -> Table:
    """Answer the prices in force then, and what was used that has none then: NULL in ``usd_per_mtok``."""
    return ask(
        store,
        "prices",
        {"at_s": chosen.at_s, "model": chosen.model, "platform": chosen.platform, "tier": chosen.tier},
    )


def terms(store: Queryable, session_id: str) -> Table:
    """Answer every term of a session's sum, in the order of their times."""
    return ask(store, "prices_explain", {"session": session_id})


def session_sum(store: Queryable, session_id: str) -> Table:
    """Answer a session's sum as ``live_sessions`` has it, in one row."""
    return ask(store, "prices_session", {"session": session_id})
