"""When the user spoke: as the application marked it, and as the server's own detection heard it.

A flush is a pause that the application makes to force a transcription: the user's activity is ended, by
activityEnd or by content that completes no turn, and begun again at once. He has not stopped to speak.
"""

from typing import NamedTuple

from livemeter.observer.clock import Instant, ms_between
from livemeter.observer.payload import MAX_COUNT, Payload, duration_ms, get, has, text
from livemeter.observer.transcripts import TranscriptGap
from livemeter.vocabulary import FlushSpelling

MAX_FLUSH_GAP_MS = 2_000
"""A longer pause between two activities is the user's own."""

_STARTS = {"ACTIVITY_START", "VAD_SIGNAL_TYPE_SOS"}
_ENDS = {"ACTIVITY_END", "VAD_SIGNAL_TYPE_EOS"}
_TYPES = {"voiceActivity": ("type", "voiceActivityType"), "voiceActivityDetectionSignal": ("vadSignalType",)}


class Detection(NamedTuple):
    """What the server's detection said: its type as sent, and where in the audio, if it told."""

    kind: str
    offset_ms: float | None

    @property
    def starts(self) -> bool:
        """Whether speech began."""
        return self.kind in _STARTS

    @property
    def ends(self) -> bool:
        """Whether speech ended."""
        return self.kind in _ENDS


def read_detections(message: Payload) -> list[Detection]:
    """Return what a message says of voice activity, in either of the protocol's forms."""
    return [_detection(get(message, form), keys) for form, keys in _TYPES.items() if has(message, form)]


def _detection(signal: object, keys: tuple[str, ...]) -> Detection:
    kinds = (text(get(signal, key)) for key in keys)
    offset_ms = duration_ms(get(signal, "audioOffset"))
    is_known = offset_ms is not None and 0 <= offset_ms <= MAX_COUNT
    return Detection(next(filter(None, kinds), ""), offset_ms if is_known else None)


class Flush(NamedTuple):
    """A pause that was a flush; ``speech_ms`` is the activity before it, None where it began unmarked."""

    spelling: FlushSpelling
    speech_ms: float | None
    gap_ms: float


class _Pause(NamedTuple):
    began: Instant
    spelling: FlushSpelling
    speech_ms: float | None


class UserActivity:
    """The user's speech on one connection. It is no part of a turn: who interrupts speaks in two.

    ``transcript_gap`` is told when it begins and ends.
    """

    def __init__(self) -> None:
        self.transcript_gap = TranscriptGap()
        # A flush may begin an activity that was not ended: the speech is then longer than the activity.
        self._speech_began: Instant | None = None
        self._activity_began: Instant | None = None
        self._pause: _Pause | None = None
        self._is_detected = False
        self._detected_from_ms: float | None = None

    @property
    def is_open(self) -> bool:
        """Whether the user speaks, by the application's marks or by the server's detection."""
        return self._speech_began is not None or self._is_detected

    def started(self, now: Instant) -> Flush | None:
        """Take note of activityStart; return the flush that it completes."""
        flush, self._pause = self._flush(now), None
        if not self.is_open:
            self.transcript_gap.speech_began(now, goes_on=flush is not None)
        self._speech_began = self._speech_began or now
        self._activity_began = now
        return flush

    def _flush(self, now: Instant) -> Flush | None:
        pause = self._pause
        gap_ms = ms_between(pause.began, now) if pause else None
        if pause is None or gap_ms is None or gap_ms > MAX_FLUSH_GAP_MS:
            return None
        return Flush(pause.spelling, pause.speech_ms, gap_ms)

    def ended(self, now: Instant) -> float | None:
        """Take note of activityEnd; return how long the user spoke, None if no start was marked."""
        speech_ms = ms_between(self._speech_began, now)
        self._pause = _Pause(now, FlushSpelling.ACTIVITY, ms_between(self._activity_began, now))
        self._speech_began = self._activity_began = None
        self._may_have_ended(now)
        return speech_ms

    def content_left_open(self, now: Instant) -> None:
        """Take note of clientContent that completes no turn: amid an activity, or just after it, a pause."""
        if self._activity_began is not None:
            speech_ms = ms_between(self._activity_began, now)
            self._pause = _Pause(now, FlushSpelling.CLIENT_CONTENT, speech_ms)
        elif self._pause is not None:
            self._pause = self._pause._replace(spelling=FlushSpelling.CLIENT_CONTENT)

    def no_flush(self) -> None:
        """Take note that the model answered, or was asked to: a pause that was begun is no flush."""
        self._pause = None

    def detected(self, detection: Detection, now: Instant) -> float | None:
        """Take note of what the server detected; return how long the user spoke, if it ended and is known."""
        if detection.starts:
            self._detected_start(detection.offset_ms, now)
        return self._detected_end(detection.offset_ms, now) if detection.ends else None

    def _detected_start(self, offset_ms: float | None, now: Instant) -> None:
        if not self.is_open:
            self.transcript_gap.speech_began(now, goes_on=False)
        self._is_detected = True
        if self._detected_from_ms is None:
            self._detected_from_ms = offset_ms

    def _detected_end(self, offset_ms: float | None, now: Instant) -> float | None:
        began_ms = self._detected_from_ms
        self._is_detected, self._detected_from_ms = False, None
        self._may_have_ended(now)
        if began_ms is None or offset_ms is None or offset_ms < began_ms:
            return None
        return offset_ms - began_ms

    def _may_have_ended(self, now: Instant) -> None:
        if not self.is_open:
            self.transcript_gap.speech_ended(now)
