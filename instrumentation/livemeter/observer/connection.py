"""The session machine: frames and clock readings in, facts out. No I/O, no OpenTelemetry, no SDK type.

Theory of operation. One ``ConnectionObserver`` watches one WebSocket from the dial to its end. Whoever
owns the socket (the google-genai hooks, a proxy) calls ``frame`` for every message in either direction,
``flush`` when half a second went by without one, and ``closed`` once the socket is gone; each call
returns the facts that became known. Phases only move forward:

    handshake --opened()--> setup --first server frame--> active --closed()--> (nothing more)

The session, and with it the turn and pass numbers, is known when the setup frame passes: by the
application's word, else by the resumption handle, else it is this connection's own.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from livemeter.observer.batch import FrameBatch
from livemeter.observer.clock import Instant, ms_between
from livemeter.observer.facts import (
    ConnectionClosed,
    ConnectionStarted,
    Fact,
    GoAwayReceived,
    Identity,
    ResumptionChanged,
    Setup,
    ToolCallEnded,
)
from livemeter.observer.frames import Frame, read_frame
from livemeter.observer.passes import PassTracker
from livemeter.observer.payload import duration_ms, find, get, text
from livemeter.observer.sessions import SessionDirectory, SessionState
from livemeter.observer.setup import hash_handle, read_setup
from livemeter.observer.tools import ToolTracker
from livemeter.observer.turns import OUTPUT_KINDS, TurnTracker
from livemeter.observer.usage import read_usage
from livemeter.vocabulary import ClosedBy, Direction, Phase, ToolStatus

_AUDIO_ALONE = ("audio",)

# Looking a member up in its class costs as much as three comparisons.
_SENT = Direction.SENT
_ACTIVE = Phase.ACTIVE

_REQUEST_KINDS = {"clientContent", "text", "activityEnd", "toolResponse"}


@dataclass(frozen=True, slots=True)
class Close:
    """How a socket ended, as its owner saw it. ``code`` is None when no close frame came either way."""

    code: int | None = None
    reason: str = ""
    closed_by: ClosedBy = ClosedBy.NONE
    clean: bool = False
    http_status: int | None = None
    error_type: str = ""


class ConnectionObserver:
    """One connection. Not safe for concurrent calls: its owner's event loop is the only caller."""

    def __init__(
        self,
        connection_id: str,
        directory: SessionDirectory,
        now: Instant,
        *,
        identity: Identity | None = None,
        frames_interval_ms: float = 500,
    ) -> None:
        self.connection_id = connection_id
        self.phase = Phase.HANDSHAKE
        self._directory = directory
        self._identity = identity
        self._dialled = now
        self._setup = Setup()
        self._batch = FrameBatch(frames_interval_ms)
        self._tools = ToolTracker()
        self._has_setup = False
        self._closed = False
        self._last_sent: Instant | None = None
        self._last_received: Instant | None = None
        self._go_away: tuple[Instant, float | None] | None = None
        self._handle_hash = ""
        # Replaced when the setup frame says whose connection this is; a socket may die before.
        self._join(self._named(SessionState(self._own_session_id)), resumed=False)

    @property
    def identity(self) -> Identity:
        """Whose connection this is, as far as it is known now."""
        return Identity(self._state.session_id, self._state.user_id, self._state.labels)

    @property
    def model(self) -> str:
        """The model of the setup frame; empty before it."""
        return self._setup.model

    @property
    def has_pending_frames(self) -> bool:
        """Whether ``flush`` would return something."""
        return len(self._batch) > 0

    def opened(self) -> None:
        """Take note that the WebSocket handshake succeeded."""
        if self.phase is Phase.HANDSHAKE:
            self.phase = Phase.SETUP

    def frame(self, direction: Direction, raw: str | bytes, now: Instant) -> list[Fact]:
        """Observe one message and return the facts that it made known, in order."""
        if self._closed:
            return []
        frame = read_frame(direction, raw)
        if frame.contents == _AUDIO_ALONE and self.phase is _ACTIVE:
            facts = self._audio(frame, now)
        else:
            self.opened()
            facts = self._sent(frame, now) if direction is _SENT else self._received(frame, now)
        if self._batch.is_due(now.monotonic_ns):
            facts.append(self._batch.take(now.wall_ns))
        return facts

    def flush(self, now: Instant) -> list[Fact]:
        """Return the frames that wait."""
        return [self._batch.take(now.wall_ns)] if self.has_pending_frames else []

    def closed(self, close: Close, now: Instant) -> list[Fact]:
        """Return the end of the connection and of all that was open in it. The first call counts."""
        if self._closed:
            return []
        self._closed = True
        turn = self._turns.connection_closed(now)
        facts: list[Fact] = self.flush(now)
        facts += self._tools.connection_closed(now)
        facts += [turn] if turn else []
        facts.append(self._closing(close, now))
        if self._state.last_connection_id == self.connection_id:
            self._state.last_closed = now
        return facts

    def _audio(self, frame: Frame, now: Instant) -> list[Fact]:
        """Observe what nearly every frame is, by the shortest way to the same end as the two below."""
        if frame.direction is _SENT:
            self._last_sent = now
            self._passes.heard(frame.audio_ms)
            turn = self._turns.listened(now)
        else:
            self._last_received = now
            self._passes.generated(frame.audio_ms)
            turn = self._turns.spoke(frame.audio_ms, now)
        self._batch.add(frame, turn, now.monotonic_ns, now.wall_ns)
        return []

    # What the application sent.

    def _sent(self, frame: Frame, now: Instant) -> list[Fact]:
        self._last_sent = now
        if "setup" in frame.contents and not self._has_setup:
            self._setup_sent(frame)
        self._turns.sent(frame, now)
        if any(kind in _REQUEST_KINDS for kind in frame.contents):
            self._passes.requested()
        self._passes.heard(frame.audio_ms)
        facts: list[Fact] = []
        if "toolResponse" in frame.contents:
            facts += self._tools.responded(frame.message, self._turns.number, now)
        self._batch.add(frame, self._turns.number, now.monotonic_ns, now.wall_ns)
        return facts

    def _setup_sent(self, frame: Frame) -> None:
        self._has_setup = True
        self._setup = read_setup(get(frame.message, "setup"))
        if self.phase is not Phase.SETUP or self._turns.number:
            return  # Out of order; the server will refuse, and what was counted stays counted.
        handle_hash = self._setup.resumption_handle_hash
        known = self._directory.by_handle(handle_hash) if handle_hash else None
        named_by_app = self._identity is not None and self._identity.session_id
        if known is None or named_by_app:
            known = self._directory.session(self._own_session_id)
        self._join(self._named(known), resumed=bool(handle_hash))

    @property
    def _own_session_id(self) -> str:
        """The session's id, if no resumption handle says otherwise."""
        return (self._identity.session_id if self._identity else "") or self.connection_id

    def _named(self, state: SessionState) -> SessionState:
        if self._identity is not None:
            state.user_id = self._identity.user_id or state.user_id
            state.labels = {**state.labels, **self._identity.labels}
        return state

    def _join(self, state: SessionState, *, resumed: bool) -> None:
        self._state = state
        self._turns = TurnTracker(state)
        self._passes = PassTracker(state, resumed=resumed)
        state.connections += 1
        self._attempt = state.connections
        self._resumed_from = state.last_connection_id
        # None while the connection before is still open: a hand-over without a gap.
        self._last_closed, state.last_closed = state.last_closed, None
        self._reconnect_delay_ms = ms_between(self._last_closed, self._dialled)
        state.last_connection_id = self.connection_id

    # What the server sent.

    def _received(self, frame: Frame, now: Instant) -> list[Fact]:
        self._last_received = now
        facts: list[Fact] = self._started(frame, now) if self.phase is Phase.SETUP else []
        self._turns.received(frame, now)
        if any(kind in OUTPUT_KINDS for kind in frame.contents):
            self._passes.generated(frame.audio_ms)
        if "toolCall" in frame.contents:
            self._tools.called(frame.message, self._turns.number, now)
        if "toolCallCancellation" in frame.contents:
            facts += self._tools.cancelled(frame.message, now)
        # The batch row and the usage take the turn before this frame may end it.
        self._batch.add(frame, self._turns.number, now.monotonic_ns, now.wall_ns)
        facts += self._usage(frame, now)
        facts += self._lifecycle(frame, now)
        return facts

    def _usage(self, frame: Frame, now: Instant) -> list[Fact]:
        facts: list[Fact] = []
        if "usageMetadata" in frame.contents:
            usage = read_usage(get(frame.message, "usageMetadata"))
            facts.append(self._passes.reported(usage, self._turns.turn_of_usage, now))
        ended = self._turns.ended(frame, now)
        return [*facts, ended] if ended else facts

    def _lifecycle(self, frame: Frame, now: Instant) -> list[Fact]:
        facts: list[Fact] = []
        if "goAway" in frame.contents:
            time_left_ms = duration_ms(find(frame.message, "goAway", "timeLeft"))
            self._go_away = (now, time_left_ms)
            facts.append(GoAwayReceived(now.wall_ns, time_left_ms))
        if "sessionResumptionUpdate" in frame.contents:
            facts += self._resumption(get(frame.message, "sessionResumptionUpdate"), now)
        return facts

    def _resumption(self, update: object, now: Instant) -> list[Fact]:
        handle = text(get(update, "newHandle"))
        handle_hash = hash_handle(handle) if handle else ""
        if handle_hash:
            self._directory.handle_given(handle_hash, self._state)
        if handle_hash == self._handle_hash:
            return []
        self._handle_hash = handle_hash
        return [ResumptionChanged(now.wall_ns, handle_hash, get(update, "resumable") is True)]

    def _started(self, frame: Frame, now: Instant) -> list[Fact]:
        self.phase = Phase.ACTIVE
        return [
            ConnectionStarted(
                at_ns=now.wall_ns,
                opened_at_ns=self._dialled.wall_ns,
                setup_ms=ms_between(self._dialled, now) or 0.0,
                setup=self._setup,
                google_session_id=text(find(frame.message, "setupComplete", "sessionId")),
                attempt=self._attempt,
                resumed_from=self._resumed_from,
                reconnect_delay_ms=self._reconnect_delay_ms,
                gap_ms=ms_between(self._last_closed, now),
            )
        ]

    def _closing(self, close: Close, now: Instant) -> ConnectionClosed:
        go_away, time_left_ms = self._go_away or (None, None)
        since_go_away_ms = ms_between(go_away, now)
        overrun_ms = None
        if since_go_away_ms is not None and time_left_ms is not None:
            overrun_ms = max(0.0, since_go_away_ms - time_left_ms)
        return ConnectionClosed(
            at_ns=now.wall_ns,
            opened_at_ns=self._dialled.wall_ns,
            duration_ms=ms_between(self._dialled, now) or 0.0,
            setup=self._setup,
            code=close.code,
            reason=close.reason,
            closed_by=close.closed_by,
            clean=close.clean,
            phase=self.phase,
            http_status=close.http_status,
            error_type=close.error_type,
            attempt=self._attempt,
            resumed_from=self._resumed_from,
            since_tool_response_ms=ms_between(self._tools.last_response, now),
            since_go_away_ms=since_go_away_ms,
            go_away_overrun_ms=overrun_ms,
            context_tokens=self._passes.context_tokens,
            last_sent_at_ns=self._last_sent.wall_ns if self._last_sent else None,
            last_received_at_ns=self._last_received.wall_ns if self._last_received else None,
        )


def send_failed(facts: Sequence[Fact]) -> list[Fact]:
    """Return the facts of a sent frame as they stand when the socket refused to take it."""
    return [
        replace(fact, status=ToolStatus.SEND_FAILED) if isinstance(fact, ToolCallEnded) else fact
        for fact in facts
    ]
