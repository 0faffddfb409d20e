"""What was recorded in the days of a billing file, as SQL answers it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from importlib import resources

from livemeter_collector.query.questions import Queryable, Row, rows_of
from livemeter_collector.reconcile.billing import TIME_ZONE, Period
from livemeter_collector.store.contract import Parameters

# A moment that no record is before, and one that none is after, in milliseconds: 1970 and 2262.
_ALWAYS_MS, _NEVER_MS = 0, 9_214_646_400_000


@dataclass(frozen=True, slots=True)
class Usage:
    """Recorded usage of one day, model, kind and modality. Money is None where nothing of it has a price."""

    day: date
    platform: str
    model: str
    kind: str
    modality: str
    quantity: int
    usd: Decimal | None
    usd_low: Decimal | None
    usd_high: Decimal | None
    unpriced_quantity: int = 0
    discount_usd: Decimal | None = None
    """What cached tokens cost less than fresh ones would have."""
    derived_quantity: int = 0
    """Of it estimated, or split by measured audio."""
    derived_usd: Decimal | None = None
    outside_quantity: int = 0
    """Of it before the first or after the last hour of the file."""
    outside_usd: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Unseen:
    """Turns of one day and model with output and without usage; a price is of one token."""

    day: date
    platform: str
    model: str
    turns: int
    heard_ms: float | None
    said_ms: float | None
    input_usd: Decimal | None
    output_usd: Decimal | None


@dataclass(frozen=True, slots=True)
class Recorded:
    """Everything that a bill is compared with."""

    usage: Sequence[Usage] = ()
    unseen: Sequence[Unseen] = ()
    repeats_quantity: int = 0
    repeats_usd: Decimal | None = None
    sessions_begun_before: int = 0
    sessions_ended_after: int = 0
    labelled: Mapping[tuple[str, str], Decimal | None] | None = None


def recorded(
    store: Queryable,
    period: Period,
    label_keys: Sequence[str] = (),
    first_moment: datetime | None = None,
    last_moment: datetime | None = None,
) -> Recorded:
    """Ask what was recorded in a period.

    Args:
        store: where it is.
        period: the days of the file.
        label_keys: labels of the setup that are asked about.
        first_moment: the first one that the file covers, if it tells hours.
        last_moment: the one after the last.
    """
    times: Parameters = {"start_ms": _ms(period.start), "end_ms": _ms(period.end)}
    day: Parameters = {**times, "time_zone": TIME_ZONE}
    hours: Parameters = {
        "from_ms": _ms(first_moment) if first_moment else _ALWAYS_MS,
        "to_ms": _ms(last_moment) if last_moment else _NEVER_MS,
    }
    repeats = _ask(store, "repeats", times)[0]
    sessions = _ask(store, "straddling", times)[0]
    labels = _ask(store, "labels", {**times, "keys": list(label_keys)}) if label_keys else []
    return Recorded(
        [_usage(row) for row in _ask(store, "usage", {**day, **hours})],
        [_unseen(row) for row in _ask(store, "unseen", day)],
        _whole(repeats["quantity"]),
        _money(repeats["usd"]),
        _whole(sessions["begun_before"]),
        _whole(sessions["ended_after"]),
        {(str(row["key"]), str(row["value"])): _money(row["usd"]) for row in labels},
    )


def _ask(store: Queryable, name: str, parameters: Parameters) -> list[Row]:
    sql = resources.files(__package__ or "").joinpath("queries", f"{name}.sql").read_text("utf-8")
    return rows_of(store.query(sql, parameters))


def _usage(row: Row) -> Usage:
    return Usage(
        date.fromisoformat(str(row["day"])),
        str(row["platform"]),
        str(row["model"]),
        str(row["kind"]),
        str(row["modality"]),
        _whole(row["quantity"]),
        _money(row["usd"]),
        _money(row["usd_low"]),
        _money(row["usd_high"]),
        _whole(row["unpriced_quantity"]),
        _money(row["discount_usd"]),
        _whole(row["derived_quantity"]),
        _money(row["derived_usd"]),
        _whole(row["outside_quantity"]),
        _money(row["outside_usd"]),
    )


def _unseen(row: Row) -> Unseen:
    return Unseen(
        date.fromisoformat(str(row["day"])),
        str(row["platform"]),
        str(row["model"]),
        _whole(row["turns"]),
        _figure(row["heard_ms"]),
        _figure(row["said_ms"]),
        _money(row["input_usd"]),
        _money(row["output_usd"]),
    )


def _whole(value: object) -> int:
    return int(str(value)) if value is not None else 0


def _figure(value: object) -> float | None:
    return None if value is None else float(str(value))


def _money(value: object) -> Decimal | None:
    return value if isinstance(value, Decimal) else None


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
