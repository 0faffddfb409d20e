"""usageMetadata to figures: both spellings of output (``response*``, ``candidates*``), any case.

Nothing is guessed here but one documented shape: a lone detail that names a modality without a count
stands for the rest of its total. What does not add up stays so, and SQL shows it as UNATTRIBUTED.
"""

from collections.abc import Mapping

from livemeter.observer.facts import Usage
from livemeter.observer.payload import count, get, objects, text

UNATTRIBUTED = "UNATTRIBUTED"
"""Modality of the tokens that a total has and its details lack."""


def read_usage(metadata: object) -> Usage:
    """Read one usageMetadata object."""
    prompt = count(get(metadata, "promptTokenCount"))
    tool_use = count(get(metadata, "toolUsePromptTokenCount"))
    cached = count(get(metadata, "cachedContentTokenCount"))
    response = _either(metadata, "responseTokenCount", "candidatesTokenCount")
    return Usage(
        prompt=prompt,
        tool_use=tool_use,
        cached=cached,
        response=response,
        thoughts=count(get(metadata, "thoughtsTokenCount")),
        total=count(get(metadata, "totalTokenCount")),
        prompt_details=_details(get(metadata, "promptTokensDetails"), prompt),
        tool_use_details=_details(get(metadata, "toolUsePromptTokensDetails"), tool_use),
        cached_details=_details(get(metadata, "cacheTokensDetails"), cached),
        response_details=_details(
            get(metadata, "responseTokensDetails") or get(metadata, "candidatesTokensDetails"), response
        ),
        traffic_type=text(get(metadata, "trafficType")),
        service_tier=text(get(metadata, "serviceTier")),
    )


def context_after(usage: Usage) -> dict[str, int]:
    """Return the tokens by modality that the next pass finds in its context: prompt and response.

    Thoughts and tool use are not carried; what a total has beyond its details is carried as UNATTRIBUTED.
    """
    context: dict[str, int] = {}
    parts = (
        (usage.prompt, usage.prompt_details),
        (usage.response, usage.response_details),
    )
    for total, details in parts:
        for modality, tokens in details.items():
            context[modality] = context.get(modality, 0) + tokens
        remainder = (total or 0) - sum(details.values())
        if remainder > 0:
            context[UNATTRIBUTED] = context.get(UNATTRIBUTED, 0) + remainder
    return context


def _either(metadata: object, name: str, other: str) -> int | None:
    value = count(get(metadata, name))
    return count(get(metadata, other)) if value is None else value


def _details(entries: object, total: int | None) -> Mapping[str, int]:
    details: dict[str, int] = {}
    without_count: list[str] = []
    for entry in objects(entries):
        modality = text(get(entry, "modality")) or "MODALITY_UNSPECIFIED"
        tokens = count(get(entry, "tokenCount"))
        if tokens is None:
            without_count.append(modality)
        else:
            details[modality] = details.get(modality, 0) + tokens
    if len(without_count) == 1:
        rest = max(0, (total or 0) - sum(details.values()))
        details[without_count[0]] = details.get(without_count[0], 0) + rest
    return details
