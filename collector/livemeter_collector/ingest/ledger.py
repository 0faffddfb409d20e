"""Keeping the ledger: what was taken and what became of it, written beside what the engine counted itself."""

import asyncio
import contextlib
from datetime import UTC, datetime
from typing import NoReturn

from livemeter_collector.journal.journal import Journal
from livemeter_collector.store.contract import Signal, Store, StoreError
from livemeter_collector.store.ledger import DoorRow, write_door

INTERVAL_S = 10.0
"""One insert of three rows; the ledger is as old as that at most."""


def door_rows(journal: Journal) -> list[DoorRow]:
    """Return a row for each signal that ever took something; every row is of one moment."""
    return [row for signal in Signal if (row := _row(journal, signal)).accepted_requests]


async def keep_ledger(store: Store, journal: Journal, interval_s: float = INTERVAL_S) -> NoReturn:
    """Write the ledger again and again, until cancelled. A store that is away now is told later."""
    written: list[DoorRow] = []
    while True:
        rows = door_rows(journal)
        if not _same(rows, written):
            with contextlib.suppress(StoreError):
                await asyncio.to_thread(write_door, store, rows)
                written = rows
        await asyncio.sleep(interval_s)


def close_ledger(store: Store, journal: Journal) -> None:
    """Write the ledger for the last time; what cannot be written now is written by the next process."""
    with contextlib.suppress(StoreError):
        write_door(store, door_rows(journal))


def _row(journal: Journal, signal: Signal) -> DoorRow:
    done, held = journal.account(signal)
    accepted = done.accepted + held
    return DoorRow(
        datetime.now(UTC),
        journal.collector_id,
        signal,
        accepted.requests,
        accepted.records,
        accepted.bytes,
        done.set_aside.requests,
        done.set_aside.records,
        held.requests,
        held.records,
        held.bytes,
        done.through,
    )


def _same(rows: list[DoorRow], written: list[DoorRow]) -> bool:
    def figures(each: list[DoorRow]) -> list[tuple[object, ...]]:
        return [(row.signal, row.accepted_requests, row.journal_requests, row.done_through) for row in each]

    return figures(rows) == figures(written)
