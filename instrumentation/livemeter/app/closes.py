"""Why a connection ended, for whoever holds the exception that told of it: ``livemeter.diagnose(error)``."""

import random
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from livemeter.diagnosis import CloseEvidence, Diagnosis, RetryClass, diagnose_close
from livemeter.emit.connections import close_evidence
from livemeter.observer.facts import ConnectionClosed, Endpoint
from livemeter.vocabulary import ClosedBy, Phase

_MAX_LINKS = 16
_CLOSE_CODES = range(1000, 5000)
_DOUBLINGS = 16

_known: "WeakKeyDictionary[BaseException, CloseEvidence]" = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class Advice:
    """What is known of an ended connection, and what a program should do.

    ``diagnosis`` is a catalogue id, empty where the cause is not known; then ``retry_class`` is ``resume``
    with an ordinary back-off. ``was_observed`` says whether Livemeter saw the connection: if not, the
    exception is all there is. ``code`` is the close code or, for a refused handshake, the HTTP status.
    """

    diagnosis: str
    cause: str
    hint: str
    retry_class: RetryClass
    backoff_initial_ms: int | None
    backoff_max_ms: int | None
    code: int | None
    reason: str
    was_observed: bool

    @property
    def should_retry(self) -> bool:
        """Whether the same application may expect another attempt to succeed, as it is."""
        return self.retry_class not in {RetryClass.NEVER, RetryClass.ACCOUNT}

    @property
    def keep_handle(self) -> bool:
        """Whether the latest resumption handle is still good."""
        return self.should_retry and self.retry_class is not RetryClass.DROP_HANDLE

    def wait_s(self, attempt: int = 1) -> float | None:
        """Return how long to wait before the next attempt, in seconds; None where retrying makes no sense.

        The first attempt waits about the initial back-off, each further one twice as long up to the
        largest, all of them with a jitter of a quarter, so that many clients do not come back at once.
        """
        if not self.should_retry or self.backoff_initial_ms is None:
            return None
        longest = self.backoff_max_ms if self.backoff_max_ms is not None else self.backoff_initial_ms
        doubled = self.backoff_initial_ms * 2 ** min(max(attempt - 1, 0), _DOUBLINGS)
        return float(min(doubled, longest) / 1000 * random.uniform(0.75, 1))  # noqa: S311 - no secret


UNKNOWN_BACKOFF_MS = (1000, 30_000)
"""First and largest wait where the cause is not known."""


def diagnose(error: BaseException) -> Advice | None:
    """Say why the connection that raised ``error`` ended and what to do; None if no connection's end did.

    Takes what google-genai raises (``APIError``), what websockets raises (``ConnectionClosed``,
    ``InvalidStatus``), and exceptions that were raised because of them.
    """
    evidence = next((_known[each] for each in _chain(error) if _is_known(each)), None)
    was_observed = evidence is not None
    evidence = evidence or next(filter(None, map(_read, _chain(error))), None)
    if evidence is None:
        return None
    return _advice(evidence, diagnose_close(evidence), was_observed=was_observed)


def remember(error: BaseException, closed: ConnectionClosed, endpoint: Endpoint) -> None:
    """Keep what is known of a close for as long as the exception that told of it lives."""
    # A built-in exception cannot be referred to weakly; what it says itself has to do.
    with suppress(TypeError):
        _known[error] = close_evidence(closed, endpoint)


def _advice(evidence: CloseEvidence, diagnosis: Diagnosis | None, *, was_observed: bool) -> Advice:
    code = evidence.http_status if evidence.code is None else evidence.code
    if diagnosis is None:
        return Advice("", "", "", RetryClass.RESUME, *UNKNOWN_BACKOFF_MS, code, evidence.reason, was_observed)
    return Advice(
        diagnosis.id,
        diagnosis.cause,
        diagnosis.hint,
        diagnosis.retry_class,
        diagnosis.backoff_initial_ms,
        diagnosis.backoff_max_ms,
        code,
        evidence.reason,
        was_observed,
    )


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    each: BaseException | None = error
    while each is not None and id(each) not in seen and len(seen) < _MAX_LINKS:
        seen.add(id(each))
        yield each
        each = each.__cause__ or each.__context__


def _is_known(error: BaseException) -> bool:
    try:
        return error in _known
    except TypeError:
        return False


def _read(error: BaseException) -> CloseEvidence | None:
    """Read an exception by what it carries, since neither library need be installed."""
    error_type = f"{type(error).__module__}.{type(error).__qualname__}"
    if "rcvd" in vars(error) and "sent" in vars(error):
        return _read_closed(error, error_type)
    response = getattr(error, "response", None)
    status = getattr(response, "status_code", None)
    if type(error).__name__ == "InvalidStatus" and isinstance(status, int):
        return CloseEvidence(None, phase=Phase.HANDSHAKE, http_status=status, error_type=error_type)
    code = getattr(error, "code", None)
    if type(error).__name__ == "APIError" and isinstance(code, int) and code in _CLOSE_CODES:
        return CloseEvidence(code, _reason(error, code), error_type=error_type)
    return None


def _read_closed(error: Any, error_type: str) -> CloseEvidence:
    received, sent = error.rcvd, error.sent
    by_server = received is not None and (sent is None or error.rcvd_then_sent is True)
    frame = received if by_server else sent
    closed_by = ClosedBy.SERVER if by_server else ClosedBy.CLIENT if sent is not None else ClosedBy.NONE
    return CloseEvidence(
        code=frame.code if frame is not None else None,
        reason=frame.reason if frame is not None else "",
        closed_by=closed_by,
        clean=received is not None and sent is not None,
        error_type=error_type,
    )


def _reason(error: Any, code: int) -> str:
    """Return the reason out of google-genai's ``1011 None. reason``."""
    text = str(getattr(error, "details", None) or getattr(error, "message", None) or error)
    return text.removeprefix(f"{code} None. ").strip()
