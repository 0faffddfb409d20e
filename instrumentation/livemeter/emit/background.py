"""A thread made beforehand that runs a call while its caller waits, but only so long.

Waiting with a limit needs a thread, and from Python 3.12 on none can be started while the process exits.
"""

import os
import queue
import threading
import weakref
from collections.abc import Callable

from livemeter.guard import guarded

MAX_WAITING = 16
"""Calls that may wait behind one that hangs; who flushes every second must not fill the memory meanwhile."""

_Job = tuple[Callable[[], None], threading.Event]


class BackgroundCaller:
    """One daemon thread, started again in a forked child."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._start()
        start = weakref.WeakMethod(self._start)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=lambda: (call := start()) and call())

    def _start(self) -> None:
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        threading.Thread(target=_work, args=(self._jobs,), name=self._name, daemon=True).start()

    def call(self, function: Callable[[], None], timeout_ms: float) -> bool:
        """Run ``function`` after what was called before, and say whether it was done in time.

        A call that took too long goes on by itself; an error in it is reported by the guard. When too many
        wait already it is not run.
        """
        if self._jobs.qsize() >= MAX_WAITING:
            return False
        done = threading.Event()
        self._jobs.put((function, done))
        return done.wait(timeout_ms / 1000)

    def close(self) -> None:
        """End the thread once it has run what was called; nothing can be called afterwards."""
        self._jobs.put(None)


def _work(jobs: "queue.SimpleQueue[_Job | None]") -> None:
    for function, done in iter(jobs.get, None):
        with guarded("finish an export"):
            function()
        done.set()
