"""One turn while it is open: what has been asked, answered and measured in it."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from livemeter.observer.asking import Asking
from livemeter.observer.clock import Instant, ms_between
from livemeter.observer.facts import TurnEnded
from livemeter.observer.transcripts import TranscriptSize
from livemeter.vocabulary import Side, TurnEnd

MAX_GROUNDING_QUERIES = 1000
"""Distinct queries that are told apart in one turn; more are not counted."""

MAX_REASON_CHARACTERS = 200
"""What is kept of a turnCompleteReason; the longest that Google documents has 53."""


def _sizes() -> dict[Side, TranscriptSize]:
    return {side: TranscriptSize() for side in Side}


@dataclass(slots=True)
class OpenTurn:
    """A turn from its first frame on.

    ``asking`` is what came before the model's first output (and what its first audio has taken into account),
    ``meanwhile`` what came since: if the model is then interrupted, that is the next turn's.
    """

    number: int
    started: Instant
    app_phase: str
    asking: Asking
    meanwhile: Asking = field(default_factory=Asking)
    is_asked: bool = False
    answered: bool = False
    interrupted: bool = False
    has_audio: bool = False
    began_while_user_spoke: bool = False
    first_output: Instant | None = None
    generated: Instant | None = None
    first_audio_ms: float | None = None
    first_audio_from: str = ""
    model_speech_ms: float = 0.0
    transcripts: dict[Side, TranscriptSize] = field(default_factory=_sizes)
    flushes: int = 0
    chars_at_flush: int = 0
    complete_reason: str = ""
    # Hashes, so that what is remembered stays small whatever the server sends.
    grounding_queries: set[int] = field(default_factory=set[int])

    @property
    def has_output(self) -> bool:
        """Whether the model made anything."""
        return self.first_output is not None

    @property
    def is_more_than_streamed(self) -> bool:
        """Whether there is more to this turn than a microphone or camera that streams on."""
        has_transcript = any(size.chars for size in self.transcripts.values())
        return self.is_asked or self.has_output or has_transcript

    @property
    def inputs(self) -> Asking:
        """Where to note what the user's side does now."""
        return self.meanwhile if self.has_output else self.asking

    def output(self, now: Instant, *, has_audio: bool, user_speaks: bool) -> None:
        """Take note of something that the model made."""
        self.answered = True
        if self.first_output is None:
            self.first_output = now
            self.began_while_user_spoke = user_speaks
        self.meanwhile.answered()
        if has_audio and not self.has_audio:
            self._first_audio(now)

    def _first_audio(self, now: Instant) -> None:
        self.has_audio = True
        self.asking.go_on(self.meanwhile)
        self.meanwhile = Asking()
        origin = self.asking.origin
        if origin is not None:
            self.first_audio_ms = ms_between(origin[0], now)
            self.first_audio_from = origin[1].value

    def flushed(self) -> int:
        """Count a flush; return the characters of the user's transcript since the one before."""
        self.flushes += 1
        self.inputs.take_back_activity_end()
        chars = self.transcripts[Side.INPUT].chars
        since, self.chars_at_flush = chars - self.chars_at_flush, chars
        return since

    def grounded(self, queries: Iterable[str]) -> None:
        """Count queries; one that is told again counts once."""
        for query in queries:
            if len(self.grounding_queries) < MAX_GROUNDING_QUERIES:
                self.grounding_queries.add(hash(query))

    def completed(self, reason: str) -> None:
        """Take note of a turnComplete, which may not be the last; the last reason holds."""
        self.answered = True
        self.complete_reason = reason[:MAX_REASON_CHARACTERS] or self.complete_reason

    def left_to_answer(self, reason: TurnEnd) -> Asking:
        """Return what the next turn has to answer: what was asked across an answer that was interrupted."""
        if reason is TurnEnd.INTERRUPTED:
            return self.meanwhile.unanswered()
        self.asking.go_on(self.meanwhile)
        return Asking()

    def ended(self, reason: TurnEnd, now: Instant, transcript_gap_ms: float | None) -> TurnEnded:
        """Return the turn as it stands."""
        heard, said = self.transcripts[Side.INPUT], self.transcripts[Side.OUTPUT]
        return TurnEnded(
            at_ns=now.wall_ns,
            turn=self.number,
            started_at_ns=self.started.wall_ns,
            turn_ms=ms_between(self.started, now) or 0.0,
            first_audio_ms=self.first_audio_ms,
            first_audio_from=self.first_audio_from,
            first_output_at_ns=self.first_output.wall_ns if self.first_output else None,
            generation_ms=ms_between(self.first_output, self.generated) if self.generated else None,
            user_speech_ms=self.asking.speech_ms,
            model_speech_ms=self.model_speech_ms,
            interrupted=self.interrupted,
            end_reason=reason,
            has_output=self.has_output,
            transcript_chars_in=heard.chars,
            transcript_chars_out=said.chars,
            transcript_bytes_in=heard.bytes,
            transcript_bytes_out=said.bytes,
            grounding_queries=len(self.grounding_queries),
            complete_reason=self.complete_reason,
            generation_complete=self.generated is not None,
            began_while_user_spoke=self.began_while_user_spoke,
            flushes=self.flushes,
            transcript_longest_gap_ms=transcript_gap_ms,
            app_phase=self.app_phase,
        )
