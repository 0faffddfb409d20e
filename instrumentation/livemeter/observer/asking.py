"""What the model was asked, so that the time to its first audio has a beginning.

Of all that the application sends, the answer waited for the last thing that asked for one: the end of the
user's activity, text, content, a tool response, or the end of speech as the server heard it. A microphone
asks for nothing by itself (with automatic detection it streams on through the silence), so its last audio
counts only where nothing else is known.
"""

from dataclasses import dataclass
from enum import StrEnum

from livemeter.observer.clock import Instant


class Origin(StrEnum):
    """From what the time to the first audio is measured."""

    ACTIVITY_END = "activity_end"
    VOICE_ACTIVITY_END = "voice_activity_end"
    TEXT = "text"
    CLIENT_CONTENT = "client_content"
    TOOL_RESPONSE = "tool_response"
    LAST_AUDIO_SENT = "last_audio_sent"


@dataclass(slots=True)
class Asking:
    """What the user's side did in one stretch of a turn: what asked for an answer, and how long he spoke.

    ``asked`` is the last request but for activityEnd, which has ``activity_ended`` to itself because a flush
    takes it back. Speech is in milliseconds, None where it is not known.
    """

    asked: tuple[Instant, Origin] | None = None
    activity_ended: Instant | None = None
    last_audio: Instant | None = None
    marked_speech_ms: float | None = None
    detected_speech_ms: float | None = None
    tool_response_answered: bool = False

    @property
    def is_more_than_streamed(self) -> bool:
        """Whether anything was said or asked, as far as anybody told."""
        told = (self.asked, self.activity_ended, self.marked_speech_ms, self.detected_speech_ms)
        return any(what is not None for what in told)

    @property
    def origin(self) -> tuple[Instant, Origin] | None:
        """What an answer that begins now has waited for; None if nothing came."""
        if self.activity_ended is not None:
            return self.activity_ended, Origin.ACTIVITY_END
        if self.asked is None and self.last_audio is not None:
            return self.last_audio, Origin.LAST_AUDIO_SENT
        return self.asked

    @property
    def speech_ms(self) -> float | None:
        """How long the user spoke; what the application marked is better than what the server detected."""
        return self.detected_speech_ms if self.marked_speech_ms is None else self.marked_speech_ms

    def ask(self, origin: Origin, now: Instant) -> None:
        """Take note of a request for an answer."""
        self.tool_response_answered = False
        if origin is Origin.ACTIVITY_END:
            self.activity_ended = now
        else:
            self.asked, self.activity_ended = (now, origin), None

    def take_back_activity_end(self) -> None:
        """Take note that the user's activity only paused."""
        self.activity_ended = None

    def marked(self, speech_ms: float | None) -> None:
        """Add speech of which the application marked both ends."""
        self.marked_speech_ms = _sum(self.marked_speech_ms, speech_ms)

    def detected(self, speech_ms: float | None) -> None:
        """Add speech of which the server told both ends."""
        self.detected_speech_ms = _sum(self.detected_speech_ms, speech_ms)

    def answered(self) -> None:
        """Take note of model output: it answers a tool response, but may have crossed the user's words."""
        if self.asked is not None and self.asked[1] is Origin.TOOL_RESPONSE:
            self.tool_response_answered = True

    def go_on(self, later: "Asking") -> None:
        """Add what came in a later stretch."""
        if later.asked is not None:
            self.asked, self.activity_ended = later.asked, None
        self.activity_ended = later.activity_ended or self.activity_ended
        self.last_audio = later.last_audio or self.last_audio
        self.marked(later.marked_speech_ms)
        self.detected(later.detected_speech_ms)

    def unanswered(self) -> "Asking":
        """Return what is still to be answered when the model was interrupted."""
        if self.tool_response_answered:
            self.asked = None
        return self


def _sum(known_ms: float | None, more_ms: float | None) -> float | None:
    return known_ms if more_ms is None else (known_ms or 0.0) + more_ms
