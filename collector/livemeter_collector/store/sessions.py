"""Keeping known which connection belongs to which session, across the processes that opened them.

A dictionary answers for every row that is read. On a server ClickHouse reloads it by its lifetime; the
embedded engine reloads nothing by itself.
"""

import asyncio
from typing import NoReturn

from livemeter_collector.store.contract import Store, StoreError

INTERVAL_S = 10.0
"""A look costs one SELECT over a few rows; the dictionary is read again only when something came."""

_CHANGED = (
    "SELECT count(), sum(rows), max(modification_time) FROM system.parts"
    " WHERE active AND database = 'livemeter' AND table IN ('handles', 'connections')"
)


async def keep_joined(store: Store, interval_s: float = INTERVAL_S) -> NoReturn:
    """Join sessions again and again, until cancelled. A store that is away now is asked again later."""
    known: object = None
    while True:
        try:
            known = await asyncio.to_thread(join_sessions, store, known)
        except StoreError:
            known = None
        await asyncio.sleep(interval_s)


def join_sessions(store: Store, known: object = None) -> object:
    """Read the dictionary again unless nothing changed since ``known``; return what is known now."""
    changed = store.query(_CHANGED).rows
    if changed != known:
        store.command("SYSTEM RELOAD DICTIONARY livemeter.session_root")
    return changed
