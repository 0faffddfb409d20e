"""What an ``Expect`` step makes of the messages that come: the state of waiting.

Pure. ``Expect`` says the rules.
"""

from dataclasses import dataclass, field
from enum import Enum, auto

from livemeter.testing.client_frames import kind_fits
from livemeter.testing.steps import Expect


class Verdict(Enum):
    """What a message means for the step that waits."""

    MET = auto()
    WAITING = auto()
    UNEXPECTED = auto()


@dataclass(slots=True)
class Expectation:
    """One ``Expect`` step at work.

    ``tolerated`` are kinds an earlier step wanted ``at_least`` some number of.
    """

    step: Expect
    tolerated: frozenset[str] = field(default_factory=frozenset[str])
    seen: int = 0
    audio_ms: float = 0.0

    def offer(self, kinds: tuple[str, ...], audio_ms: float = 0.0) -> Verdict:
        """Take the next message into account."""
        if not kind_fits(kinds, self.step.kind):
            dropped = any(kind_fits(kinds, kind) for kind in (*self.step.ignored, *self.tolerated))
            return Verdict.WAITING if dropped else Verdict.UNEXPECTED
        self.seen += 1
        self.audio_ms += audio_ms
        return Verdict.MET if self._is_met() else Verdict.WAITING

    @property
    def wanted(self) -> str:
        """What the step waits for, in words."""
        step = self.step
        if step.at_least_audio_ms is not None:
            return f"at least {step.at_least_audio_ms:g} ms of audio in {step.kind}"
        return (
            f"{step.count} {step.kind}" if step.at_least is None else f"at least {step.at_least} {step.kind}"
        )

    @property
    def progress(self) -> str:
        """What has come of it so far, in words."""
        if self.step.at_least_audio_ms is not None:
            return f"{self.audio_ms:g} ms had come"
        return f"{self.seen} had come"

    @property
    def tolerated_later(self) -> frozenset[str]:
        """Kinds to tolerate once this step is met."""
        open_ended = self.step.at_least is not None or self.step.at_least_audio_ms is not None
        return self.tolerated | {self.step.kind} if open_ended else self.tolerated

    def _is_met(self) -> bool:
        if self.step.at_least_audio_ms is not None:
            return self.audio_ms >= self.step.at_least_audio_ms
        return self.seen >= (self.step.at_least or self.step.count)
