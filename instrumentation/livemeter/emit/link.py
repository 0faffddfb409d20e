"""Whether the collector takes what we send, and how little is said when it does not.

The SDK's exporters and processors log every failed attempt. Inside ``with signal_link:`` what they log on
this thread is dropped, and the link itself says one line when the collector stops taking telemetry and one
when it is back. The application's own exporters share those loggers and stay as loud as they were.
"""

import logging
import threading
import time

REPEAT_AFTER_S = 60
"""A collector that comes and goes is not complained about more often than this."""

_PROCESSORS = "opentelemetry.sdk._shared_internal"

_logger = logging.getLogger("livemeter")
_thread = threading.local()


class CollectorLink:
    """The state of one collector, over all signals. Safe from any thread; a forked process begins anew."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.renew()

    def renew(self) -> None:
        """Know nothing of the collector."""
        self._lock = threading.Lock()
        self._failing: set[str] = set()
        self._complained = False
        self._silent_until = 0.0

    @property
    def is_up(self) -> bool:
        """Whether the last attempt of every signal succeeded."""
        return not self._failing

    def failed(self, signal: str, reason: str) -> None:
        """Take note of a failed attempt; ``reason`` is short and holds nothing of what was sent."""
        with self._lock:
            self._failing.add(signal)
            if self._complained or time.monotonic() < self._silent_until:
                return
            self._complained = True
            self._silent_until = time.monotonic() + REPEAT_AFTER_S
        _logger.warning(
            "the collector at %s does not take all telemetry (%s: %s); the newest is kept as far as the"
            " queues hold, and nothing more is said until it does",
            self._name,
            signal,
            reason,
        )

    def delivered(self, signal: str) -> None:
        """Take note of a successful attempt."""
        if signal not in self._failing:
            return
        with self._lock:
            self._failing.discard(signal)
            if self._failing or not self._complained:
                return
            self._complained = False
        _logger.info("the collector at %s takes telemetry again", self._name)


class SignalLink:
    """The link as one signal (``logs``, ``traces``, ``metrics``) uses it."""

    __slots__ = ("_link", "_signal")

    def __init__(self, link: CollectorLink, signal: str) -> None:
        self._link = link
        self._signal = signal

    def __enter__(self) -> None:
        _thread.link = self

    def __exit__(self, *exception: object) -> None:
        _thread.link = None

    def failed(self, reason: str) -> None:
        """Take note of a failed attempt."""
        self._link.failed(self._signal, reason)

    def told(self, *, delivered: bool) -> None:
        """Take note of what an exporter said of its attempt."""
        if delivered:
            self._link.delivered(self._signal)
        else:
            self.failed("not sent")


class _Silence(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        link: SignalLink | None = getattr(_thread, "link", None)
        if link is not None and record.name == _PROCESSORS and record.levelno >= logging.WARNING:
            link.failed("queue full")
        return link is None


_silence = _Silence()


def silence(*exporter_modules: str) -> None:
    """Drop what exporters and processors log inside ``with signal_link:``. Twice is the same as once."""
    for name in (*exporter_modules, _PROCESSORS):
        logger = logging.getLogger(name)
        if _silence not in logger.filters:
            # Before the SDK's own filter, which keeps repetitions from the filters after it.
            logger.filters.insert(0, _silence)
