"""The shell around one observed socket: reads clocks, feeds the observer, hands its facts to the emitter.

A tap never raises into the application and never awaits between a frame's arrival and its delivery.
"""

import asyncio
import re
import time
from collections.abc import Callable
from typing import Any, Protocol

from livemeter.guard import guarded, report
from livemeter.observer.clock import Instant
from livemeter.observer.connection import Close, ConnectionObserver, send_failed
from livemeter.observer.facts import Fact, Identity
from livemeter.vocabulary import ClosedBy, Direction

ABNORMAL_CLOSURE = 1006
"""What a missing close frame is called (RFC 6455, 7.1.5); it never crosses the wire."""

# Looking a member up in its class costs as much as three comparisons.
_SENT = Direction.SENT
_RECEIVED = Direction.RECEIVED
_FRAME_TYPES = (str, bytes)

_MAX_REFUSAL_CHARACTERS = 300
# API keys, ephemeral tokens, OAuth tokens, and whatever follows key= or token=.
_CREDENTIAL = re.compile(r"AIza[\w-]{10,}|auth_tokens/\S+|ya29\.\S+|(?<=key=)\S+|(?<=token=)\S+")


def read_clocks() -> Instant:
    """Return both clocks now."""
    return Instant(time.monotonic_ns(), time.time_ns())


class Sink(Protocol):
    """Where facts go: a connection's emitter, or a list in a test."""

    def emit(self, identity: Identity, facts: list[Fact]) -> None:
        """Take facts in the order in which they became known."""
        ...


class Tap:
    """One connection under observation, from the dial to its end."""

    def __init__(self, observer: ConnectionObserver, sink: Sink, flush_interval_ms: float) -> None:
        self._observer = observer
        self._sink = sink
        self._flush_interval_s = flush_interval_ms / 1000
        self._timer: asyncio.TimerHandle | None = None
        self._socket: Any = None

    def attach(self, socket: Any) -> None:
        """Watch an open ``websockets`` connection by attributes of this one object."""
        with guarded("attach to the socket"):
            self._observer.opened()
            self._socket = socket
            socket.recv = self._observed_recv(socket.recv)
            socket.send = self._observed_send(socket.send)

    def refused(self, error: BaseException) -> None:
        """Take note that the handshake failed; an HTTP refusal carries its status."""
        with guarded("record a refused handshake"):
            response = getattr(error, "response", None)
            status = getattr(response, "status_code", None)
            reason = read_refusal(getattr(response, "body", None))
            self._finish(Close(reason=reason, http_status=status, error_type=_type_name(error)))

    def left(self) -> None:
        """Take note that the application is done with the socket, should nothing else have told so."""
        with guarded("record the end of a connection"):
            if self._socket is not None:
                self._finish(read_close(self._socket, None))

    def _observed_recv(self, recv: Callable[..., Any]) -> Callable[..., Any]:
        async def observed_recv(*args: Any, **kwargs: Any) -> Any:
            try:
                message = await recv(*args, **kwargs)
            except Exception as error:
                self._failed(error)
                raise
            self._received(message)
            return message

        return observed_recv

    def _observed_send(self, send: Callable[..., Any]) -> Callable[..., Any]:
        # The machine sees a frame before it is sent, so that an answer can never overtake its request;
        # what it says is held back until the socket took the frame.
        async def observed_send(message: Any, *args: Any, **kwargs: Any) -> Any:
            facts = self._about_to_send(message)
            try:
                result = await send(message, *args, **kwargs)
            except Exception as error:
                with guarded("record a failed send"):
                    self._emit(send_failed(facts))
                self._failed(error)
                raise
            except BaseException:
                # Cancelled while waiting for the buffer to drain: the frame is on its way.
                with guarded("record a cancelled send"):
                    self._emit(facts)
                raise
            if facts or self._timer is None:
                with guarded("record a sent frame"):
                    self._emit(facts)
            return result

        return observed_send

    # The guard spelled out, because a block costs half as much as the observer itself.

    def _received(self, message: Any) -> None:
        try:
            facts = self._observer.frame(_RECEIVED, message, read_clocks())
            if facts or self._timer is None:
                self._emit(facts)
        except Exception as error:  # noqa: BLE001 - reported as the guard does
            report("observe a received frame", error)

    def _about_to_send(self, message: Any) -> list[Fact]:
        try:
            if isinstance(message, _FRAME_TYPES):
                return self._observer.frame(_SENT, message, read_clocks())
        except Exception as error:  # noqa: BLE001 - reported as the guard does
            report("observe a sent frame", error)
        return []

    def _failed(self, error: BaseException) -> None:
        with guarded("record a close"):
            # An error that leaves the socket open (a cancelled receive, a second reader) ends nothing.
            if getattr(self._socket, "close_code", None) is not None:
                self._finish(read_close(self._socket, error))

    def _finish(self, close: Close) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._emit(self._observer.closed(close, read_clocks()))

    def _emit(self, facts: list[Fact]) -> None:
        if facts:
            self._sink.emit(self._observer.identity, facts)
        if self._timer is None and self._observer.has_pending_frames:
            self._timer = asyncio.get_running_loop().call_later(self._flush_interval_s, self._flush)

    def _flush(self) -> None:
        self._timer = None
        with guarded("flush frames"):
            self._emit(self._observer.flush(read_clocks()))


def read_close(socket: Any, error: BaseException | None) -> Close:
    """Read how a ``websockets`` connection ended from its protocol object (15.0 to 17.4).

    ``close_rcvd_then_sent`` tells who began: True the server, False the client, None when the handshake
    of the close was not completed.
    """
    protocol = socket.protocol
    received, sent = protocol.close_rcvd, protocol.close_sent
    by_server = received is not None and (sent is None or protocol.close_rcvd_then_sent is True)
    frame = received if by_server else sent
    closed_by = ClosedBy.SERVER if by_server else ClosedBy.CLIENT if sent is not None else ClosedBy.NONE
    return Close(
        code=frame.code if frame is not None else ABNORMAL_CLOSURE,
        reason=redacted(frame.reason) if frame is not None else "",
        closed_by=closed_by,
        clean=received is not None and sent is not None,
        error_type=_type_name(error) if error is not None else "",
    )


def read_refusal(body: object) -> str:
    """Return the start of an HTTP refusal's text on one line, without anything that looks like a key."""
    text = bytes(body).decode("utf-8", "replace") if isinstance(body, bytes | bytearray) else ""
    return redacted(" ".join(text.split()))[:_MAX_REFUSAL_CHARACTERS]


def redacted(text: str) -> str:
    """Return what the other side said without anything that looks like a key or a token."""
    return _CREDENTIAL.sub("[redacted]", text)


def _type_name(error: BaseException) -> str:
    return f"{type(error).__module__}.{type(error).__qualname__}"
