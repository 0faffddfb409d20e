"""The shell around one observed socket: reads clocks, feeds the observer, hands its facts to the emitter.

A tap never raises into the application and never awaits between a frame's arrival and its delivery.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from time import monotonic_ns
from typing import Any, Protocol, Self

from livemeter.guard import guarded, report
from livemeter.hooks.claim import release
from livemeter.hooks.close import has_unread, read_close, read_refused_dial
from livemeter.hooks.health import ConnectionHealth
from livemeter.observer.clock import Instant
from livemeter.observer.connection import Close, ConnectionObserver, send_failed
from livemeter.observer.facts import Fact, Identity
from livemeter.observer.lane import MAX_WAITING
from livemeter.vocabulary import Direction

Note = Callable[[ConnectionObserver, Instant], list[Fact]]
"""Something to be observed that did not cross the socket."""

LOSS_GRACE_S = 1.0
"""How long after its connection was lost an application may still find out by itself, in seconds; what it is
told then, the exception, says more."""

MAX_LOOKS = 600
"""As often an application that reads on, after its connection was lost, is given another such while."""

_FRAME_TYPES = (str, bytes)
_NO_FACTS: list[Fact] = []
_NOT_GIVEN: Any = object()


def read_clocks() -> Instant:
    """Return both clocks now."""
    return Instant(time.monotonic_ns(), time.time_ns())


class Sink(Protocol):
    """Where facts go: a connection's emitter, or a list in a test."""

    def attached(self, socket: Any, tell: Callable[[Note], None]) -> None:
        """Take note that the socket is open; ``tell`` has something observed beside it, from any thread."""
        ...

    def emit(self, identity: Identity, facts: list[Fact]) -> None:
        """Take facts in the order in which they became known."""
        ...

    def ended(self, error: BaseException | None) -> None:
        """Take note of the exception that told the application of the end; all facts have come before."""
        ...


