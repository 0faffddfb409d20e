"""One observed connection, between its tap and its emitter: keeps the session's account on the way."""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from livemeter.app.account import Account, Accounts, Budget
from livemeter.app.closes import remember
from livemeter.app.session import OnBudget, Session, opened
from livemeter.guard import guarded
from livemeter.hooks.pings import read_ping_settings
from livemeter.hooks.tap import Note
from livemeter.observer.connection import ConnectionObserver
from livemeter.observer.facts import ConnectionClosed, ConnectionStarted, Endpoint, Fact, Identity

Tell = Callable[[Note], None]
"""Has a note observed where the connection lives."""


class Emitter(Protocol):
    """Where facts go on to."""

    def set_pings(self, interval_s: float | None, timeout_s: float | None) -> None:
        """Take the ping settings in effect, in seconds: 0 is off, None is not known."""
        ...

    def emit(self, identity: Identity, facts: list[Fact]) -> None:
        """Take facts in the order in which they became known."""
        ...


class AccountedConnection:
    """The sink of a connection's tap: accounts for what passes, hands it on, and answers its session."""

    def __init__(
        self,
        observer: ConnectionObserver,
        endpoint: Endpoint,
        session: Session,
        accounts: Accounts[OnBudget],
        emitter: Emitter,
    ) -> None:
        self._observer = observer
        self._endpoint = endpoint
        self._session = session
        self._accounts = accounts
        self._emitter = emitter
        self._session_id = observer.identity.session_id
        self._closed: ConnectionClosed | None = None
        self.account: Account[OnBudget] = accounts.of(self._session_id)
        self.is_started = False
        self._tell: Tell | None = None
        session.connected(self)

    def attached(self, socket: Any, tell: Tell) -> None:
        """Take note of the socket, and of who has notes observed."""
        self._tell = tell
        opened(self._session, socket)
        pings = read_ping_settings(socket)
        self._emitter.set_pings(pings.interval_s, pings.timeout_s)

    def tell(self, note: Note, /) -> None:
        """Have a note observed. A connection that never opened has nothing to observe it with."""
        if self._tell is not None:
            self._tell(note)

    def emit(self, identity: Identity, facts: list[Fact]) -> None:
        """Account for facts and hand them on."""
        if identity.session_id != self._session_id:
            self.account = self._accounts.rename(self.account, self._session_id, identity.session_id)
            self._session_id = identity.session_id
        self._emitter.emit(identity, facts)
        with guarded("keep a running account"):
            self._account_for(facts)
        with guarded("tell what was said before"):
            self._start(facts)

    def ended(self, error: BaseException | None) -> None:
        """Remember for whoever asks why: ``error`` is what told the application of the end."""
        if error is not None and self._closed is not None:
            remember(error, self._closed, self._endpoint)

    def _account_for(self, facts: list[Fact]) -> None:
        observer, platform = self._observer, self._endpoint.platform.value
        added = [self.account.add(fact, observer.model, platform, observer.connection_id) for fact in facts]
        for budget in self.account.reached() if any(added) else ():
            self._call(budget)

    def _call(self, budget: Budget[OnBudget]) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            with guarded("call the application about a budget"):
                budget.call(self._session)
        else:
            loop.call_soon(budget.call, self._session)

    def _start(self, facts: list[Fact]) -> None:
        for fact in facts:
            if isinstance(fact, ConnectionClosed):
                self._closed = fact
            if isinstance(fact, ConnectionStarted | ConnectionClosed) and not self.is_started:
                self.is_started = True
                self._session.started(self)
