"""Turns: one exchange each, numbered per session, from its first frame to turnComplete.

A turn opens with the first input or output after the last one ended. A usage frame that trails
turnComplete belongs to the turn that ended: see ``turn_of_usage``. An input that only streams (the
microphone) opens a turn but does not make one: if nothing else comes, it leaves no trace.

What is asked while the model speaks, and interrupts it, is answered in the next turn: that one's first
audio is measured from it, and the user's speech that it ends counts there.

Transcripts trail too. A piece after turnComplete is the ended turn's, and opens none, as long as nothing was
asked, answered or heard since; where a microphone streams on, nobody can tell for sure, and such a piece is
late for one second. The user's own words are never late where he speaks, or has interrupted. The fact of a
late piece carries the turn it belongs to; that turn's figures have left, so its characters are counted in
the next turn that ends, and where none does, in one that the close of the connection makes of them.
"""

from typing import NamedTuple

from livemeter.observer.activity import Detection, UserActivity, read_detections
from livemeter.observer.asking import Asking, Origin
from livemeter.observer.clock import Instant, ms_between
from livemeter.observer.facts import Fact, Flushed, TranscriptPiece, TurnEnded, VoiceActivityDetected
from livemeter.observer.frames import Frame
from livemeter.observer.open_turn import OpenTurn
from livemeter.observer.payload import Payload, find, get, strings, text
from livemeter.observer.sessions import SessionState
from livemeter.observer.transcripts import TranscriptSize
from livemeter.vocabulary import Side, TurnEnd

OUTPUT_KINDS = {
    "audio",
    "video",
    "image",
    "inlineData",
    "text",
    "thought",
    "executableCode",
    "codeExecutionResult",
    "toolCall",
}
"""Kinds of received frames that are something the model made."""

MAX_LATE_MS = 1_000
"""So long a transcript may trail turnComplete while a microphone streams on."""

_STREAMED_INPUT = {"audio", "video", "mediaChunks"}
_REQUESTS = {
    "clientContent": Origin.CLIENT_CONTENT,
    "text": Origin.TEXT,
    "toolResponse": Origin.TOOL_RESPONSE,
}
_TRANSCRIPTS = {Side.INPUT: "inputTranscription", Side.OUTPUT: "outputTranscription"}
_DETECTIONS = {"voiceActivity", "voiceActivityDetectionSignal"}
_STILL_WORKING = "IN_PROGRESS"


class _Ended(NamedTuple):
    number: int
    at: Instant
    reason: TurnEnd


