"""Which session a connection belongs to, and what one connection leaves to the next.

A connection opened with a resumption handle that another connection of this process was given belongs
to that one's session. Handles are known by their hash only. Both maps are bounded: the oldest goes.
"""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field

from livemeter.observer.clock import Instant
from livemeter.vocabulary import IdMatch

MAX_SESSIONS = 10_000
MAX_HANDLES = 100_000


@dataclass(slots=True)
class Context:
    """What the model has in its context window, as far as the last pass told; a resume takes it over."""

    prompt: int | None = None
    tokens: dict[str, int] = field(default_factory=dict[str, int])
    audio_ms: float = 0.0


@dataclass(slots=True)
class SessionState:
    """What a session carries from connection to connection.

    ``last_closed`` is when the last attempt ended, ``down_since`` when the last connection that had come to
    life did; both are None while one is up.
    """

    session_id: str
    user_id: str = ""
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    connections: int = 0
    turns: int = 0
    passes: int = 0
    app_phase: str = ""
    last_connection_id: str = ""
    last_closed: Instant | None = None
    down_since: Instant | None = None
    ended_calls: dict[str, IdMatch] = field(default_factory=dict[str, IdMatch])
    context: Context = field(default_factory=Context)


class SessionDirectory:
    """The sessions of one process. Safe from any thread; touched at setup, handle and close only."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sessions: OrderedDict[str, SessionState] = OrderedDict()
        self._by_handle: OrderedDict[str, SessionState] = OrderedDict()

    def renew_lock(self) -> None:
        """Go on in a forked process, without the thread that may have held the lock. What is known stays."""
        self._lock = threading.Lock()

    def session(self, session_id: str) -> SessionState:
        """Return the session of that id, a new one if need be."""
        with self._lock:
            state = self._sessions.get(session_id)
            if state is None:
                state = self._sessions[session_id] = SessionState(session_id)
            self._sessions.move_to_end(session_id)
            while len(self._sessions) > MAX_SESSIONS:
                self._sessions.popitem(last=False)
            return state

    def rename(self, state: SessionState, session_id: str) -> None:
        """Give a session the name that the application has for it; another of that name is let be."""
        with self._lock:
            self._sessions.pop(state.session_id, None)
            state.session_id = session_id
            self._sessions.setdefault(session_id, state)

    def by_handle(self, handle_hash: str) -> SessionState | None:
        """Return the session whose connection was given that handle."""
        with self._lock:
            return self._by_handle.get(handle_hash)

    def handle_given(self, handle_hash: str, state: SessionState) -> None:
        """Remember that a connection of ``state`` was given a handle."""
        with self._lock:
            self._by_handle[handle_hash] = state
            self._by_handle.move_to_end(handle_hash)
            while len(self._by_handle) > MAX_HANDLES:
                self._by_handle.popitem(last=False)
