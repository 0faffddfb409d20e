"""Bounding in time what cannot be bounded from inside, such as looking up a host."""

import queue
import threading
from collections.abc import Callable
from typing import TypeVar

from livemeter.guard import guarded

_Result = TypeVar("_Result")

GRACE_S = 0.5
"""Beyond its own time-out a probe gets this to say itself what it waited for."""


def within(timeout_s: float, what: str, probe: Callable[[], _Result]) -> _Result | None:
    """Run a probe in a daemon thread and return what it found; None when the guard had to report its error.

    Args:
        timeout_s: how long to wait for it, in seconds; a probe that takes longer is left behind.
        what: completes "Livemeter could not ...".
        probe: what to run.

    Raises:
        TimeoutError: it took longer.
    """
    found: queue.SimpleQueue[_Result | None] = queue.SimpleQueue()

    def run() -> None:
        result = None
        try:
            with guarded(what):
                result = probe()
        finally:
            found.put(result)

    threading.Thread(target=run, name="livemeter-doctor", daemon=True).start()
    try:
        return found.get(timeout=timeout_s)
    except queue.Empty:
        raise TimeoutError from None