class TurnTracker:
    """The turns of one connection; the count lives in the session, which may outlive it."""

    def __init__(self, state: SessionState, *, capture_content: bool = False) -> None:
        self._state = state
        self._capture_content = capture_content
        self._open: OpenTurn | None = None
        self._last: _Ended | None = None
        self._activity = UserActivity()
        self._to_answer = Asking()
        self._late = {side: TranscriptSize() for side in Side}

    @property
    def number(self) -> int:
        """The open turn, else the last one; 0 before the first."""
        return self._open.number if self._open else self._state.turns

    @property
    def turn_of_usage(self) -> int:
        """The turn a usage frame belongs to now: the one that ended, until the server answers the next."""
        turn = self._open
        if turn is not None and (turn.answered or self._last is None):
            return turn.number
        return self._last.number if self._last else self._state.turns

    @property
    def is_open(self) -> bool:
        """Whether a turn is open: of its streamed audio only the last instant counts."""
        return self._open is not None

    @property
    def is_speaking(self) -> bool:
        """Whether the open turn has had its first audio: ``spoke`` only adds to it."""
        return self._open is not None and self._open.has_audio

    # What the application sent.

    def sent(self, frame: Frame, now: Instant, *, answers_call: bool = True) -> list[Fact]:
        """Take note of what the application sent; return the flush that it completed.

        Args:
            frame: the frame.
            now: when it crossed the socket.
            answers_call: whether a tool response in it met an open call; one that did not (an old answer
                sent again after a reconnect) asks the model for nothing.
        """
        facts: list[Fact] = []
        for kind in frame.contents:
            if kind in _STREAMED_INPUT:
                is_audio = kind == "audio" or (kind == "mediaChunks" and frame.audio_ms > 0)
                self._streamed(now, is_audio=is_audio)
            elif kind == "activityStart":
                facts += self._activity_started(now)
            elif kind == "activityEnd":
                self._activity_ended(now)
            elif kind in _REQUESTS and (answers_call or kind != "toolResponse"):
                self._requested(kind, frame.message, now)
        return facts

    def listened(self, now: Instant) -> int:
        """Take note of audio from the application alone; return its turn.

        One call may stand for many frames, the last of them now, while ``is_open``.
        """
        return self._streamed(now, is_audio=True).number

    def _streamed(self, now: Instant, *, is_audio: bool) -> OpenTurn:
        turn = self._opened(now)
        if is_audio:
            turn.inputs.last_audio = now
        return turn

    def _activity_started(self, now: Instant) -> list[Fact]:
        turn = self._asked(now)
        flush = self._activity.started(now)
        if flush is None:
            return []
        chars = turn.flushed()
        return [Flushed(now.wall_ns, turn.number, flush.spelling, flush.speech_ms, flush.gap_ms, chars)]

    def _activity_ended(self, now: Instant) -> None:
        inputs = self._asked(now).inputs
        inputs.marked(self._activity.ended(now))
        inputs.ask(Origin.ACTIVITY_END, now)

    def _requested(self, kind: str, message: Payload, now: Instant) -> None:
        turn = self._asked(now)
        if kind == "clientContent" and find(message, kind, "turnComplete") is not True:
            self._activity.content_left_open(now)
            return
        if kind != "toolResponse":  # A tool answers when it is ready, also amid a flush.
            self._activity.no_flush()
        turn.inputs.ask(_REQUESTS[kind], now)

    # What the server sent.

    def received(self, frame: Frame, now: Instant) -> list[Fact]:
        """Take note of what the server sent, but for the end of the turn; return what it heard."""
        contents = frame.contents
        facts: list[Fact] = []
        if not _DETECTIONS.isdisjoint(contents):
            facts += [self._detected(detection, now) for detection in read_detections(frame.message)]
        is_output = not OUTPUT_KINDS.isdisjoint(contents)
        if is_output:
            self._output(now, has_audio="audio" in contents).model_speech_ms += frame.audio_ms
        content = get(frame.message, "serverContent")
        for side, kind in _TRANSCRIPTS.items():
            if kind in contents:
                facts += self._transcribed(side, text(find(content, kind, "text")), now)
        if is_output:
            self._activity.transcript_gap.answered()
        self._progressed(contents, content, now)
        return facts

    def spoke(self, audio_ms: float, now: Instant) -> int:
        """Take note of audio from the model alone; return its turn.

        One call may stand for many frames, the last of them now, while ``is_speaking``.
        """
        turn = self._output(now, has_audio=True)
        self._activity.transcript_gap.answered()
        turn.model_speech_ms += audio_ms
        return turn.number

    def _detected(self, detection: Detection, now: Instant) -> Fact:
        if detection.starts or detection.ends:
            inputs = self._asked(now).inputs
            inputs.detected(self._activity.detected(detection, now))
            if detection.ends:
                inputs.ask(Origin.VOICE_ACTIVITY_END, now)
        return VoiceActivityDetected(now.wall_ns, self.number, detection.kind, detection.offset_ms)

    def _output(self, now: Instant, *, has_audio: bool) -> OpenTurn:
        turn = self._opened(now)
        self._activity.no_flush()
        turn.output(now, has_audio=has_audio, user_speaks=self._activity.is_open)
        return turn

    def _transcribed(self, side: Side, piece: str, now: Instant) -> list[Fact]:
        if not piece:
            return []
        last = self._last
        if last is not None and self._is_late(side, last, now):
            number = last.number
            self._late[side].add(piece)
        else:
            turn = self._opened(now)
            number = turn.number
            turn.transcripts[side].add(piece)
            if side is Side.INPUT:
                self._activity.transcript_gap.piece(now)
        return [TranscriptPiece(now.wall_ns, number, side, piece)] if self._capture_content else []

    def _is_late(self, side: Side, last: _Ended, now: Instant) -> bool:
        if side is Side.INPUT and (self._activity.is_open or last.reason is TurnEnd.INTERRUPTED):
            return False
        turn = self._open
        if turn is None and not self._to_answer.is_more_than_streamed:
            return True
        if turn is not None and turn.is_more_than_streamed:
            return False
        return (ms_between(last.at, now) or 0.0) <= MAX_LATE_MS

    def _progressed(self, contents: tuple[str, ...], content: object, now: Instant) -> None:
        turn = self._open
        if turn is None:
            return
        turn.interrupted |= "interrupted" in contents
        if "generationComplete" in contents:
            turn.generated = now
        if "groundingMetadata" in contents:
            turn.grounded(strings(find(content, "groundingMetadata", "webSearchQueries")))
        if "turnComplete" in contents:
            turn.completed(text(get(content, "turnCompleteReason")))
            self._activity.no_flush()

    # Where a turn begins and ends.

    def ended(self, frame: Frame, now: Instant) -> TurnEnded | None:
        """Return the turn that this frame ends, if it does.

        Models that think at length send turnComplete with status IN_PROGRESS several times in an
        exchange; only IDLE, or no status, ends it.
        """
        if "turnComplete" not in frame.contents or self._open is None:
            return None
        if text(find(frame.message, "serverContent", "interactionStatus")) == _STILL_WORKING:
            return None
        reason = TurnEnd.INTERRUPTED if self._open.interrupted else TurnEnd.COMPLETE
        return self._close(self._open, reason, now)

    def connection_closed(self, now: Instant) -> TurnEnded | None:
        """Return the turn that the close cut short, if there was more to it than streamed input."""
        is_late_told = not any(size.chars for size in self._late.values())
        if not is_late_told or self._to_answer.is_more_than_streamed:
            self._opened(now)
        turn = self._open
        if turn is None or (is_late_told and not turn.is_more_than_streamed):
            return None
        return self._close(turn, TurnEnd.CONNECTION_CLOSED, now)

    def _opened(self, now: Instant) -> OpenTurn:
        if self._open is None:
            self._open = OpenTurn(self._state.turns + 1, now, self._state.app_phase, self._to_answer)
            self._open.is_asked = self._to_answer.is_more_than_streamed
        return self._open

    def _asked(self, now: Instant) -> OpenTurn:
        turn = self._opened(now)
        turn.is_asked = True
        return turn

    def _close(self, turn: OpenTurn, reason: TurnEnd, now: Instant) -> TurnEnded:
        self._open = None
        self._last = _Ended(turn.number, now, reason)
        # Two connections of a session may overlap, and the other may have counted on.
        self._state.turns = max(self._state.turns, turn.number)
        self._to_answer = turn.left_to_answer(reason)
        for side in Side:
            turn.transcripts[side] += self._late[side]
            self._late[side] = TranscriptSize()
        return turn.ended(reason, now, self._activity.transcript_gap.take(now))
