"""From the evidence of a close to its diagnosis: pure matching against the catalogue."""

from collections.abc import Iterator
from dataclasses import fields, replace

from livemeter.diagnosis.catalogue import (
    MODEL_ADVICE,
    Catalogue,
    Conditions,
    Entry,
    ReasonPattern,
    load_catalogue,
)
from livemeter.diagnosis.evidence import CloseEvidence, Diagnosis, RetryClass
from livemeter.diagnosis.models import Mismatch, model_standing
from livemeter.vocabulary import Phase

_NO_CLOSE_FRAME = 1006

Rank = tuple[int, int, bool]
"""How specific a match is, the most specific being the largest: see ``_rank``."""


def diagnose_close(evidence: CloseEvidence) -> Diagnosis | None:
    """Say why a connection closed; None for ends that need no action and for those nobody knows."""
    entry = matching_entry(evidence, load_catalogue())
    if entry is None or entry.diagnosis is None:
        return None
    standing = model_standing(evidence.model, evidence.platform)
    advice = standing.hint if standing else ""
    return replace(entry.diagnosis, hint=entry.diagnosis.hint.replace(MODEL_ADVICE, advice))


def matching_entry(evidence: CloseEvidence, catalogue: Catalogue) -> Entry | None:
    """Return the most specific entry that matches, silent ones included; the file's order breaks ties."""
    ranked = list(ranked_entries(evidence, catalogue))
    # max() keeps the first of equals, and the entries come in the file's order.
    return max(ranked, key=lambda pair: pair[0])[1] if ranked else None


def ranked_entries(evidence: CloseEvidence, catalogue: Catalogue) -> Iterator[tuple[Rank, Entry]]:
    """Yield every entry that matches, in the file's order, with how specific its match is."""
    standing = model_standing(evidence.model, evidence.platform)
    code = _code(evidence)
    reason = evidence.reason.strip().casefold()
    for entry in catalogue.entries:
        if code not in entry.codes or (entry.phases and evidence.phase not in entry.phases):
            continue
        matched = _matched_length(entry.reason, reason)
        if matched is not None and _holds(entry.when, evidence, standing):
            yield _rank(entry, matched), entry


def _code(evidence: CloseEvidence) -> int:
    """Return the HTTP status at the handshake, else the close code; 1006 is WebSocket's word for no frame."""
    if evidence.phase == Phase.HANDSHAKE and evidence.http_status is not None:
        return evidence.http_status
    return _NO_CLOSE_FRAME if evidence.code is None else evidence.code


def _rank(entry: Entry, matched: int) -> Rank:
    asked = [getattr(entry.when, field.name) not in (None, ()) for field in fields(Conditions)]
    account = entry.diagnosis is not None and entry.diagnosis.retry_class is RetryClass.ACCOUNT
    return matched, sum(asked) + bool(entry.phases), account


def _matched_length(pattern: ReasonPattern | None, reason: str) -> int | None:
    """Return the length of the longest text that matches, 0 when any reason will do, None for no match.

    An exact text counts one more, so that asking for an empty reason is more than asking for none.
    """
    if pattern is None:
        return 0
    matching = [len(text) for text in pattern.prefix if reason.startswith(text)]
    matching += [len(text) for text in pattern.contains if text in reason]
    matching += [len(text) + 1 for text in pattern.exact if text == reason]
    return max(matching, default=None)


def _holds(when: Conditions, evidence: CloseEvidence, standing: Mismatch | None) -> bool:
    return all(
        (
            when.closed_by in (None, evidence.closed_by),
            when.platform in (None, evidence.platform),
            when.error_type in (None, evidence.error_type.rpartition(".")[2]),
            when.resumed in (None, evidence.resumed),
            when.go_away_received in (None, evidence.go_away_received),
            _at_least(evidence.go_away_overrun_ms, when.go_away_overrun_ms_at_least),
            _at_most(evidence.since_tool_response_ms, when.since_tool_response_ms_at_most),
            _at_least(evidence.context_tokens, when.context_tokens_at_least),
            not when.model_mismatch or (standing is not None and standing.kind in when.model_mismatch),
        )
    )


def _at_least(value: float | None, limit: float | None) -> bool:
    return limit is None or (value is not None and value >= limit)


def _at_most(value: float | None, limit: float | None) -> bool:
    return limit is None or (value is not None and value <= limit)
