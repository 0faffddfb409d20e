"""Turns: one exchange each, numbered per session, from its first frame to turnComplete.

A turn opens with the first input or output after the last one ended. A usage frame that trails
turnComplete belongs to the turn that ended: see ``turn_of_usage``. An input that only streams (the
microphone) opens a turn but does not make one: if nothing else comes, it leaves no trace.
"""

from dataclasses import dataclass, field

from livemeter.observer.clock import Instant, ms_between
from livemeter.observer.facts import TurnEnded
from livemeter.observer.frames import Frame
from livemeter.observer.payload import find, get, strings, text
from livemeter.observer.sessions import SessionState
from livemeter.vocabulary import TurnEnd

_STREAMED_INPUT = {"audio", "video", "mediaChunks"}
_ASKING_INPUT = {"clientContent", "text", "activityStart", "activityEnd", "toolResponse"}
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

_NO_QUESTION = {"", "audio"}
_STILL_WORKING = "IN_PROGRESS"


@dataclass(slots=True)
class _OpenTurn:
    number: int
    started: Instant
    asked: bool = False
    answered: bool = False
    has_output: bool = False
    interrupted: bool = False
    input_ended: Instant | None = None
    input_kind: str = ""
    user_speech_ms: float | None = None
    first_output: Instant | None = None
    generated: Instant | None = None
    first_audio_ms: float | None = None
    first_audio_from: str = ""
    model_speech_ms: float = 0.0
    transcript_in: list[str] = field(default_factory=list[str])
    transcript_out: list[str] = field(default_factory=list[str])
    grounding_queries: set[str] = field(default_factory=set[str])


