"""Who emitted a record and which of its records it was, so that a reader sees what is missing.

The emitter numbers its records and an exporter watches the numbers pass (``livemeter.emit.loss``). The two
meet here by the emitter's id, because nothing else travels through an application's own provider.
"""

import itertools
import os
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable

from livemeter.vocabulary import DropReason

MAX_EMITTERS = 16
"""Emitters of one process that can be found. There is one, unless somebody instruments again and again."""

SHORTEST_ID = 8
"""Characters of an emitter's id that a length limit must leave for it to be known again."""

MAX_LENGTHS = 10_000
"""Records whose longest value is kept until an exporter says which length its provider allows."""


class Numbering:
    """One emitter's id and the numbers of its records, from 0. Safe from any thread."""

    def __init__(self, count_lost: Callable[[int, DropReason], None]) -> None:
        self.emitter_id = secrets.token_hex(16)
        self.count_lost = count_lost
        """Called with every loss as it becomes known: a metric."""
        self._numbers = itertools.count()
        self._length_limit: int | None = None
        self._limit_is_known = False
        self._lengths: OrderedDict[int, int] = OrderedDict()
        with _lock:
            _emitters[self.emitter_id] = self
            while len(_emitters) > MAX_EMITTERS:
                del _emitters[next(iter(_emitters))]

    def take(self, values: Iterable[object] = ()) -> int:
        """Return the next number, for a record with these attribute values."""
        number = next(self._numbers)
        if self._limit_is_known and self._length_limit is None:
            return number
        longest = max((len(value) for value in values if isinstance(value, str)), default=0)
        if longest > (self._length_limit or 0):
            self._lengths[number] = longest
            if len(self._lengths) > MAX_LENGTHS:
                self._keep_fewer()
        return number

    def allow(self, length_limit: int | None) -> None:
        """Learn how long the provider allows attribute values to be, in characters; None is no limit."""
        self._length_limit, self._limit_is_known = length_limit, True
        if length_limit is None:
            self._lengths.clear()

    def _keep_fewer(self) -> None:
        if self._limit_is_known:
            self._lengths.popitem(last=False)
        else:
            # Nobody watches.
            self.allow(None)

    def is_cut(self, number: int) -> bool:
        """Say whether a record had a value that is longer than the provider allows."""
        return self._length_limit is not None and self._lengths.get(number, 0) > self._length_limit


_lock = threading.Lock()
_emitters: dict[str, Numbering] = {}


def _after_fork() -> None:
    # Another thread of the parent may have held it.
    global _lock  # noqa: PLW0603 - one of the process
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def numbering_of(emitter_id: str) -> Numbering | None:
    """Return the numbering of an emitter of this process; the id may have been cut by a length limit."""
    known = _emitters.get(emitter_id)
    if known is None and len(emitter_id) >= SHORTEST_ID:
        alike = (one for name, one in [*_emitters.items()] if name.startswith(emitter_id))
        known = next(alike, None)
    return known
