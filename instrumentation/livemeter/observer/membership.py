"""Whose connection it is: the session that it joins, and its place among that session's connections.

The session is known when the setup frame passes: by the application's word, else by the resumption handle,
else it is this connection's own. Until then a connection has a state of its own, which no other will find.
"""

from livemeter.observer.clock import Instant, ms_between
from livemeter.observer.facts import Identity, Setup
from livemeter.observer.sessions import SessionDirectory, SessionState


class Membership:
    """One connection's place in a session."""

    def __init__(
        self, connection_id: str, directory: SessionDirectory, dialled: Instant, word: Identity | None
    ) -> None:
        self._connection_id = connection_id
        self._directory = directory
        self._dialled = dialled
        self._word = word or Identity("")
        self.has_joined = False
        self.state = self._named(SessionState(self._own_session_id))
        self.attempt = 1
        self.resumed_from = ""
        self.is_from_elsewhere = False
        self.reconnect_delay_ms: float | None = None

    @property
    def identity(self) -> Identity:
        """Whose connection this is, as far as it is known now."""
        return Identity(self.state.session_id, self.state.user_id, self.state.labels)

    @property
    def _own_session_id(self) -> str:
        """The session's id, if no resumption handle says otherwise."""
        return self._word.session_id or self._connection_id

    def join(self, setup: Setup | None) -> None:
        """Join the session that the setup leads to; without one, the connection's own or the named one."""
        handle_hash = setup.resumption_handle_hash if setup is not None else ""
        known = self._directory.by_handle(handle_hash) if handle_hash else None
        # Another process had the session last: it knows which connection went before, and the context.
        self.is_from_elsewhere = bool(handle_hash) and known is None
        if known is None or self._word.session_id:
            known = self._directory.session(self._own_session_id)
        self._join(self._named(known))

    def identify(self, word: Identity) -> None:
        """Take the application's word, given after the dial."""
        self._word = word
        if word.session_id:
            self._directory.rename(self.state, word.session_id)
        self._named(self.state)

    def came_to_life(self, now: Instant) -> float | None:
        """Return how long the session had no connection, in milliseconds; None if this is no reconnect."""
        down_since, self.state.down_since = self.state.down_since, None
        return None if self.is_from_elsewhere else ms_between(down_since, now)

    def left(self, now: Instant, *, was_active: bool) -> None:
        """Leave the session without a connection, unless a newer one has taken over."""
        if self.state.last_connection_id == self._connection_id:
            self.state.last_closed = now
            self.state.down_since = now if was_active else self.state.down_since

    def _named(self, state: SessionState) -> SessionState:
        state.user_id = self._word.user_id or state.user_id
        state.labels = {**state.labels, **self._word.labels}
        return state

    def _join(self, state: SessionState) -> None:
        self.has_joined = True
        self.state = state
        state.connections += 1
        self.attempt = state.connections
        if not self.is_from_elsewhere:
            self.resumed_from = state.last_connection_id
            # None while the connection before is still open: a hand-over without a gap.
            self.reconnect_delay_ms = ms_between(state.last_closed, self._dialled)
        state.last_closed = None
        state.last_connection_id = self._connection_id
