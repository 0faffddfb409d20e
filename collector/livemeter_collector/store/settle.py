"""Settling sessions: what they came to is computed once, when nothing more comes, and kept beside the facts.

The settled_* tables are a memory, not a source: a row is read only while nothing has arrived for its session
since it was computed, everything else is computed from the facts as it is asked for (``sql/views``). So they
may be emptied at any time, and what is asked is answered alike, but slower.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn

from livemeter_collector.store.contract import DATABASE, Store, StoreError
from livemeter_collector.store.upkeep import answer, statement

INTERVAL_S = 60.0
"""How often the collector settles what came; meanwhile it is computed by whoever asks."""

MARGIN_S = 120.0
"""What arrived later is settled again the next time: an insert is seen some time after it took the time."""

TABLES = ("settled_sessions", "settled_turns", "settled_usage")
"""The tables that ``rebuild`` makes anew."""

_LOG = logging.getLogger("livemeter.collector")
_PIECE = 4000
_STEPS = ("settle_turns", "settle_usage", "settle_sessions", "settle_gone_sessions")

Report = Callable[[int, int], None]

SETTLING = threading.Lock()
"""Held while this process settles: else one could say that it is done while another empties the tables."""


def _say_nothing(done: int, of: int) -> None:
    """Stand in where nobody watches."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Connections from an id on, up to another one; ids are 32 hex digits, '' has no bound."""

    start: str
    end: str


async def keep_settled(store: Store, interval_s: float = INTERVAL_S) -> NoReturn:
    """Settle again and again, until cancelled. A store that is away now is asked again later."""
    trouble = ""
    while True:
        await asyncio.sleep(interval_s)
        try:
            await asyncio.to_thread(settle, store)
            trouble = ""
        except StoreError as error:
            if not trouble:
                _LOG.warning("sessions are not settled, and questions about them take longer: %s", error)
            trouble = str(error)


def settle(
    store: Store, margin_s: float = MARGIN_S, report: Report = _say_nothing, piece: int = _PIECE
) -> int:
    """Settle all sessions of which something came, and return in how many pieces; 0 if nothing had to be.

    Args:
        store: what holds the facts.
        margin_s: what arrived within it is looked at again the next time.
        report: called with how many pieces are done, of how many.
        piece: connections at a time, which bounds memory.

    Raises:
        StoreError: what was not settled is computed when asked for, as before.
    """
    with SETTLING:
        return _settle(store, "", margin_s, report, piece)


def rebuild(
    store: Store, margin_s: float = MARGIN_S, report: Report = _say_nothing, piece: int = _PIECE
) -> int:
    """Forget what was settled and settle everything from the facts; see ``settle``."""
    with SETTLING:
        # The watermark first: from then on nothing settled is read.
        for table in ("settlements", *TABLES):
            store.command(f"TRUNCATE TABLE {DATABASE}.{table}")
        return _settle(store, "settle=all", margin_s, report, piece)


def _settle(store: Store, scope: str, margin_s: float, report: Report, piece: int) -> int:
    began_ms, had_settled = _now_ms(store), _had_settled(store)
    store.command(statement("settle_moved"))
    if not scope and not _something_came(store):
        return 0
    pieces = _pieces(store, scope, piece)
    for number, part in enumerate(pieces):
        report(number, len(pieces))
        origin = f"{scope} settle_from={part.start} settle_to={part.end}".strip()
        at_ms = _now_ms(store)
        for name in _STEPS:
            store.command(f"{statement(name)} SETTINGS log_comment = '{origin}'", {"at_ms": at_ms})
    report(len(pieces), len(pieces))
    # Unless another process makes everything anew meanwhile: what it has not come to yet is not there.
    store.command(
        f"INSERT INTO {DATABASE}.settlements SELECT fromUnixTimestamp64Milli({{upto_ms:Int64}}), now64(3)"  # noqa: S608 - our own name
        f" WHERE NOT {{had_settled:Bool}} OR (SELECT count() FROM {DATABASE}.settlements) > 0",
        {"upto_ms": began_ms - round(margin_s * 1000), "had_settled": had_settled},
    )
    return len(pieces)


def _had_settled(store: Store) -> bool:
    return bool(store.query(f"SELECT 1 FROM {DATABASE}.settlements LIMIT 1").rows)  # noqa: S608 - our own name


def _something_came(store: Store) -> bool:
    return bool(store.query("SELECT 1 FROM livemeter.touched_connections LIMIT 1").rows)


def _pieces(store: Store, scope: str, piece: int) -> Sequence[Piece]:
    bounds = [str(row[0]) for row in answer(store, "settle_steps", {"piece": piece}, scope)]
    return [Piece(start, end) for start, end in zip(["", *bounds], [*bounds, ""], strict=True)]


def _now_ms(store: Store) -> int:
    return int(str(store.query("SELECT toUnixTimestamp64Milli(now64(3))").rows[0][0]))
