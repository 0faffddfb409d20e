"""Sessions of google-genai whose socket was dialled around our hook.

Somebody may replace ``google.genai.live.ws_connect`` after us, or have kept the original from before, to dial
through a gateway. ``AsyncSession`` is made with the open socket in every version, so whoever dialled it, the
session shows it. The setup has passed by then: what it said, the model included, is not known.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from livemeter.guard import guarded
from livemeter.hooks.tap import Tap
from livemeter.hooks.websockets_client import connection_url, is_client_connection, observe_client

WatchSession = Callable[[str, str], Tap]
"""Makes the tap for a connection that is set up already, from its URL and Google's session id, which is
empty where the SDK does not tell it."""


class AsyncSessionHook:
    """Installs and removes the hook of ``AsyncSession.__init__``. Installing twice is the same as once."""

    def __init__(self) -> None:
        self._original: Any = None
        self._observed: Any = None

    @property
    def is_installed(self) -> bool:
        """Whether sessions are looked at now."""
        return self._original is not None

    def install(self, live: Any, watch: WatchSession) -> None:
        """Observe every session made from now on whose socket nobody observes yet.

        Args:
            live: the module ``google.genai.live``.
            watch: makes the tap.
        """
        if self.is_installed:
            return
        original = self._original = live.AsyncSession.__init__

        @wraps(original)
        def observed_init(session: Any, *args: Any, **kwargs: Any) -> None:
            original(session, *args, **kwargs)
            # Not when we were uninstalled beneath a hook that somebody laid over ours.
            if self._observed is observed_init:
                with guarded("observe a session"):
                    _observe(session, watch)

        self._observed = live.AsyncSession.__init__ = observed_init

    def uninstall(self, live: Any) -> None:
        """Put back what was there. A hook that somebody else laid over ours stays."""
        if self._original is None:
            return
        if live.AsyncSession.__init__ is self._observed:
            live.AsyncSession.__init__ = self._original
        self._original = self._observed = None


def _observe(session: Any, watch: WatchSession) -> None:
    socket = getattr(session, "_ws", None)
    if is_client_connection(socket):
        session_id = getattr(session, "session_id", None) or ""
        observe_client(socket, lambda: watch(connection_url(socket), session_id))
