"""What a fact used: a line for each kind and modality, in whole tokens and queries. Pure.

The collector's SQL follows the same rules (``usage_from_logs``, ``usage_from_turns``), and a test holds
the two together.
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import NamedTuple

from livemeter.accounts.rates import Tier
from livemeter.observer.facts import TurnEnded, Usage, UsageReported

UNATTRIBUTED = "UNATTRIBUTED"
"""Modality of the tokens that a total has and its details lack."""

_AUDIO_TOKENS_PER_MS = 25 / 1000
_BYTES_PER_TRANSCRIPT_TOKEN = 4


class Kind(StrEnum):
    """What tokens were for. Cached ones are inside the prompt and have been taken out of its lines."""

    PROMPT = "prompt"
    TOOL_USE_PROMPT = "tool_use_prompt"
    CACHED = "cached"
    RESPONSE = "response"
    THOUGHTS = "thoughts"
    TRANSCRIPTION = "transcription"
    GROUNDING = "grounding"


class Source(StrEnum):
    """How a quantity is known: told by the server, from measured audio, or from the transcript's bytes."""

    REPORTED = "reported"
    DERIVED = "derived"
    ESTIMATED = "estimated"


# Looking a member up in its class costs as much as the rest of a line.
_PROMPT, _TOOL_USE_PROMPT, _CACHED = Kind.PROMPT, Kind.TOOL_USE_PROMPT, Kind.CACHED
_RESPONSE, _THOUGHTS, _GROUNDING = Kind.RESPONSE, Kind.THOUGHTS, Kind.GROUNDING
_REPORTED, _DERIVED = Source.REPORTED, Source.DERIVED

_PRIORITY_TRAFFIC = "ON_DEMAND_PRIORITY"
_FLEX_TRAFFIC = {"ON_DEMAND_FLEX", "ON_DEMAND_OFFPEAK"}
_PROVISIONED_TRAFFIC = "PROVISIONED_THROUGHPUT"


class UsageLine(NamedTuple):
    """A row of ``live_usage``. ``carried`` is what was in the context before and is billed again.

    ``modality`` is as sent, ``UNATTRIBUTED`` for a remainder and empty for grounding.
    """

    kind: Kind
    modality: str
    quantity: int
    source: Source
    carried: int = 0
    billable: bool = True

    @property
    def fresh(self) -> int:
        """What was not in the context before."""
        return self.quantity - self.carried

    @property
    def unit(self) -> str:
        """What is counted: ``token`` or ``query``."""
        return "query" if self.kind is _GROUNDING else "token"


def usage_lines(fact: UsageReported) -> list[UsageLine]:
    """Return what a usage frame says was used; the lines of a repeat are not billable."""
    usage = fact.usage
    lines = [
        *_prompt_lines(fact),
        *_lines(_CACHED, split_tokens(usage.cached, usage.cached_details), carried=True),
        *_lines(_TOOL_USE_PROMPT, split_tokens(usage.tool_use, usage.tool_use_details)),
        *_lines(
            _RESPONSE,
            split_tokens(usage.response, usage.response_details, _audio_tokens(fact.response_audio_ms)),
        ),
    ]
    if usage.thoughts:
        lines.append(UsageLine(_THOUGHTS, "TEXT", usage.thoughts, _REPORTED))
    return [line._replace(billable=False) for line in lines] if fact.repeat else lines


def turn_lines(fact: TurnEnded) -> list[UsageLine]:
    """Return what a turn used beside its passes: transcription, which nobody reports, and grounding."""
    tokens = _transcript_tokens(fact.transcript_bytes_in) + _transcript_tokens(fact.transcript_bytes_out)
    lines = (
        UsageLine(Kind.TRANSCRIPTION, "TEXT", tokens, Source.ESTIMATED),
        UsageLine(_GROUNDING, "", fact.grounding_queries, _REPORTED),
    )
    return [line for line in lines if line.quantity]


def tier_of(usage: Usage) -> Tier:
    """Return a pass's tier, from Vertex's trafficType or the Developer API's serviceTier."""
    traffic, service = usage.traffic_type, usage.service_tier.lower()
    if traffic == _PROVISIONED_TRAFFIC:
        return Tier.PROVISIONED
    if traffic == _PRIORITY_TRAFFIC or service == "priority":
        return Tier.PRIORITY
    if traffic in _FLEX_TRAFFIC or service == "flex":
        return Tier.FLEX
    return Tier.STANDARD


_Part = tuple[str, int, Source]
"""A modality, its tokens, and how they are known."""


def split_tokens(total: int | None, details: Mapping[str, int], audio_tokens: int = 0) -> list[_Part]:
    """Split a total by modality; parts without tokens are left out.

    What the details lack is UNATTRIBUTED. Without any details the measured audio gives the audio part
    (derived), and the rest is UNATTRIBUTED. Details beyond the total stay as reported.
    """
    total = total or 0
    if details:
        # What the server itself calls UNATTRIBUTED and what its details lack are one line.
        rest = max(0, total - sum(details.values())) + details.get(UNATTRIBUTED, 0)
        parts: list[_Part] = [(name, n, _REPORTED) for name, n in details.items() if name != UNATTRIBUTED]
        parts.append((UNATTRIBUTED, rest, _REPORTED))
    else:
        audio = min(total, audio_tokens)
        parts = [
            ("AUDIO", audio, _DERIVED),
            (UNATTRIBUTED, total - audio, _DERIVED if audio_tokens else _REPORTED),
        ]
    return [part for part in parts if part[1] > 0]


def _lines(kind: Kind, parts: list[_Part], *, carried: bool = False) -> Iterator[UsageLine]:
    for modality, tokens, source in parts:
        yield UsageLine(kind, modality, tokens, source, tokens if carried else 0)


def _prompt_lines(fact: UsageReported) -> Iterator[UsageLine]:
    """Yield the prompt without what was cached: first what the details tell of that, the rest in order."""
    usage = fact.usage
    parts = split_tokens(usage.prompt, usage.prompt_details, _audio_tokens(fact.context_audio_ms))
    told = [min(tokens, usage.cached_details.get(modality, 0)) for modality, tokens, _ in parts]
    untold = max(0, (usage.cached or 0) - sum(told))
    for (modality, tokens, source), cached in zip(parts, told, strict=True):
        taken = min(tokens - cached, untold)
        untold -= taken
        quantity = tokens - cached - taken
        if quantity:
            # Of a modality's tokens as many as the context held; what was cached is the first of them.
            carried = max(0, min(tokens, fact.previous_context.get(modality, 0)) - cached - taken)
            yield UsageLine(_PROMPT, modality, quantity, source, carried)


def _audio_tokens(milliseconds: float) -> int:
    # Both roundings as the event and the SQL have them, to the microsecond and half to even.
    return round(round(milliseconds, 3) * _AUDIO_TOKENS_PER_MS)


def _transcript_tokens(transcript_bytes: int) -> int:
    return -(-transcript_bytes // _BYTES_PER_TRANSCRIPT_TOKEN)
