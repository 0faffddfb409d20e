"""Token counts under the semantic conventions' names, for attributes and metrics. Pure.

The exact figures travel in the usage event's body; these are for readers who know nothing of Livemeter.
"""

from typing import Literal

from livemeter.observer.facts import Usage
from livemeter.vocabulary import Attribute

_NAMED_MODALITIES = {"text", "image", "audio"}
_OTHER_MODALITIES = {"video", "document"}


def modality_name(modality: str) -> str:
    """Return a modality as the semantic conventions spell it; what they and we do not know is unspecified."""
    name = modality.lower()
    return name if name in _NAMED_MODALITIES | _OTHER_MODALITIES else "unspecified"


def usage_token_attribute(modality: str, direction: Literal["input", "output"]) -> str:
    """Return the attribute that counts a modality's tokens; names that the conventions lack are private."""
    name = modality_name(modality)
    prefix = "gen_ai" if name in _NAMED_MODALITIES else "gemini_live"
    return f"{prefix}.usage.{name}.{direction}_tokens"


def input_details(usage: Usage) -> dict[str, int]:
    """Return the input tokens by modality as sent: prompt and tool use."""
    details = dict(usage.prompt_details)
    for modality, tokens in usage.tool_use_details.items():
        details[modality] = details.get(modality, 0) + tokens
    return details


def output_details(usage: Usage) -> dict[str, int]:
    """Return the output tokens by modality as sent. Thoughts are text."""
    details = dict(usage.response_details)
    if usage.thoughts:
        details["TEXT"] = details.get("TEXT", 0) + usage.thoughts
    return details


def input_tokens(usage: Usage) -> int | None:
    """Return prompt and tool use together, computed: the reported total is not relied upon."""
    return _sum(usage.prompt, usage.tool_use)


def output_tokens(usage: Usage) -> int | None:
    """Return response and thoughts together."""
    return _sum(usage.response, usage.thoughts)


def token_attributes(usage: Usage) -> dict[str, int]:
    """Return the token counts of one usage frame under the semantic conventions' names; all can be summed."""
    totals = {
        Attribute.INPUT_TOKENS: input_tokens(usage),
        Attribute.OUTPUT_TOKENS: output_tokens(usage),
        Attribute.REASONING_TOKENS: usage.thoughts,
        Attribute.CACHE_READ_TOKENS: usage.cached,
    }
    counts: dict[str, int] = {name: tokens for name, tokens in totals.items() if tokens is not None}
    for modality, tokens in input_details(usage).items():
        name = usage_token_attribute(modality, "input")
        counts[name] = counts.get(name, 0) + tokens
    for modality, tokens in output_details(usage).items():
        name = usage_token_attribute(modality, "output")
        counts[name] = counts.get(name, 0) + tokens
    return counts


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None and other is None else (one or 0) + (other or 0)
