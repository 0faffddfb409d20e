"""How long records are kept: a TTL on each table, changed where the table has another one.

Frames and foreign telemetry are many and soon of little use; what sessions cost is little and asked for after
years. The ledger has no age: it counts since a collector's journal began, and rows taken out of it would look
like records that were lost.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields

from livemeter_collector.store.contract import DATABASE, Store, StoreError

MAX_DAYS = 10_000
"""What a DateTime holds beyond the latest time that a TTL reckons with."""


@dataclass(frozen=True, slots=True)
class Retention:
    """Days that records are kept, by their own time; None keeps them for ever.

    They are gone at the latest a tenth of that later, and a day at least.
    """

    frames: int | None = 30
    """`frames`: nine rows in ten of a busy collector. What is told of old sessions needs none of them."""
    logs: int | None = 30
    """`logs`, the story of a session among them, and `rejects`."""
    traces: int | None = 30
    """`otel_traces`."""
    metrics: int | None = 90
    """`otel_metrics_*`: small, and read as trends over a quarter."""
    facts: int | None = None
    """Usage, turns, tool calls, connections, emitters and handles: a few rows a turn, and the accounts."""

    def __post_init__(self) -> None:
        """Refuse what is no age.

        Raises:
            ValueError: names the kind.
        """
        for field in fields(self):
            days: int | None = getattr(self, field.name)
            if days is not None and not 1 <= days <= MAX_DAYS:
                raise ValueError(f"{field.name}: keep them for 1 to {MAX_DAYS} days or for ever, not {days}")


@dataclass(frozen=True, slots=True)
class _Table:
    """A table that has an age."""

    name: str
    kind: str
    time: str
    """The expression that says when a row happened, as the engine writes it."""
    extra_days: int = 0


# Senders' clocks are not clamped in these. What lies beyond a DateTime's end would wrap around and be old;
# and a record without a time, which is 1970 here, would be gone as soon as it came: its age is not known.
_NEVER = "toDateTime64('2070-01-01 00:00:00', 9, 'UTC')"
_OWN_CLOCK = f"if({{0}} < toDateTime64('2000-01-01 00:00:00', 9, 'UTC'), {_NEVER}, least({{0}}, {_NEVER}))"
_METRICS = ("gauge", "sum", "histogram", "exponential_histogram", "summary")

_TABLES = (
    _Table("frames", "frames", "ts"),
    _Table("logs", "logs", _OWN_CLOCK.format("Timestamp")),
    _Table("rejects", "logs", "received_at"),
    _Table("otel_traces", "traces", _OWN_CLOCK.format("Timestamp")),
    *(_Table(f"otel_metrics_{kind}", "metrics", _OWN_CLOCK.format("TimeUnix")) for kind in _METRICS),
    _Table("usage", "facts", "ts"),
    _Table("turns", "facts", "ts"),
    _Table("tool_calls", "facts", "ts"),
    _Table("settled_sessions", "facts", "ended_at"),
    _Table("settled_turns", "facts", "started_at"),
    _Table("settled_usage", "facts", "hour"),
    _Table("connections", "facts", "last_event_at"),
    _Table("emitters", "facts", "last_event_at"),
    # A handle is older than the connection that it resumed, whose session it names: up to a day.
    _Table("handles", "facts", "at", extra_days=2),
)

_DAY_S = 86_400
_TTL = re.compile(r" TTL (.*?)(?: SETTINGS |$)", re.DOTALL)
_SETTING = re.compile(r"(\w+) = ('(?:[^'\\]|\\.)*'|[^,\s]+)")


def apply_retention(store: Store, retention: Retention) -> list[str]:
    """Give every table its age and return what was changed, a line each; nothing if nothing had to be.

    Asks once and changes nothing where nothing differs. Rows that are too old already go in the background.

    Raises:
        StoreError: a table is missing or cannot be changed; those before it are.
    """
    engines = _engines(store)
    done: list[str] = []
    for table in _TABLES:
        if table.name not in engines:
            raise StoreError(f"there is no table {table.name}: bring the database up to date first")
        days: int | None = getattr(retention, table.kind)
        for change in _changes(table, days, engines[table.name]):
            store.command(f"ALTER TABLE {DATABASE}.{table.name} {change}")
            done.append(f"{table.name}: {change}")
    return done


def _engines(store: Store) -> Mapping[str, str]:
    """Return each table's engine with its clauses, as the engine writes them, by the table's name."""
    found = store.query(
        "SELECT name, engine_full FROM system.tables WHERE database = {database:String}",
        {"database": DATABASE},
    )
    return {str(name): str(engine) for name, engine in found.rows}


def _changes(table: _Table, days: int | None, engine: str) -> Iterator[str]:
    """Yield what has to be altered; settings first, because a new TTL is at once carried out by them."""
    found = _TTL.search(engine)
    has = found.group(1) if found else None
    if days is None:
        if has is not None:
            yield "REMOVE TTL"
        return
    settings = dict(_SETTING.findall(engine))
    wrong = {name: value for name, value in _settings(days).items() if settings.get(name) != value}
    if wrong:
        yield "MODIFY SETTING " + ", ".join(f"{name} = {value}" for name, value in wrong.items())
    wanted = f"toDateTime({table.time}) + toIntervalDay({days + table.extra_days})"
    if has != wanted:
        yield f"MODIFY TTL {wanted}"


def _settings(days: int) -> Mapping[str, str]:
    # Partitions are months: dropping whole parts alone would keep rows up to a month too long, and one row
    # with a clock in the future would keep its part for good. So parts are written again without their old
    # rows, but no more often than what they are late by allows: that is most of what a TTL costs.
    return {"ttl_only_drop_parts": "0", "merge_with_ttl_timeout": str(max(1, days // 10) * _DAY_S)}
