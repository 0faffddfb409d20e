"""The questions about where money would have gone. Times come in UTC, money as Decimal."""

from dataclasses import dataclass

from livemeter_collector.query.questions import Queryable, ask
from livemeter_collector.store.contract import Table


@dataclass(frozen=True, slots=True)
class Compression:
    """A context window compression: what a prompt must exceed and what stays of the context, in tokens."""

    trigger: int
    target: int


@dataclass(frozen=True, slots=True)
class Scope:
    """Which sessions; an empty filter lets everything through. ``since_ms`` is a Unix time."""

    since_ms: int = 0
    session: str = ""
    model: str = ""


def what_if(store: Queryable, compression: Compression, scope: Scope, limit: int) -> Table:
    """Answer what sessions cost and would have cost: all of them (``is_total``), then the dearest."""
    return ask(
        store,
        "what_if",
        {
            "trigger": compression.trigger,
            "target": compression.target,
            "since_ms": scope.since_ms,
            "session": scope.session,
            "model": scope.model,
            "limit": limit,
        },
    )
