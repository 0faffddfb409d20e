"""Whether what is remembered (``settle``) agrees with the facts that it was made of.

A session's row, a connection's turns and its hourly usage are compared by count and hash, which SQL computes,
in pieces of connections. What is unsettled is computed from the facts whenever it is asked for, and cannot
differ. Money is computed when read and no part of this.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from livemeter_collector.store.settle import Piece
from livemeter_collector.store.upkeep import Readable, answer, statement

PIECE = 4000
"""Connections at a time."""

EXAMPLES = 5
"""How many differences of each kind are looked at closely, and told."""

# As parameters they travel in a URL.
_KEYS_AT_ONCE = 100

Values = dict[str, object]
Report = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that is remembered otherwise than the facts say it."""

    id: str
    """A session's id for sessions, else a connection's."""
    recorded: int
    """Rows by the facts."""
    remembered: int
    details: Sequence[Values] = ()
    """What of it differs, with ``recorded`` and ``remembered`` values."""


@dataclass(slots=True)
class Compared:
    """What was found of one kind."""

    rows: int = 0
    """Rows that the facts make, and that could be compared."""
    differ: int = 0
    """Sessions, or connections, that are remembered otherwise."""
    examples: list[Difference] = field(default_factory=list["Difference"])


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check found."""

    sessions: Compared
    turns: Compared
    usage: Compared

    @property
    def agrees(self) -> bool:
        """Whether nothing differs."""
        return not (self.sessions.differ or self.turns.differ or self.usage.differ)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A dictionary; without a time and elements while nobody asked it since the engine started."""

    name: str
    at: datetime | None
    elements: int | None


@dataclass(frozen=True, slots=True)
class State:
    """The age of what is remembered."""

    settled_upto: datetime | None
    """What arrived before is remembered; None when nothing was settled yet."""
    unsettled_sessions: int
    remembered_sessions: int
    remembered_turns: int
    dictionaries: Sequence[Loaded]


@dataclass(frozen=True, slots=True)
class _Row:
    """One answer of check_sessions, check_turns or check_usage."""

    key: str
    connection: str
    recorded: int
    remembered: int
    recorded_hash: str
    remembered_hash: str
    counted: int

    @property
    def differs(self) -> bool:
        return (self.recorded, self.recorded_hash) != (self.remembered, self.remembered_hash)


def check(
    store: Readable,
    since_ms: int = 0,
    report: Report = lambda _done, _of: None,
    piece: int = PIECE,
) -> Checked:
    """Compare what is remembered with the facts.

    Args:
        store: what holds both.
        since_ms: a Unix time; pieces in which nothing was said since are left out.
        report: called with how many pieces are done, of how many.
        piece: connections at a time, which bounds memory.

    Raises:
        StoreError: it cannot be read.
    """
    kinds = {name: _Kind(store, name) for name in ("sessions", "turns", "usage")}
    pieces = _pieces(store, since_ms, piece)
    for number, part in enumerate(pieces):
        report(number, len(pieces))
        unsettled = {str(row[0]) for row in answer(store, "check_unsettled", {}, _bounds(part))}
        for kind in kinds.values():
            kind.look(part, unsettled)
    report(len(pieces), len(pieces))
    return Checked(**{name: kind.found for name, kind in kinds.items()})


def state(store: Readable) -> State:
    """Return how old what is remembered is, and the dictionaries that views look into.

    Raises:
        StoreError: it cannot be read.
    """
    upto, unsettled, sessions, turns, dictionaries = store.query(statement("check_state")).rows[0]
    loaded = (
        Loaded(name, at, elements if at else None)
        for name, at, elements in cast("Sequence[tuple[str, datetime | None, int]]", dictionaries)
    )
    return State(
        settled_upto=cast("datetime | None", upto),
        unsettled_sessions=int(str(unsettled)),
        remembered_sessions=int(str(sessions)),
        remembered_turns=int(str(turns)),
        dictionaries=tuple(loaded),
    )


