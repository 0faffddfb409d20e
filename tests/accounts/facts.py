"""Facts in a few words, for tests of what is made of them; what a test does not say is nothing."""

import time
from collections.abc import Mapping

from livemeter.observer.facts import TurnEnded, Usage, UsageReported
from livemeter.vocabulary import TurnEnd

NS_PER_S = 1_000_000_000


def reported(
    usage: Usage,
    *,
    turn: int = 1,
    pass_number: int = 1,
    at_ns: int | None = None,
    repeat: bool = False,
    first_after_resume: bool = False,
    previous_prompt: int | None = None,
    previous_context: Mapping[str, int] | None = None,
    context_audio_ms: float = 0.0,
    response_audio_ms: float = 0.0,
) -> UsageReported:
    """A usage frame, by default the first of the first turn, of now."""
    return UsageReported(
        at_ns=time.time_ns() if at_ns is None else at_ns,
        turn=turn,
        pass_number=pass_number,
        usage=usage,
        repeat=repeat,
        first_after_resume=first_after_resume,
        previous_prompt=previous_prompt,
        previous_context=previous_context or {},
        context_audio_ms=context_audio_ms,
        response_audio_ms=response_audio_ms,
    )


def ended(
    turn: int = 1,
    *,
    has_output: bool = True,
    bytes_in: int = 0,
    bytes_out: int = 0,
    grounding_queries: int = 0,
    at_ns: int | None = None,
) -> TurnEnded:
    """The end of a turn, of now."""
    now = time.time_ns() if at_ns is None else at_ns
    return TurnEnded(
        at_ns=now,
        turn=turn,
        started_at_ns=now,
        turn_ms=0.0,
        first_audio_ms=None,
        first_audio_from="",
        first_output_at_ns=None,
        generation_ms=None,
        user_speech_ms=None,
        model_speech_ms=0.0,
        interrupted=False,
        end_reason=TurnEnd.COMPLETE,
        has_output=has_output,
        transcript_chars_in=bytes_in,
        transcript_chars_out=bytes_out,
        transcript_bytes_in=bytes_in,
        transcript_bytes_out=bytes_out,
        grounding_queries=grounding_queries,
    )
