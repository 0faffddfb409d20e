"""The catalogue of close reasons: read from ``catalogue.toml``, checked, typed.

What an entry means is described at the top of the data file. Matching is elsewhere (``match.py``).
"""

import re
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Final, TypeVar

from livemeter.diagnosis.evidence import CloseEvidence, Diagnosis, RetryClass
from livemeter.diagnosis.models import MismatchKind
from livemeter.diagnosis.packaged import DataError, Fields, packaged_text, parse_toml
from livemeter.vocabulary import ClosedBy, Phase, Platform

MODEL_ADVICE = "{model_advice}"
"""Stands in a hint for what ``models.toml`` says about the model in use."""

_REASON_BYTES = 123
"""A close frame holds no longer reason: 125 bytes of payload, 2 of them the code (RFC 6455, 5.5)."""

_KEBAB_CASE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_BACKED_OFF = {RetryClass.ROTATE, RetryClass.DROP_HANDLE, RetryClass.RESUME}

_Word = TypeVar("_Word", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class ReasonPattern:
    """Texts a close reason is compared with, in lower case; the pattern holds when any of them does."""

    prefix: tuple[str, ...]
    contains: tuple[str, ...]
    exact: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Conditions:
    """Facts about the session that must hold; a field that is None or empty asks nothing.

    The limits are milliseconds and tokens, and include the limit itself. A fact that is not known does not
    hold. ``error_type`` is compared with the last part of a dotted name.
    """

    closed_by: ClosedBy | None = None
    platform: Platform | None = None
    error_type: str | None = None
    resumed: bool | None = None
    go_away_received: bool | None = None
    go_away_overrun_ms_at_least: float | None = None
    since_tool_response_ms_at_most: float | None = None
    context_tokens_at_least: int | None = None
    model_mismatch: tuple[MismatchKind, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """One cause of a close. ``diagnosis`` is None for ends that need no action."""

    id: str
    codes: frozenset[int]
    phases: tuple[Phase, ...]
    reason: ReasonPattern | None
    when: Conditions
    cause: str
    diagnosis: Diagnosis | None
    sample: CloseEvidence


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All entries, in the file's order."""

    version: str
    entries: tuple[Entry, ...]


@cache
def load_catalogue() -> Catalogue:
    """Return the packaged catalogue, read and checked once."""
    return parse_catalogue(packaged_text("catalogue.toml"), "catalogue.toml")


def parse_catalogue(text: str, name: str) -> Catalogue:
    """Read and check a catalogue; raises DataError, which names the entry and what is wrong with it."""
    document = parse_toml(text, name)
    version = document.required("version", str)
    entries = tuple(_entry(table, version) for table in document.tables("entry"))
    document.done()
    repeated = [id_ for id_, times in Counter(entry.id for entry in entries).items() if times > 1]
    if repeated:
        raise DataError(f"{name}: the id `{repeated[0]}` is used more than once; ids are unique")
    return Catalogue(version, entries)


def _entry(table: Fields, version: str) -> Entry:
    id_ = table.required("id", str)
    if not _KEBAB_CASE.fullmatch(id_):
        raise DataError(f"{table.where}: the id `{id_}` is not kebab-case")
    table.where = f"{table.where} ({id_})"
    when = _conditions(table.table("when"))
    entry = Entry(
        id=id_,
        codes=_codes(table),
        phases=_words(table, "phases", Phase),
        reason=_reason(table.table("reason")),
        when=when,
        cause=table.required("cause", str),
        diagnosis=_diagnosis(table, id_, version, advised=bool(when.model_mismatch)),
        sample=_sample(table.table("sample")),
    )
    table.done()
    if min(entry.codes) < 1000 and entry.phases and Phase.HANDSHAKE not in entry.phases:
        raise DataError(f"{table.where}: an HTTP status is only compared in the phase handshake; add it")
    return entry


def _codes(table: Fields) -> frozenset[int]:
    codes = table.many("codes", int)
    if not codes:
        raise DataError(f"{table.where}: `codes` must name at least one code")
    for code in codes:
        if not (100 <= code < 600 or 1000 <= code < 5000):
            raise DataError(f"{table.where}: {code} is neither an HTTP status nor a close code")
    return frozenset(codes)


def _words(table: Fields, key: str, kind: type[_Word]) -> tuple[_Word, ...]:
    return tuple(_word(table, key, word, kind) for word in table.many(key, str))


def _word(table: Fields, key: str, word: str, kind: type[_Word]) -> _Word:
    try:
        return kind(word)
    except ValueError:
        raise DataError(f"{table.where}: `{key}` cannot be `{word}`; allowed: {', '.join(kind)}") from None


def _optional_word(table: Fields, key: str, kind: type[_Word]) -> _Word | None:
    word = table.optional(key, str)
    return None if word is None else _word(table, key, word, kind)


def _reason(table: Fields) -> ReasonPattern | None:
    pattern = ReasonPattern(
        prefix=_texts(table, "prefix"), contains=_texts(table, "contains"), exact=_texts(table, "exact")
    )
    table.done()
    if "" in pattern.contains:
        raise DataError(f"{table.where}: an empty `contains` says nothing; use an empty `prefix`")
    return pattern if pattern.prefix or pattern.contains or pattern.exact else None


def _texts(table: Fields, key: str) -> tuple[str, ...]:
    texts = table.many(key, str)
    for text in texts:
        if len(text.encode()) > _REASON_BYTES:
            raise DataError(f"{table.where}: `{text[:30]}...` is longer than a close reason; shorten it")
    return tuple(text.casefold() for text in texts)


def _conditions(table: Fields) -> Conditions:
    conditions = Conditions(
        closed_by=_optional_word(table, "closed_by", ClosedBy),
        platform=_optional_word(table, "platform", Platform),
        error_type=table.optional("error_type", str),
        resumed=table.optional("resumed", bool),
        go_away_received=table.optional("go_away_received", bool),
        go_away_overrun_ms_at_least=table.optional("go_away_overrun_ms_at_least", float),
        since_tool_response_ms_at_most=table.optional("since_tool_response_ms_at_most", float),
        context_tokens_at_least=table.optional("context_tokens_at_least", int),
        model_mismatch=_words(table, "model_mismatch", MismatchKind),
    )
    table.done()
    return conditions


def _diagnosis(table: Fields, id_: str, version: str, *, advised: bool) -> Diagnosis | None:
    confidence, source = table.required("confidence", str), table.required("source", str)
    if confidence not in set("ABCDE"):
        raise DataError(f"{table.where}: confidence must be one of A, B, C, D, E, not `{confidence}`")
    if table.optional("silent", bool):
        return None
    hint = table.required("hint", str)
    if (MODEL_ADVICE in hint) != advised:
        raise DataError(f"{table.where}: {MODEL_ADVICE} in the hint and when.model_mismatch need each other")
    retry_class = _word(table, "retry_class", table.required("retry_class", str), RetryClass)
    initial, largest = _backoff(table, retry_class)
    cause = table.required("cause", str)
    return Diagnosis(id_, cause, hint, retry_class, initial, largest, confidence, source, version)


def _backoff(table: Fields, retry_class: RetryClass) -> tuple[int | None, int | None]:
    backoff = table.many("backoff_ms", int)
    if retry_class not in _BACKED_OFF:
        if backoff:
            raise DataError(f"{table.where}: `{retry_class}` is not retried; remove `backoff_ms`")
        return None, None
    if len(backoff) != 2 or not 0 <= backoff[0] <= backoff[1]:
        raise DataError(f"{table.where}: `{retry_class}` needs backoff_ms = [first, largest] in milliseconds")
    return backoff[0], backoff[1]


def _sample(table: Fields) -> CloseEvidence:
    sample = CloseEvidence(
        code=table.optional("code", int),
        reason=table.optional("reason", str) or "",
        phase=_optional_word(table, "phase", Phase) or Phase.ACTIVE,
        closed_by=_optional_word(table, "closed_by", ClosedBy),
        clean=table.optional("clean", bool) or False,
        model=table.optional("model", str),
        platform=_optional_word(table, "platform", Platform),
        since_tool_response_ms=table.optional("since_tool_response_ms", float),
        go_away_received=table.optional("go_away_received", bool) or False,
        go_away_overrun_ms=table.optional("go_away_overrun_ms", float),
        http_status=table.optional("http_status", int),
        resumed=table.optional("resumed", bool) or False,
        context_tokens=table.optional("context_tokens", int),
        error_type=table.optional("error_type", str) or "",
    )
    table.done()
    if sample.code is None and sample.http_status is None:
        raise DataError(f"{table.where}: the sample needs a `code` or an `http_status`")
    return sample


CATALOGUE_VERSION: Final = load_catalogue().version
"""Version of the packaged catalogue, recorded with every diagnosis."""