class TurnTracker:
    """The turns of one connection; the count lives in the session, which may outlive it."""

    def __init__(self, state: SessionState) -> None:
        self._state = state
        self._open: _OpenTurn | None = None
        self._last_ended = 0
        # Not part of a turn: who interrupts starts to speak while the turn before is still open.
        self._speaking_since: Instant | None = None

    @property
    def number(self) -> int:
        """The open turn, else the last one; 0 before the first."""
        return self._open.number if self._open else self._state.turns

    @property
    def turn_of_usage(self) -> int:
        """The turn a usage frame belongs to now: the one that ended, until the server answers the next."""
        turn = self._open
        if turn is not None and (turn.answered or not self._last_ended):
            return turn.number
        return self._last_ended or self._state.turns

    def sent(self, frame: Frame, now: Instant) -> None:
        """Take note of what the application sent."""
        for kind in frame.contents:
            if kind in _STREAMED_INPUT:
                turn = self._opened(now)
                is_audio = kind == "audio" or (kind == "mediaChunks" and frame.audio_ms > 0)
                if is_audio and turn.input_kind in _NO_QUESTION:
                    turn.input_ended, turn.input_kind = now, "audio"
            elif kind in _ASKING_INPUT:
                self._asked(kind, frame, now)

    def listened(self, now: Instant) -> int:
        """Take note of a frame that held audio from the application alone; return its turn."""
        turn = self._open or self._opened(now)
        if turn.input_kind in _NO_QUESTION:
            turn.input_ended, turn.input_kind = now, "audio"
        return turn.number

    def spoke(self, audio_ms: float, now: Instant) -> int:
        """Take note of a frame that held audio from the model alone; return its turn."""
        turn = self._open or self._opened(now)
        if turn.first_audio_ms is None:
            self._output(turn, now, has_audio=True)
        turn.model_speech_ms += audio_ms
        return turn.number

    def received(self, frame: Frame, now: Instant) -> None:
        """Take note of what the server sent, but for the end of the turn."""
        content = get(frame.message, "serverContent")
        if any(kind in OUTPUT_KINDS for kind in frame.contents):
            answering = self._opened(now)
            self._output(answering, now, has_audio="audio" in frame.contents)
            answering.model_speech_ms += frame.audio_ms
        self._transcripts(content, now)
        turn = self._open
        if turn is None:
            return
        turn.answered |= "turnComplete" in frame.contents
        turn.interrupted |= "interrupted" in frame.contents
        if "generationComplete" in frame.contents:
            turn.generated = now
        turn.grounding_queries.update(strings(find(content, "groundingMetadata", "webSearchQueries")))

    def ended(self, frame: Frame, now: Instant) -> TurnEnded | None:
        """Return the turn that this frame ends, if it does.

        Models that think at length send turnComplete with status IN_PROGRESS several times in an
        exchange; only IDLE, or no status, ends it.
        """
        if "turnComplete" not in frame.contents or self._open is None:
            return None
        if text(find(frame.message, "serverContent", "interactionStatus")) == _STILL_WORKING:
            return None
        return self._close(now, TurnEnd.INTERRUPTED if self._open.interrupted else TurnEnd.COMPLETE)

    def connection_closed(self, now: Instant) -> TurnEnded | None:
        """Return the turn that the close cut short, if there was more to it than streamed input."""
        turn = self._open
        if turn is None or not (turn.asked or turn.has_output):
            return None
        return self._close(now, TurnEnd.CONNECTION_CLOSED)

    def _opened(self, now: Instant) -> _OpenTurn:
        if self._open is None:
            self._open = _OpenTurn(self._state.turns + 1, now)
        return self._open

    def _asked(self, kind: str, frame: Frame, now: Instant) -> None:
        turn = self._opened(now)
        turn.asked = True
        if kind == "activityStart":
            self._speaking_since = self._speaking_since or now
            return
        if kind == "clientContent" and get(get(frame.message, kind), "turnComplete") is False:
            return
        if kind == "activityEnd":
            spoken_ms = ms_between(self._speaking_since, now)
            if spoken_ms is not None:
                turn.user_speech_ms = (turn.user_speech_ms or 0.0) + spoken_ms
            self._speaking_since = None
        turn.input_ended, turn.input_kind = now, kind

    def _output(self, turn: _OpenTurn, now: Instant, *, has_audio: bool) -> None:
        turn.answered = turn.has_output = True
        turn.first_output = turn.first_output or now
        if has_audio and turn.first_audio_ms is None and turn.input_ended is not None:
            turn.first_audio_ms = ms_between(turn.input_ended, now)
            turn.first_audio_from = _MEASURED_FROM[turn.input_kind]

    def _transcripts(self, content: object, now: Instant) -> None:
        spoken = text(find(content, "inputTranscription", "text"))
        answered = text(find(content, "outputTranscription", "text"))
        if spoken:
            self._opened(now).transcript_in.append(spoken)
        if answered:
            self._opened(now).transcript_out.append(answered)

    def _close(self, now: Instant, reason: TurnEnd) -> TurnEnded:
        turn = self._open
        assert turn is not None  # noqa: S101 - both callers have looked
        self._open = None
        self._last_ended = turn.number
        # Two connections of a session may overlap, and the other may have counted on.
        self._state.turns = max(self._state.turns, turn.number)
        heard, said = "".join(turn.transcript_in), "".join(turn.transcript_out)
        return TurnEnded(
            at_ns=now.wall_ns,
            turn=turn.number,
            started_at_ns=turn.started.wall_ns,
            turn_ms=ms_between(turn.started, now) or 0.0,
            first_audio_ms=turn.first_audio_ms,
            first_audio_from=turn.first_audio_from,
            first_output_at_ns=turn.first_output.wall_ns if turn.first_output else None,
            generation_ms=ms_between(turn.first_output, turn.generated) if turn.generated else None,
            user_speech_ms=turn.user_speech_ms,
            model_speech_ms=turn.model_speech_ms,
            interrupted=turn.interrupted,
            end_reason=reason,
            has_output=turn.has_output,
            transcript_chars_in=len(heard),
            transcript_chars_out=len(said),
            transcript_bytes_in=len(heard.encode("utf-8", "surrogatepass")),
            transcript_bytes_out=len(said.encode("utf-8", "surrogatepass")),
            grounding_queries=len(turn.grounding_queries),
        )


_MEASURED_FROM = {
    "audio": "last_audio_sent",
    "text": "text",
    "clientContent": "client_content",
    "activityEnd": "activity_end",
    "toolResponse": "tool_response",
}
