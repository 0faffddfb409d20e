"""The one guard around telemetry: an error of ours is reported once and never reaches the application.

``guarded`` is for whole blocks; ``report`` is for hot paths that have an ``except`` of their own. In tests
(``strict``, ``LIVEMETER_STRICT=1``) errors are raised instead. Cancellation, KeyboardInterrupt and every
other BaseException that is no Exception always pass.
"""

import functools
import logging
import os
from pathlib import Path
from types import TracebackType

MAX_REPORTED = 100
"""Distinct errors that are reported in a process's life; an endless variety is not worth a log."""

_logger = logging.getLogger("livemeter")
_reported: set[tuple[str, str]] = set()
_strict = os.environ.get("LIVEMETER_STRICT") == "1"


def strict(on: bool) -> None:
    """Raise telemetry's errors instead of reporting them, or go back to reporting."""
    global _strict  # noqa: PLW0603 - a switch of the process, like the log it replaces
    _strict = on


class Guard:
    """Context manager without state, so that one instance serves every thread and task at once."""

    __slots__ = ("_what",)

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if _strict or not isinstance(error, Exception):
            return False
        report(self._what, error)
        return True


@functools.lru_cache(maxsize=MAX_REPORTED)
def guarded(what: str) -> Guard:
    """Return the guard for a block of telemetry; ``what`` completes "Livemeter could not ...".

    Cached: a block is entered for every frame.
    """
    return Guard(what)


def report(what: str, error: Exception) -> None:
    """Log an error of telemetry: one line as a warning, once per block and place, the traceback at DEBUG.

    Raises:
        Exception: ``error`` itself, under ``strict``.
    """
    if _strict:
        raise error
    try:
        place = _place(error)
        if (what, place) in _reported or len(_reported) >= MAX_REPORTED:
            return
        _reported.add((what, place))
        # The message of the error stays at DEBUG: it may quote what it failed on.
        _logger.warning(
            "Livemeter could not %s (%s at %s); the application is not affected",
            what,
            type(error).__name__,
            place,
        )
        _logger.debug("Livemeter could not %s", what, exc_info=error)
    except Exception:  # noqa: BLE001, S110 - a log handler of the application's failed while we told of a failure
        pass


def _place(error: Exception) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else "unknown place"