class _Kind:
    """Compares one kind, piece by piece."""

    def __init__(self, store: Readable, name: str) -> None:
        self._store = store
        self._name = name
        self._seen: set[str] = set()
        self.found = Compared()

    def look(self, piece: Piece, unsettled: set[str]) -> None:
        """Compare what is settled of a piece."""
        rows = [row for row in self._rows(piece) if row.key not in unsettled]
        self.found.rows += sum(row.counted for row in rows if not row.differs)
        # A session that reaches over the edge of a piece is met again.
        different = (row for row in rows if row.differs and row.key not in self._seen)
        for row in self._settled(sorted(different, key=lambda row: row.key)):
            if len(self.found.examples) < EXAMPLES:
                self._look_closely(row)
            else:
                self._count(row)

    def _rows(self, piece: Piece) -> list[_Row]:
        bounds = {"start": piece.start, "end": piece.end}
        comment = f"settle=all {_bounds(piece)}"
        return [_row(values) for values in answer(self._store, f"check_{self._name}", bounds, comment)]

    def _settled(self, rows: Sequence[_Row]) -> Iterator[_Row]:
        """Yield those that are read from memory: something may have come elsewhere, or just now."""
        for start in range(0, len(rows), _KEYS_AT_ONCE):
            some = rows[start : start + _KEYS_AT_ONCE]
            keys = [row.key for row in some]
            pending = {
                str(row[0]) for row in self._store.query(statement("check_pending"), {"keys": keys}).rows
            }
            yield from (row for row in some if row.key not in pending)

    def _look_closely(self, row: _Row) -> None:
        """Compare once more, by its own connections alone: both sides may have changed in between."""
        alone = _alone(row.connection)
        again = [each for each in self._rows(alone) if each.key == row.key and each.differs]
        for each in self._settled(again):
            self._count(each)
            details = _DETAILS[self._name](self._store, alone, each.key)
            self.found.examples.append(Difference(each.key, each.recorded, each.remembered, details))

    def _count(self, row: _Row) -> None:
        self._seen.add(row.key)
        self.found.rows += row.recorded
        self.found.differ += 1


def _row(values: Sequence[Any]) -> _Row:
    key, connection, recorded, remembered, recorded_hash, remembered_hash, counted = values
    return _Row(key, connection, int(recorded), int(remembered), recorded_hash, remembered_hash, int(counted))


def _pieces(store: Readable, since_ms: int, piece: int) -> list[Piece]:
    answered = answer(store, "check_pieces", {"since_ms": since_ms, "piece": piece}, "")
    # The first and the last have no bound: what is remembered may be of no connection that there is.
    starts = ["", *(str(start) for start, _ in answered[1:])]
    recent = [bool(is_recent) for _, is_recent in answered] or [not since_ms]
    parts = [Piece(start, end) for start, end in zip(starts, [*starts[1:], ""], strict=True)]
    return [part for part, is_recent in zip(parts, recent, strict=True) if is_recent]


def _alone(connection: str) -> Piece:
    """Return the piece of this connection and no other; its session's others are looked at with it."""
    after = int(connection, 16) + 1
    return Piece(connection, f"{after:032x}" if after < 1 << 128 else "")


def _bounds(piece: Piece) -> str:
    return f"settle_from={piece.start} settle_to={piece.end}"


def _session_columns(store: Readable, piece: Piece, key: str) -> Sequence[Values]:
    """Return the columns that differ, where there is one row on each side."""
    comment = f"settle=all {_bounds(piece)}"
    sides: dict[bool, Values] = {
        bool(is_remembered): json.loads(columns)
        for is_remembered, columns in answer(store, "check_session_columns", {"key": key}, comment)
    }
    recorded, remembered = sides.get(False, {}), sides.get(True, {})
    return [
        {"column": name, "recorded": recorded[name], "remembered": remembered[name]}
        for name in recorded
        if name in remembered and recorded[name] != remembered[name]
    ]


def _usage_hours(store: Readable, piece: Piece, key: str) -> Sequence[Values]:
    rows = answer(store, "check_usage_hours", {"key": key}, f"settle=all {_bounds(piece)}")
    names = ("hour", "model", "platform", "tier", "kind", "modality")
    quantities = ("quantity", "fresh", "carried")
    return [
        {
            **dict(zip(names, values, strict=True)),
            "recorded": dict(zip(quantities, recorded, strict=True)),
            "remembered": dict(zip(quantities, remembered, strict=True)),
        }
        for *values, recorded, remembered in rows
    ]


_DETAILS: dict[str, Callable[[Readable, Piece, str], Sequence[Values]]] = {
    "sessions": _session_columns,
    "turns": lambda _store, _piece, _key: (),
    "usage": _usage_hours,
}
