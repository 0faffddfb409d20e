"""What the application says about its sessions: ``with livemeter.session(id=..., user=..., labels=...)``."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

from livemeter.observer.facts import Identity

_current: ContextVar[Identity | None] = ContextVar("livemeter_session", default=None)


@contextmanager
def session(
    id: str = "",  # noqa: A002 - the word the reader expects
    *,
    user: str = "",
    labels: Mapping[str, str] | None = None,
) -> Generator[Identity]:
    """Say to which session the Live connections opened inside belong.

    Args:
        id: the application's own session id; connections with the same id are one session. Without it
            a session is its first connection and whatever resumes it.
        user: who speaks. Exported as a hash unless ``LIVEMETER_HASH_USER_IDS=false``.
        labels: anything to group costs by, such as ``{"tenant": "acme"}``.
    """
    identity = Identity(id, user, dict(labels or {}))
    token = _current.set(identity)
    try:
        yield identity
    finally:
        _current.reset(token)


def current_identity() -> Identity | None:
    """Return the identity that a connection opened here and now would get."""
    return _current.get()
