"""Round trips of WebSocket pings, seen where ``websockets`` sends its own; none is sent by us.

The keepalive task of a connection calls ``connection.ping()`` and waits for the future that it returns. An
attribute of that one object sees both; the future itself knows the round trip (15.0 to 17.4).
"""

import asyncio
import statistics
from collections import deque
from dataclasses import dataclass
from typing import Any

from livemeter.guard import guarded

MAX_ROUND_TRIPS = 1024
"""Round trips that the median is made of, the latest ones: at the library's 20 s they span five hours."""


@dataclass(frozen=True, slots=True)
class PingSettings:
    """How often a library pings and how long it waits for the pong, in seconds. 0: never, None: not known."""

    interval_s: float | None
    timeout_s: float | None


def read_ping_settings(connection: Any) -> PingSettings:
    """Read the settings in effect from an open ``websockets`` connection."""
    return PingSettings(_setting(connection, "ping_interval"), _setting(connection, "ping_timeout"))


class PingWatch:
    """One connection's pings. Called from that connection's event loop only."""

    def __init__(self) -> None:
        self.sent = 0
        self._missed = 0
        self._max_s: float | None = None
        self._round_trips_s: deque[float] = deque(maxlen=MAX_ROUND_TRIPS)
        self._waiting: asyncio.Future[Any] | None = None
        self._connection: Any = None
        self._observed_ping: Any = None

    def attach(self, connection: Any) -> None:
        """Watch every ping of a connection from now on. What ``ping`` does and returns stays as it is."""
        ping = connection.ping

        async def observed_ping(*args: Any, **kwargs: Any) -> Any:
            waiting = await ping(*args, **kwargs)
            with guarded("observe a ping"):
                self._left(waiting)
            return waiting

        connection.ping = observed_ping
        self._connection, self._observed_ping = connection, observed_ping

    def detach(self) -> None:
        """Leave the connection as it was found. What a stranger laid over ours stays, and reaches us."""
        connection: Any = self._connection
        if connection is not None and connection.ping is self._observed_ping:
            del connection.ping
        self._connection = self._observed_ping = None

    @property
    def missed(self) -> int:
        """Pings without a pong before the next ping, or before now: this is asked once the socket is gone."""
        return self._missed + (self._waiting is not None and _round_trip_s(self._waiting) is None)

    @property
    def median_ms(self) -> float | None:
        """The median round trip in milliseconds; None before the first pong."""
        self._settle_answered()
        return statistics.median(self._round_trips_s) * 1000 if self._round_trips_s else None

    @property
    def max_ms(self) -> float | None:
        """The longest round trip in milliseconds; None before the first pong."""
        self._settle_answered()
        return self._max_s * 1000 if self._max_s is not None else None

    def _left(self, waiting: asyncio.Future[Any]) -> None:
        self._settle_answered()
        # A pong that comes after the next ping has left may answer either: it is no round trip.
        self._missed += self._waiting is not None
        self._waiting = waiting
        self.sent += 1

    def _settle_answered(self) -> None:
        round_trip_s = _round_trip_s(self._waiting) if self._waiting is not None else None
        if round_trip_s is not None:
            self._waiting = None
            self._round_trips_s.append(round_trip_s)
            self._max_s = max(round_trip_s, self._max_s or 0.0)


def _round_trip_s(waiting: asyncio.Future[Any]) -> float | None:
    # Given up by the keepalive it is cancelled, and a connection that is lost puts an exception into it.
    if not waiting.done() or waiting.cancelled() or waiting.exception() is not None:
        return None
    return float(waiting.result())


def _setting(connection: Any, name: str) -> float | None:
    value = getattr(connection, name, "")
    return 0.0 if value is None else float(value) if isinstance(value, int | float) else None
