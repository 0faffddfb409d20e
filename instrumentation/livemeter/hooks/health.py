"""How a connection fares, told without sending anything: pings of its own library, lag of its own loop."""

from typing import Any

from livemeter.guard import guarded
from livemeter.hooks.loop_lag import LagMeter, LoopLag
from livemeter.hooks.pings import PingWatch
from livemeter.observer.facts import Health


class ConnectionHealth:
    """One connection's health, from its opening to its end. Called from its event loop only.

    Args:
        loop_lag: what watches the loops; None leaves the lag unknown.
        pings: whether pings are watched.
    """

    def __init__(self, loop_lag: LoopLag | None = None, *, pings: bool = True) -> None:
        self._loop_lag = loop_lag
        self._wants_pings = pings
        self._pings: PingWatch | None = None
        self._lag: LagMeter | None = None

    def attach(self, connection: Any) -> None:
        """Begin with an open ``websockets`` connection of the running loop."""
        with guarded("watch the event loop"):
            self._lag = self._loop_lag.start() if self._loop_lag is not None else None
        with guarded("watch pings"):
            if self._wants_pings:
                pings = PingWatch()
                pings.attach(connection)
                self._pings = pings

    def facts(self) -> Health:
        """End the watch and return what is known. A ping that is still under way counts as missed."""
        pings = self._pings
        if self._lag is not None:
            self._lag.stop()
        if pings is not None:
            pings.detach()
        return Health(
            pings_sent=pings.sent if pings else None,
            pings_missed=pings.missed if pings else None,
            ping_p50_ms=pings.median_ms if pings else None,
            ping_max_ms=pings.max_ms if pings else None,
            loop_lag_max_ms=self._lag.max_ms if self._lag else None,
        )
