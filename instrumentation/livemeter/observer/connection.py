"""The session machine: frames and clock readings in, facts out. No I/O, no OpenTelemetry, no SDK type.

Theory of operation. One ``ConnectionObserver`` watches one WebSocket from the dial to its end. Whoever
owns the socket (the google-genai hooks, a proxy) calls ``frame`` for every message in either direction,
``flush`` when half a second went by without one, and ``closed`` once the socket is gone; each call
returns the facts that became known. Before ``frame`` he offers each message to ``take_sent`` or
``take_received``: nearly all audio is taken there, at a tenth of the cost, and said with the next facts.
Phases only move forward:

    handshake --opened()--> setup --first server frame--> active --closed()--> (nothing more)

The session, and with it the turn and pass numbers, is known when the setup frame passes: ``membership.py``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from livemeter.observer.batch import FrameBatch
from livemeter.observer.clock import Instant, ms_between
from livemeter.observer.facts import (
    NOT_WATCHED,
    ConnectionClosed,
    ConnectionStarted,
    Fact,
    GoAwayReceived,
    Health,
    Identity,
    OutcomeReached,
    PhaseEntered,
    ResumptionChanged,
    Setup,
    ToolCallEnded,
    ToolsExpected,
)
from livemeter.observer.frames import Frame, read_frame
from livemeter.observer.lane import Lanes, Run
from livemeter.observer.membership import Membership
from livemeter.observer.passes import PassTracker
from livemeter.observer.payload import duration_ms, find, get, text
from livemeter.observer.sessions import SessionDirectory
from livemeter.observer.setup import hash_handle, read_setup
from livemeter.observer.tools import ToolTracker
from livemeter.observer.turns import OUTPUT_KINDS, TurnTracker
from livemeter.observer.usage import read_usage
from livemeter.vocabulary import ClosedBy, Direction, Phase, ToolStatus

_AUDIO_ALONE = {("audio",), ("mediaChunks",)}
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
    exception_chain: tuple[str, ...] = ()
    health: Health = NOT_WATCHED


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
        capture_content: bool = False,
    ) -> None:
        self.connection_id = connection_id
        self.phase = Phase.HANDSHAKE
        self._directory = directory
        self._member = Membership(connection_id, directory, now, identity)
        self._dialled = now
        self._setup = Setup()
        self._batch = FrameBatch(frames_interval_ms)
        self._capture_content = capture_content
        self.lanes = Lanes()
        self.take_sent, self.take_received = self.lanes.sent.take, self.lanes.received.take
        self._has_setup = False
        self._closed = False
        self._last_sent: Instant | None = None
        self._last_received: Instant | None = None
        self._go_away: tuple[Instant, float | None] | None = None
        self._resumable = False
        self._begin(resumed=False)

    @property
    def identity(self) -> Identity:
        """Whose connection this is, as far as it is known now."""
        return self._member.identity

    @property
    def model(self) -> str:
        """The model of the setup frame; empty before it."""
        return self._setup.model

    @property
    def has_pending_frames(self) -> bool:
        """Whether ``flush`` would return something."""
        return len(self._batch) > 0 or len(self.lanes.waiting) > 0

    def opened(self) -> None:
        """Take note that the WebSocket handshake succeeded."""
        if self.phase is Phase.HANDSHAKE:
            self.phase = Phase.SETUP

    def set_up_before(self, google_session_id: str, now: Instant) -> list[Fact]:
        """Take a connection that came to life before anybody watched; what its setup said is not known."""
        self.opened()
        return self._come_to_life(google_session_id, None, now) if self.phase is Phase.SETUP else []

    def frame(self, direction: Direction, raw: str | bytes, now: Instant) -> list[Fact]:
        """Observe one message and return the facts that it made known, in order."""
        if self._closed:
            return []
        is_like_audio = self.lanes.of(direction).put_aside(raw, now.monotonic_ns)
        facts = self._settle(now)
        if not is_like_audio:
            facts += self._observe(direction, raw, now)
        if self._batch.is_due(now.monotonic_ns):
            facts.append(self._batch.take(now.wall_ns))
        return facts

    def flush(self, now: Instant) -> list[Fact]:
        """Return the frames that wait. The next one of each direction goes the long way."""
        facts = self._settle(now)
        self.lanes.open(sent=False, received=False)
        return [*facts, self._batch.take(now.wall_ns)] if len(self._batch) else facts

    def identify(self, identity: Identity) -> list[Fact]:
        """Take the application's word, given after the dial, for whose connection this is."""
        self._member.identify(identity)
        return []

    def phase_entered(self, phase: str, now: Instant) -> list[Fact]:
        """Take note of what the application does now."""
        self._member.state.app_phase = phase
        return [PhaseEntered(now.wall_ns, self._turns.number, phase)]

    def tools_expected(self, tools: Sequence[str], now: Instant) -> list[Fact]:
        """Take note of the tools that the application expects to be called."""
        return [ToolsExpected(now.wall_ns, self._turns.number, tuple(tools))]

    def outcome_reached(self, outcome: str, detail: str, now: Instant) -> list[Fact]:
        """Take note of how the session came out."""
        return [OutcomeReached(now.wall_ns, self._turns.number, outcome, detail)]

    def closed(self, close: Close, now: Instant) -> list[Fact]:
        """Return the end of the connection and of all that was open in it. The first call counts."""
        if self._closed:
            return []
        facts = self.flush(now)
        self._closed = True
        self._join_unasked()
        open_calls = self._tools.open_calls
        turn = self._turns.connection_closed(now)
        facts += self._tools.connection_closed(now)
        facts += [turn] if turn else []
        facts.append(replace(self._closing(close, now), tool_calls_open=open_calls))
        self._member.left(now, was_active=self.phase is Phase.ACTIVE)
        return facts

    def _settle(self, now: Instant) -> list[Fact]:
        """Observe what the lanes put aside: audio as one run, what only began like it the long way."""
        facts: list[Fact] = []
        ahead_ns = now.wall_ns - now.monotonic_ns
        waiting = self.lanes.take_waiting()
        while waiting:
            run = self.lanes.run(waiting, ahead_ns)
            if run is not None:
                self._heard_audio(run, waiting[0][0])
                del waiting[: len(run.rows)]
            else:
                monotonic_ns, likeness, raw = waiting.pop(0)
                at = Instant(monotonic_ns, monotonic_ns + ahead_ns)
                facts += self._observe(likeness.frame.direction, raw, at)
        return facts

    def _heard_audio(self, run: Run, monotonic_ns: int) -> None:
        if run.sent is not None:
            self._last_sent = run.sent.last
            self._passes.heard(run.sent.audio_ms)
            self._turns.listened(run.sent.last)
        if run.received is not None:
            self._last_received = run.received.last
            turn = self._turns.spoke(run.received.audio_ms, run.received.last)
            self._passes.generated(run.received.audio_ms, turn)
        self._batch.add_run(run, self._turns.number, monotonic_ns)

    def _observe(self, direction: Direction, raw: str | bytes, now: Instant) -> list[Fact]:
        """Observe one message the long way."""
        frame = read_frame(direction, raw)
        self.opened()
        facts = self._sent(frame, now) if direction is Direction.SENT else self._received(frame, now)
        if frame.contents in _AUDIO_ALONE:
            self.lanes.of(direction).teach(frame, raw)
        # As long as the turn stands as it does now, audio changes nothing but sums and last times.
        active = self.phase is Phase.ACTIVE
        self.lanes.open(sent=active and self._turns.is_open, received=active and self._turns.is_speaking)
        return facts

    # What the application sent.

    def _sent(self, frame: Frame, now: Instant) -> list[Fact]:
        self._last_sent = now
        if "setup" in frame.contents and not self._has_setup:
            self._setup_sent(frame)
        answered = self._answered(frame, now) if "toolResponse" in frame.contents else []
        facts = [*self._turns.sent(frame, now, answers_call=self._tools.met_call), *answered]
        if any(kind in _REQUEST_KINDS for kind in frame.contents):
            self._passes.requested()
        self._passes.heard(frame.audio_ms)
        self._batch.add(frame, self._turns.number, now.monotonic_ns, now.wall_ns)
        return facts

    def _answered(self, frame: Frame, now: Instant) -> list[ToolCallEnded]:
        return self._tools.responded(frame.message, self._turns.number, now, valid_utf8=frame.is_utf8)

    def _setup_sent(self, frame: Frame) -> None:
        self._has_setup = True
        self._setup = read_setup(get(frame.message, "setup"), size=frame.size)
        if self.phase is not Phase.SETUP or self._turns.number:
            return  # Out of order; the server will refuse, and what was counted stays counted.
        self._member.join(self._setup)
        self._begin(resumed=bool(self._setup.resumption_handle_hash))

    def _join_unasked(self) -> None:
        """Join a session without a setup frame: it never came, or passed before anybody watched."""
        if not self._member.has_joined and not self._turns.number:
            self._member.join(None)
            self._begin(resumed=False)

    def _begin(self, *, resumed: bool) -> None:
        state = self._member.state
        self._turns = TurnTracker(state, capture_content=self._capture_content)
        self._passes = PassTracker(state, resumed=resumed, is_from_elsewhere=self._member.is_from_elsewhere)
        self._tools = ToolTracker(state.ended_calls, capture_content=self._capture_content)

    # What the server sent.

    def _received(self, frame: Frame, now: Instant) -> list[Fact]:
        self._last_received = now
        facts: list[Fact] = []
        if self.phase is Phase.SETUP:
            google_session_id = text(find(frame.message, "setupComplete", "sessionId"))
            setup_ms = ms_between(self._dialled, now) if self._has_setup else None
            facts += self._come_to_life(google_session_id, setup_ms, now)
        facts += self._turns.received(frame, now)
        if any(kind in OUTPUT_KINDS for kind in frame.contents):
            self._passes.generated(frame.audio_ms, self._turns.number)
        if "toolCall" in frame.contents:
            facts += self._tools.called(frame.message, self._turns.number, now)
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
            self._directory.handle_given(handle_hash, self._member.state)
            self._batch.handle_given(handle_hash)
        resumable = bool(handle) and get(update, "resumable") is True
        if resumable == self._resumable:
            return []
        self._resumable = resumable
        return [ResumptionChanged(now.wall_ns, handle_hash, resumable)]

    def _come_to_life(self, google_session_id: str, setup_ms: float | None, now: Instant) -> list[Fact]:
        self.phase = Phase.ACTIVE
        self._join_unasked()
        self._passes.came_to_life()
        return [
            ConnectionStarted(
                at_ns=now.wall_ns,
                opened_at_ns=self._dialled.wall_ns,
                setup_ms=setup_ms,
                setup=self._setup,
                google_session_id=google_session_id,
                attempt=self._member.attempt,
                resumed_from=self._member.resumed_from,
                reconnect_delay_ms=self._member.reconnect_delay_ms,
                gap_ms=self._member.came_to_life(now),
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
            attempt=self._member.attempt,
            resumed_from=self._member.resumed_from,
            since_tool_response_ms=ms_between(self._tools.last_response, now),
            since_go_away_ms=since_go_away_ms,
            go_away_overrun_ms=overrun_ms,
            context_tokens=self._passes.context_tokens,
            last_sent_at_ns=self._last_sent.wall_ns if self._last_sent else None,
            last_received_at_ns=self._last_received.wall_ns if self._last_received else None,
            frames=self._batch.frames,
            app_phase=self._member.state.app_phase,
            exception_chain=close.exception_chain,
            health=close.health,
        )


def send_failed(facts: Sequence[Fact]) -> list[Fact]:
    """Return the facts of a sent frame as they stand when the socket refused to take it."""
    return [
        replace(fact, status=ToolStatus.SEND_FAILED) if isinstance(fact, ToolCallEnded) else fact
        for fact in facts
    ]
