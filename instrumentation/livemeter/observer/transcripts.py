"""Transcripts by their measures: characters, bytes, and how long none came. No text is kept."""

from dataclasses import dataclass

from livemeter.observer.clock import Instant, ms_between


@dataclass(slots=True)
class TranscriptSize:
    """How much transcript came of one side: characters, and bytes of UTF-8."""

    chars: int = 0
    bytes: int = 0

    def add(self, piece: str) -> None:
        """Count one piece."""
        self.chars += len(piece)
        self.bytes += len(piece.encode("utf-8", "replace"))

    def __add__(self, other: "TranscriptSize") -> "TranscriptSize":
        return TranscriptSize(self.chars + other.chars, self.bytes + other.bytes)


class TranscriptGap:
    """The longest time without a piece of the user's transcript while he spoke.

    Speech is what was marked or detected; a flush does not interrupt it. On a connection that never told of
    speech only the time between two pieces is known, if the model said nothing between them.
    """

    def __init__(self) -> None:
        self._since: Instant | None = None
        self._is_told = False
        self._speaks = False
        self._longest_ms: float | None = None

    def speech_began(self, now: Instant, *, goes_on: bool) -> None:
        """Take note that the user began to speak, or ``goes_on`` after a flush."""
        if not goes_on or self._since is None:
            self._since = now
        self._is_told = self._speaks = True

    def speech_ended(self, now: Instant) -> None:
        """Take note that the user ceased to speak."""
        self._measure(now)
        self._speaks = False

    def piece(self, now: Instant) -> None:
        """Take note of a piece of his transcript."""
        self._measure(now)
        self._since = now

    def answered(self) -> None:
        """Take note that the model said something."""
        if not self._is_told:
            self._since = None

    def take(self, now: Instant) -> float | None:
        """Return the longest gap of the turn that ends now; speech goes on into the next."""
        if self._speaks:
            self._measure(now)
        else:
            self._since = None
        longest_ms, self._longest_ms = self._longest_ms, None
        return longest_ms

    def _measure(self, now: Instant) -> None:
        if self._is_told and not self._speaks:
            return
        gap_ms = ms_between(self._since, now)
        if gap_ms is not None:
            self._longest_ms = max(gap_ms, self._longest_ms or 0.0)
