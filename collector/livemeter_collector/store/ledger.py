"""The collector's half of the ledger: what it took, and what became of that, written where the engine counts.

The view ``ledger`` compares it with what the engine counted of the journal's inserts.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime

from livemeter_collector.store.contract import DATABASE, Scalar, Signal, Store

_TYPES = {"at": "DateTime64(3, 'UTC')", "collector_id": "String", "signal": "String"}


@dataclass(frozen=True, slots=True)
class DoorRow:
    """One signal of one collector at one moment; the figures are totals since its journal began.

    All of them, and ``done_through``, must be of the same moment.
    """

    at: datetime
    """Aware. Of two rows of a collector and signal the later one counts."""
    collector_id: str
    """The journal's id, as the inserts' origin has it."""
    signal: Signal
    accepted_requests: int
    accepted_records: int
    accepted_bytes: int
    set_aside_requests: int
    set_aside_records: int
    journal_requests: int
    """In the journal still: neither stored nor set aside."""
    journal_records: int
    journal_bytes: int
    done_through: int
    """Every segment up to this number is stored or set aside, none above it; 0 if there is none."""


_COLUMNS = tuple(field.name for field in fields(DoorRow))


def write_door(store: Store, rows: Sequence[DoorRow]) -> None:
    """Write rows with one insert; none is no insert.

    Raises:
        StoreError: nothing was written. The next rows say all that these would have.
    """
    if not rows:
        return
    values = " UNION ALL ".join(f"SELECT {_placeholders(number)}" for number in range(len(rows)))
    parameters = {
        f"{name}_{number}": _parameter(getattr(row, name))
        for number, row in enumerate(rows)
        for name in _COLUMNS
    }
    store.command(f"INSERT INTO {DATABASE}.ledger_door ({', '.join(_COLUMNS)}) {values}", parameters)


def _placeholders(number: int) -> str:
    return ", ".join(f"{{{name}_{number}:{_TYPES.get(name, 'UInt64')}}}" for name in _COLUMNS)


def _parameter(value: datetime | str | int) -> Scalar:
    # Unix time, because a text would be read in the session's time zone.
    return f"{value.timestamp():.3f}" if isinstance(value, datetime) else value
