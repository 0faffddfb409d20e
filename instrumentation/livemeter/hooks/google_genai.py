"""Hooks of google-genai: the only module that touches it.

``google.genai.live.ws_connect`` (1.16 to 3.4) is where every Live socket is dialled. Wrapping it shows
the setup frame, a refused setup and a refused handshake, which nothing behind ``AsyncSession`` sees. What
was dialled around it is seen when the session is made of it.
"""

from collections.abc import Callable
from typing import Any

from livemeter.guard import guarded
from livemeter.hooks.async_session import AsyncSessionHook
from livemeter.hooks.claim import claim
from livemeter.hooks.tap import Tap

Watch = Callable[[str], Tap]
"""Makes the tap for a connection about to be dialled, from its URL."""


class NotInstalledError(Exception):
    """google-genai is not there, or has no Live API that can be hooked."""


class ObservedConnect:
    """What ``ws_connect`` returns, observed: the same async context manager around the same socket."""

    def __init__(self, connect: Any, tap: Tap | None) -> None:
        self._connect = connect
        self._tap = tap

    async def __aenter__(self) -> Any:
        try:
            socket = await self._connect.__aenter__()
        except BaseException as error:
            with guarded("record a refused handshake"):
                if self._tap is not None:
                    self._tap.refused(error)
            raise
        with guarded("attach to the socket"):
            if self._tap is not None and claim(socket):
                self._tap.attach(socket)
        return socket

    async def __aexit__(self, *exception: object) -> Any:
        try:
            return await self._connect.__aexit__(*exception)
        finally:
            with guarded("record the end of a connection"):
                if self._tap is not None:
                    self._tap.left()


class GoogleGenAIHooks:
    """Installs and removes the hooks. Installing twice is the same as once."""

    def __init__(self) -> None:
        self._original: Any = None
        self._observed: Any = None
        self._sessions = AsyncSessionHook()

    @property
    def is_installed(self) -> bool:
        """Whether connections are observed now."""
        return self._original is not None

    def install(self, watch: Watch) -> None:
        """Observe every Live connection from now on, of clients made before as well.

        Raises:
            NotInstalledError: google-genai cannot be imported or is older than 1.16.
        """
        if self.is_installed:
            return
        live = _live_module()
        original = self._original = live.ws_connect

        def observed_connect(uri: str, *args: Any, **kwargs: Any) -> Any:
            if self._observed is not observed_connect:
                return original(uri, *args, **kwargs)  # Uninstalled beneath a hook laid over ours.
            tap = None
            with guarded("watch a new connection"):
                tap = watch(uri)
            return ObservedConnect(original(uri, *args, **kwargs), tap)

        self._observed = live.ws_connect = observed_connect
        self._sessions.install(live, lambda uri, session_id: watch(uri).set_up_before(session_id))

    def uninstall(self) -> None:
        """Put back what was there. A hook that somebody else laid over ours stays."""
        if self._original is None:
            return
        live = _live_module()
        if live.ws_connect is self._observed:
            live.ws_connect = self._original
        self._sessions.uninstall(live)
        self._original = self._observed = None


def require_google_genai() -> None:
    """Raise a NotInstalledError unless google-genai is there and can be hooked."""
    _live_module()


def _live_module() -> Any:
    try:
        from google.genai import live  # noqa: PLC0415 - 40 MB that only an app with Live has
    except ImportError as error:
        raise NotInstalledError(
            "google-genai is not installed: pip install 'livemeter[instruments]'"
        ) from error
    if not hasattr(live, "ws_connect"):
        raise NotInstalledError("this google-genai is too old to be observed: upgrade it to 1.30 or newer")
    return live
