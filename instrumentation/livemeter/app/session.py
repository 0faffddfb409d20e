"""What the application says of its sessions, and asks about them.

``with livemeter.session(id=..., user=..., labels=...) as session:`` names the session of every connection
opened inside. ``livemeter.current()`` is the session of the block, else that of the connection opened last in
this task; ``livemeter.current(live)`` that of a google-genai session object, for tasks made elsewhere.
"""

import threading
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import replace
from decimal import Decimal
from typing import Any, Protocol

from livemeter.accounts import Figures, Ledger, PriceList
from livemeter.app.account import Account, Budget
from livemeter.guard import guarded
from livemeter.hooks.tap import Note
from livemeter.observer.facts import Identity

MAX_NOTES = 100
"""What is said before a session has a connection is kept for it, up to so many; the oldest go."""

OnBudget = Callable[["Session"], object]


class Line(Protocol):
    """A connection of a session, as the session needs it."""

    @property
    def is_started(self) -> bool:
        """Whether it is known whose connection it is."""
        ...

    @property
    def account(self) -> Account[OnBudget]:
        """The account of the session that it belongs to."""
        ...

    def tell(self, note: Note, /) -> None:
        """Have a note observed."""
        ...


class Session:
    """One session as its application sees it. Safe from any thread; never raises for want of a connection."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity
        self._lock = threading.Lock()
        self._line: Line | None = None
        self._notes: list[Note] = []
        self._budgets: list[Budget[OnBudget]] = []

    def __repr__(self) -> str:
        return f"<livemeter.Session {self.id or 'without an id of its own'}>"

    @property
    def id(self) -> str:
        """The id that the application gave; empty if it gave none."""
        return self._identity.session_id

    @property
    def identity(self) -> Identity:
        """What the application said of whose session it is."""
        return self._identity

    @property
    def figures(self) -> Figures:
        """What the session has used and cost so far.

        Provisional: SQL has the last word, since it knows what other processes added and prices that were
        corrected. A frame counts at the latest half a second after it crossed the socket.
        """
        line = self._line
        return line.account.figures if line is not None else Ledger(PriceList(())).snapshot()

    def identify(self, id: str = "", *, user: str = "", labels: Mapping[str, str] | None = None) -> None:  # noqa: A002
        """Say whose session it is after its connection was opened. What is left out stays as it is.

        What left before keeps the name it had; readers join it by its connection.
        """
        with guarded("take note of whose session it is"):
            known = self._identity
            self._identity = identity = replace(
                known,
                session_id=id or known.session_id,
                user_id=user or known.user_id,
                labels={**known.labels, **(labels or {})},
            )
            self._note(lambda observer, _: observer.identify(identity))

    def phase(self, name: str) -> None:
        """Say what the application does now, such as ``scoring``: turns and closes are marked with it."""
        with guarded("take note of a phase"):
            self._note(lambda observer, now: observer.phase_entered(str(name), now))

    def expect(self, tools: Iterable[str]) -> None:
        """Say which of the declared tools the model should call in this session."""
        with guarded("take note of an expectation"):
            names = [str(tool) for tool in tools]
            self._note(lambda observer, now: observer.tools_expected(names, now))

    def outcome(self, name: str, detail: str = "") -> None:
        """Say how the session came out, such as ``scored_by_fallback``, and more in ``detail``."""
        with guarded("take note of an outcome"):
            self._note(lambda observer, now: observer.outcome_reached(str(name), str(detail), now))

    def on_budget(self, usd: float | str | Decimal, call: OnBudget) -> None:
        """Have ``call(session)`` called once, as soon as the session's cost has reached ``usd``.

        It is called on the connection's event loop, after the frame that brought the cost was delivered.

        Raises:
            ValueError: ``usd`` is no positive amount.
        """
        budget = Budget(amount(usd), call)
        with self._lock:
            if self._line is None or not self._line.is_started:
                self._budgets.append(budget)
                return
        self._line.account.budgets.append(budget)

    # For its connections.

    def connected(self, line: Line) -> None:
        """Take note of the newest connection."""
        self._line = line

    def started(self, line: Line) -> None:
        """Tell a connection that came to life, or will not, what was said before."""
        with self._lock:
            notes, self._notes = self._notes, []
            budgets, self._budgets = self._budgets, []
        line.account.budgets.extend(budgets)
        for note in notes:
            line.tell(note)

    def _note(self, note: Note) -> None:
        with self._lock:
            line = self._line
            if line is None or not line.is_started:
                self._notes = [*self._notes, note][-MAX_NOTES:]
                return
        line.tell(note)


_named: ContextVar[Session | None] = ContextVar("livemeter_session", default=None)
_latest: ContextVar[Session | None] = ContextVar("livemeter_latest_session", default=None)
# On the socket itself, because a session leads to its connection: a dictionary, even one that holds its keys
# weakly, would keep every socket that there ever was.
_SESSION = "_livemeter_session"


@contextmanager
def session(
    id: str = "",  # noqa: A002 - the word the reader expects
    *,
    user: str = "",
    labels: Mapping[str, str] | None = None,
) -> Generator[Session]:
    """Say to which session the Live connections opened inside belong.

    Args:
        id: the application's own session id; connections with the same id are one session. Without it
            a session is its first connection and whatever resumes it.
        user: who speaks. Exported as a hash unless ``LIVEMETER_HASH_USER_IDS=false``.
        labels: anything to group costs by, such as ``{"tenant": "acme"}``.
    """
    named = Session(Identity(id, user, dict(labels or {})))
    token = _named.set(named)
    try:
        yield named
    finally:
        # A block may be left in another context than it was entered in, as generators may.
        with suppress(ValueError):
            _named.reset(token)


def current(live: Any = None) -> Session | None:
    """Return the session of the block or of the connection opened last in this task, or None.

    Args:
        live: a google-genai session object or a websockets connection, to ask for its session instead.
    """
    if live is None:
        return _named.get() or _latest.get()
    found = getattr(getattr(live, "_ws", live), _SESSION, None)
    return found if isinstance(found, Session) else None


def session_to_open() -> Session:
    """Return the session that a connection opened here and now belongs to."""
    return _named.get() or Session(Identity(""))


def opened(session: Session, socket: Any) -> None:
    """Take note that a connection of ``session`` was opened in this task."""
    _latest.set(session)
    setattr(socket, _SESSION, session)


def amount(usd: float | str | Decimal) -> Decimal:
    """Return an amount of money.

    Raises:
        ValueError: it is no positive amount.
    """
    try:
        value = Decimal(str(usd))
    except ArithmeticError:
        value = Decimal(0)
    if not value.is_finite() or value <= 0:
        raise ValueError(f"a budget is a positive amount of US dollars, not {usd!r}")
    return value
