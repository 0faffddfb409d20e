"""Observing a connection that an application dialled itself with ``websockets``.

Supported is the asyncio client of ``websockets`` 15 to 17 (``websockets.asyncio.client.connect``): ``recv``,
``send`` and ``async for message in connection``, which calls ``recv``. ``recv_streaming`` hands out pieces of
messages and is not seen. ``websockets`` is not imported here; whoever holds a connection of it has done so.
"""

import sys
from collections.abc import Callable
from typing import Any, TypeVar

from livemeter.guard import guarded
from livemeter.hooks.claim import claim
from livemeter.hooks.tap import Tap

Watch = Callable[[str], Tap]
"""Makes the tap for a connection, from its URL."""

Connection = TypeVar("Connection")

_CLIENT_MODULE = "websockets.asyncio.client"


def observe(connection: Connection, watch: Watch) -> Connection:
    """Observe an open connection from now on, and return it. Observing it again changes nothing.

    Right after the dial is the moment: of what passed before, nothing is known.

    Raises:
        TypeError: this is no connection of ``websockets.asyncio.client``.
    """
    require_client_connection(connection)
    observe_client(connection, lambda: watch(connection_url(connection)))
    return connection


def observe_client(connection: Any, make_tap: Callable[[], Tap]) -> None:
    """Attach a tap to a client connection, unless it has one, and end it with the connection's ``close``."""
    with guarded("observe a connection"):
        if claim(connection):
            tap = make_tap()
            tap.attach(connection)
            _end_with_close(connection, tap)


def require_client_connection(candidate: object) -> None:
    """Raise a TypeError that says what can be observed, for anything else."""
    if not is_client_connection(candidate):
        raise TypeError(
            f"livemeter.observe takes a connection of {_CLIENT_MODULE}.connect (websockets 15 or newer),"
            f" not {type(candidate).__module__}.{type(candidate).__qualname__}"
        )


def is_client_connection(candidate: object) -> bool:
    """Whether this is a connection that ``observe`` can watch. Imports nothing."""
    kind = getattr(sys.modules.get(_CLIENT_MODULE), "ClientConnection", None)
    return isinstance(kind, type) and isinstance(candidate, kind)


def connection_url(connection: Any) -> str:
    """Return where a connection goes, from its handshake request, without the query that may hold a key."""
    request = connection.request
    scheme = "wss" if connection.transport.get_extra_info("ssl_object") is not None else "ws"
    return f"{scheme}://{request.headers['Host']}{request.path.partition('?')[0]}"


def _end_with_close(connection: Any, tap: Tap) -> None:
    # A failing receive or send tells of most ends; an application that closes by itself need do neither.
    # ``async with`` calls ``close`` as well.
    close = connection.close

    async def observed_close(*args: Any, **kwargs: Any) -> Any:
        try:
            return await close(*args, **kwargs)
        finally:
            with guarded("record the end of a connection"):
                tap.left()

    # As on the tap's own two, so that detaching knows what to take away.
    observed_close.__wrapped__ = close  # type: ignore[attr-defined]
    tap.lay("close", observed_close)
