"""Calling something when this process ends by itself, however it was started.

``atexit`` serves processes that the interpreter ends. Those that ``multiprocessing`` forks, by its start
methods ``fork`` and ``forkserver``, leave through ``os._exit``: before Python 3.13 without ``atexit``, since
then with a list of it that was emptied when they began. What they do in the end are the finalizers of
``multiprocessing.util``. Those are emptied as well when a process begins, and after that it calls what was
registered to be called after a fork. ``multiprocessing`` is not imported here: who has it, has imported it.
"""

import atexit
import os
import sys
from collections.abc import Callable
from typing import Any

from livemeter.guard import guarded

_LAST = -1000
"""Priority of the finalizer: after those of everybody else, who may have sessions to end."""


class ProcessEnd:
    """Calls ``function`` in the end, perhaps twice, of this process and of those forked from it."""

    def __init__(self, function: Callable[[], None]) -> None:
        self._function = function
        self._is_known_to_forks = False
        self._finalizer: Any = None
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._watch_children)

    def watch(self) -> None:
        """Call from now on, before what was registered with ``atexit`` earlier."""
        self.forget()
        atexit.register(self._function)
        self._watch_children()

    def forget(self) -> None:
        """Call no more."""
        atexit.unregister(self._function)
        if self._finalizer is not None:
            self._finalizer.cancel()
            self._finalizer = None

    def _watch_children(self) -> None:
        with guarded("take note of the end of the process"):
            util: Any = sys.modules.get("multiprocessing.util")
            if util is not None and not self._is_known_to_forks:
                self._is_known_to_forks = True
                util.register_after_fork(self, ProcessEnd._finalize)
            # A child that has begun before it had us.
            if util is not None and sys.modules["multiprocessing.process"].parent_process() is not None:
                self._finalize()

    def _finalize(self) -> None:
        util: Any = sys.modules["multiprocessing.util"]
        self._finalizer = util.Finalize(None, self._function, exitpriority=_LAST)