class Tap:
    """One connection under observation, from the dial to its end. Whoever calls it holds the guard."""

    def __init__(
        self,
        observer: ConnectionObserver,
        sink: Sink,
        flush_interval_ms: float,
        health: ConnectionHealth | None = None,
    ) -> None:
        self._observer = observer
        self._sink = sink
        self._flush_interval_s = flush_interval_ms / 1000
        self._health = health or ConnectionHealth(pings=False)
        self._timer: asyncio.TimerHandle | None = None
        self._look: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._socket: Any = None
        self._laid: dict[str, Any] = {}
        self._google_session_id: str | None = None
        self._lost_at: Instant | None = None
        self._looks_left = MAX_LOOKS
        self._has_ended = False

    def set_up_before(self, google_session_id: str) -> Self:
        """Take note, before ``attach``, that the setup passed unseen: somebody else dialled."""
        self._google_session_id = google_session_id
        return self

    def attach(self, socket: Any) -> None:
        """Watch an open ``websockets`` connection by attributes of this one object."""
        if self._has_ended:
            release(socket)  # Detached while it was dialled.
            return
        self._observer.opened()
        self._loop = asyncio.get_running_loop()
        self._socket = socket
        with guarded("watch the health of a connection"):
            self._health.attach(socket)
            self._laid.update({"ping": vars(socket)["ping"]} if "ping" in vars(socket) else {})
            self._watch_for_loss(socket)
        with guarded("account for a connection"):
            self._sink.attached(socket, self.tell)
        if self._google_session_id is not None:
            self._emit(self._observer.set_up_before(self._google_session_id, read_clocks()))
        self.lay("recv", self._observed_recv(socket.recv))
        self.lay("send", self._observed_send(socket.send))

    def lay(self, name: str, function: Callable[..., Any]) -> None:
        """Lay a function over a method of this one socket, until ``detach``."""
        setattr(self._socket, name, function)
        self._laid[name] = function

    def detach(self) -> "Future[None]":
        """Leave the socket as it was found; what waits is told, and the end will not be. From any thread.

        Returns what is done when that has happened: at once, but where the connection's loop runs elsewhere.
        """
        done = Future[None]()
        with guarded("detach from the socket"):
            self._on_own_loop(self._detach, done)
        return done

    def _detach(self, done: "Future[None]") -> None:
        with guarded("detach from the socket"):
            if not self._has_ended:
                self._leave()
                self._emit(self._observer.flush(read_clocks()))
        done.set_result(None)

    def abandon(self) -> None:
        """Leave the socket without a word, in a forked process: it is the parent's, and so are its frames."""
        with guarded("abandon the socket of another process"):
            self._loop = None  # What runs is the parent's, too.
            if not self._has_ended:
                self._leave()

    def _leave(self) -> None:
        self._has_ended = True
        self._stop_timers()
        self._health.facts()
        if self._socket is not None:
            release(self._socket)
        self._let_go()

    def _let_go(self) -> None:
        # Whatever of ours holds the socket makes a ring with it, and then a socket with its buffers, a third
        # of a megabyte, has to wait for the garbage collector.
        with guarded("let go of the socket"):
            socket, self._socket = self._socket, None
            for name, function in self._laid.items():
                # What somebody laid over ours stays.
                if socket.__dict__.get(name) is function:
                    delattr(socket, name)
            self._laid.clear()
            waiter: Any = getattr(socket, "connection_lost_waiter", None)
            if asyncio.isfuture(waiter):
                waiter.remove_done_callback(self._lost)

    def _watch_for_loss(self, socket: Any) -> None:
        # Sockets are left open and never asked again: then the library alone knows of the end.
        waiter: Any = getattr(socket, "connection_lost_waiter", None)
        if asyncio.isfuture(waiter):
            waiter.add_done_callback(self._lost)

    def _lost(self, _: object) -> None:
        with guarded("notice a lost connection"):
            if self._loop is not None and not self._has_ended:
                self._lost_at = read_clocks()
                self._look = self._loop.call_later(LOSS_GRACE_S, self._ended_unnoticed)

    def _ended_unnoticed(self) -> None:
        with guarded("record a lost connection"):
            if self._has_ended or self._loop is None:
                return
            if has_unread(self._socket) and self._looks_left > 0:
                self._looks_left -= 1
                self._look = self._loop.call_later(LOSS_GRACE_S, self._ended_unnoticed)
                return
            self._finish(read_close(self._socket, None), None, self._lost_at)

    def refused(self, error: BaseException) -> None:
        """Take note that the handshake failed; an HTTP refusal carries its status."""
        self._finish(read_refused_dial(error), error)

    def left(self) -> None:
        """Take note that the application is done with the socket, should nothing else have told so."""
        if self._socket is not None:
            self._finish(read_close(self._socket, None), None)

    def tell(self, note: Note) -> None:
        """Have a note observed, on the connection's own loop if that still runs."""
        with guarded("take a note"):
            self._on_own_loop(self._observe, note)

    def _on_own_loop(self, function: Callable[..., None], argument: object) -> None:
        loop = self._loop
        if loop is None or not loop.is_running() or _is_running(loop):
            function(argument)
            return
        try:
            loop.call_soon_threadsafe(function, argument)
        except RuntimeError:  # Closed just now.
            function(argument)

    def _observe(self, note: Note) -> None:
        with guarded("observe a note"):
            self._emit(note(self._observer, read_clocks()))

    # The two wrappers run for every frame, so they are written out: the guard as a bare ``try``, the
    # arguments as google-genai gives them, and audio that begins like the audio before it (nearly every
    # frame) put aside for the observer as ``Lane.take`` would.

    def _observed_recv(self, recv: Callable[..., Any]) -> Callable[..., Any]:
        lane, waiting = self._observer.lanes.received, self._observer.lanes.waiting

        async def observed_recv(decode: Any = _NOT_GIVEN) -> Any:
            try:
                message = await (recv() if decode is _NOT_GIVEN else recv(decode=decode))
            except Exception as error:
                with guarded("record a close"):
                    self._failed(error)
                raise
            try:
                if (
                    type(message) is lane.kind
                    and message.startswith(lane.head)
                    and len(waiting) < MAX_WAITING
                ):
                    waiting.append((monotonic_ns(), lane.likeness, message))
                else:
                    self._received(message)
            except Exception as error:  # noqa: BLE001 - reported as the guard does
                report("observe a received frame", error)
            return message

        return observed_recv

    def _observed_send(self, send: Callable[..., Any]) -> Callable[..., Any]:
        # The machine sees a frame before it is sent, so that an answer can never overtake its request;
        # what it says is held back until the socket took the frame.
        lane, waiting = self._observer.lanes.sent, self._observer.lanes.waiting

        async def observed_send(message: Any, *args: Any, **kwargs: Any) -> Any:
            facts = _NO_FACTS
            try:
                if (
                    type(message) is lane.kind
                    and message.startswith(lane.head)
                    and len(waiting) < MAX_WAITING
                ):
                    waiting.append((monotonic_ns(), lane.likeness, message))
                elif isinstance(message, _FRAME_TYPES):
                    facts = self._observer.frame(Direction.SENT, message, read_clocks())
            except Exception as error:  # noqa: BLE001 - reported as the guard does
                report("observe a sent frame", error)
            try:
                result = await (send(message, *args, **kwargs) if args or kwargs else send(message))
            except BaseException as error:
                with guarded("record a failed send"):
                    self._not_sent(facts, error)
                raise
            if facts or self._timer is None:
                with guarded("record a sent frame"):
                    self._emit(facts)
            return result

        return observed_send

    def _received(self, message: Any) -> None:
        facts = self._observer.frame(Direction.RECEIVED, message, read_clocks())
        if facts or self._timer is None:
            self._emit(facts)

    def _not_sent(self, facts: list[Fact], error: BaseException) -> None:
        # Cancelled while waiting for the buffer to drain: the frame is on its way.
        self._emit(send_failed(facts) if isinstance(error, Exception) else facts)
        if isinstance(error, Exception):
            self._failed(error)

    def _failed(self, error: BaseException) -> None:
        # An error that leaves the socket open (a cancelled receive, a second reader) ends nothing.
        if getattr(self._socket, "close_code", None) is not None:
            self._finish(read_close(self._socket, error), error)

    def _finish(self, close: Close, error: BaseException | None, at: Instant | None = None) -> None:
        if self._has_ended:
            return
        self._has_ended = True
        self._stop_timers()
        close = replace(close, health=self._health.facts())
        self._let_go()
        self._emit(self._observer.closed(close, at or read_clocks()))
        self._sink.ended(error)

    def _stop_timers(self) -> None:
        for timer in (self._timer, self._look):
            if timer is not None:
                timer.cancel()
        self._timer = self._look = None

    def _emit(self, facts: list[Fact]) -> None:
        if facts:
            self._sink.emit(self._observer.identity, facts)
        if self._timer is None and not self._has_ended and self._observer.has_pending_frames:
            self._start_timer()

    def _start_timer(self) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._timer = self._loop.call_later(self._flush_interval_s, self._flush)

    def _flush(self) -> None:
        self._timer = None
        with guarded("flush frames"):
            self._emit(self._observer.flush(read_clocks()))


def _is_running(loop: asyncio.AbstractEventLoop) -> bool:
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False
