"""How late an event loop runs: a timer of 250 ms, and by how much it came too late.

A loop that is blocked delivers frames late, which from outside looks like a slow server. There is one timer
a loop, running while a connection of it is watched. It is no task, keeps no loop from ending, and a block
that falls between two firings is seen from the moment the timer was due: figures are lower bounds.
"""

import asyncio
import os
from collections.abc import Callable
from contextvars import Context
from weakref import WeakValueDictionary

from livemeter.guard import guarded

INTERVAL_S = 0.25
"""Time between two measurements, in seconds: four wake-ups a second, and half a word of delay goes unseen."""

OnLag = Callable[[float], None]
"""Takes every lag that was measured, in seconds; called in the event loop's thread."""


class LoopLag:
    """The lag of every event loop that has connections. Safe from any thread: each touches its own loop's."""

    def __init__(self, on_lag: OnLag | None = None) -> None:
        self._on_lag = on_lag
        # Held by their meters. A watcher holds its loop, so that an id cannot pass to another one meanwhile.
        self._watchers: WeakValueDictionary[int, _Watcher] = WeakValueDictionary()

    def start(self) -> "LagMeter":
        """Measure the running loop on behalf of one connection.

        Raises:
            RuntimeError: no event loop is running.
        """
        loop = asyncio.get_running_loop()
        watcher = self._watchers.get(id(loop))
        if watcher is None or watcher.is_inherited:
            watcher = self._watchers[id(loop)] = _Watcher(loop, self._on_lag)
        return LagMeter(watcher)


class LagMeter:
    """The lag of a loop during the life of one connection."""

    def __init__(self, watcher: "_Watcher") -> None:
        self._watcher = watcher
        self._since = watcher.now()
        self._max_s: float | None = None
        watcher.join(self)

    @property
    def max_ms(self) -> float | None:
        """The longest lag so far in milliseconds; None when the connection was too short to measure any."""
        return self._max_s * 1000 if self._max_s is not None else None

    def measured(self, due: float, now: float) -> None:
        """Take a measurement: when the timer was due and when it came, in the loop's own seconds."""
        # What was late before the connection opened is not its own.
        self._max_s = max(now - max(due, self._since), self._max_s or 0.0)

    def stop(self) -> None:
        """End the measurement; the last one to do so ends the timer. Any further call does nothing."""
        self._watcher.leave(self)


class _Watcher:
    """The timer of one loop. Called from that loop's thread only."""

    def __init__(self, loop: asyncio.AbstractEventLoop, on_lag: OnLag | None) -> None:
        self._loop = loop
        self._on_lag = on_lag
        self._process = os.getpid()
        self._meters: set[LagMeter] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0

    @property
    def is_inherited(self) -> bool:
        """Whether this is a copy that a fork left in a child process."""
        return self._process != os.getpid()

    def now(self) -> float:
        return self._loop.time()

    def join(self, meter: LagMeter) -> None:
        self._meters.add(meter)
        if self._timer is None:
            self._schedule()

    def leave(self, meter: LagMeter) -> None:
        if meter not in self._meters:
            return
        self._meters.remove(meter)
        # What blocked the loop until now is known although the timer has had no turn yet.
        if self._timer is not None and self.now() > self._due:
            meter.measured(self._due, self.now())
        if self._timer is not None and not self._meters:
            self._timer.cancel()
            self._timer = None

    def _schedule(self) -> None:
        self._due = self.now() + INTERVAL_S
        # Without a context of its own the timer would keep, and report under, that of whoever came first.
        self._timer = self._loop.call_later(INTERVAL_S, self._fired, context=Context())

    def _fired(self) -> None:
        self._timer = None
        with guarded("measure the event loop's lag"):
            if self.is_inherited:
                return
            due, now = self._due, self.now()
            self._schedule()
            for meter in self._meters:
                meter.measured(due, now)
            if self._on_lag is not None:
                self._on_lag(max(0.0, now - due))
