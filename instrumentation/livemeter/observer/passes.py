"""Generation passes: which usage frame counts, which repeats, and what was in the context before it.

Every usage frame counts once and all passes are summed. An exact repeat of the last one is the same
pass told again, unless the model produced something or was asked something in between.
"""

from livemeter.observer.clock import Instant
from livemeter.observer.facts import Usage, UsageReported
from livemeter.observer.sessions import Context, SessionState
from livemeter.observer.usage import context_after


class PassTracker:
    """The passes of one connection, continuing the session's count.

    A resumed connection finds the session's context, unless another process had the session last; any other
    starts with an empty one.
    """

    def __init__(self, state: SessionState, *, resumed: bool, is_from_elsewhere: bool = False) -> None:
        self._state = state
        self._context = state.context if resumed and not is_from_elsewhere else Context()
        self._awaiting_first = resumed
        self._last: Usage | None = None
        self._turn = 0
        self._response_audio_ms = 0.0
        self.context_tokens: int | None = None

    def came_to_life(self) -> None:
        """Take note that the server accepted the setup: a dial that fails leaves the context alone."""
        self._state.context = self._context

    def requested(self) -> None:
        """Take note that the application asked for something: the next usage frame is another pass."""
        self._last = None

    def heard(self, audio_ms: float) -> None:
        """Take note of audio that the application sent."""
        self._context.audio_ms += audio_ms

    def generated(self, audio_ms: float, turn: int) -> None:
        """Take note of model output: the next usage frame is another pass.

        What was said in an earlier turn that nobody told the usage of is no part of this one's.
        """
        self._last = None
        if turn != self._turn:
            self._turn, self._response_audio_ms = turn, 0.0
        self._response_audio_ms += audio_ms
        self._context.audio_ms += audio_ms

    def reported(self, usage: Usage, turn: int, now: Instant) -> UsageReported:
        """Return a usage frame in its place."""
        state = self._state
        repeat = usage == self._last
        state.passes += not repeat
        response_audio_ms = self._response_audio_ms if turn == self._turn else 0.0
        fact = UsageReported(
            at_ns=now.wall_ns,
            turn=turn,
            pass_number=state.passes,
            usage=usage,
            repeat=repeat,
            first_after_resume=self._awaiting_first and not repeat,
            previous_prompt=self._context.prompt,
            previous_context=dict(self._context.tokens),
            # What this pass said is no part of the prompt it answered.
            context_audio_ms=self._context.audio_ms - response_audio_ms,
            response_audio_ms=response_audio_ms,
        )
        if not repeat:
            self._counted(usage)
        return fact

    def _counted(self, usage: Usage) -> None:
        self._last = usage
        self._awaiting_first = False
        self._response_audio_ms = 0.0
        self._context.tokens = context_after(usage)
        if usage.prompt is not None:
            self._context.prompt = usage.prompt
            self.context_tokens = usage.prompt + (usage.response or 0)
