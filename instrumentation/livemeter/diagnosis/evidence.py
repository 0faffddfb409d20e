"""What goes into a diagnosis and what comes out of it: plain data, no behaviour."""

from dataclasses import dataclass
from enum import StrEnum


class RetryClass(StrEnum):
    """What a program should do about a close."""

    NEVER = "never"
    """The same attempt fails again: change something first."""
    ROTATE = "rotate"
    """The expected end of a connection: open the next one at once, with the latest handle."""
    DROP_HANDLE = "drop_handle"
    """Start afresh, without a resumption handle."""
    RESUME = "resume"
    """Reconnect after the backoff, with the latest handle if there is one."""
    ACCOUNT = "account"
    """Somebody has to act on billing, quota or the account; reconnecting does not help."""


@dataclass(frozen=True, slots=True)
class CloseEvidence:
    """What is known about a close. ``None`` means "not known".

    ``code`` and ``reason`` are those of the first close frame, whichever side sent it: a frame that the
    client sent and the server never answered counts. Without any close frame ``code`` is None or 1006.
    ``phase`` and ``closed_by`` take the values of ``vocabulary.Phase`` and ``ClosedBy``, ``platform`` those
    of ``Platform``. ``model`` may be bare or a full resource name. ``resumed``: the setup carried a
    resumption handle. ``error_type`` is the exception's class name, dotted or not.
    """

    code: int | None
    reason: str = ""
    phase: str = "active"
    closed_by: str | None = None
    clean: bool = False
    model: str | None = None
    platform: str | None = None
    since_tool_response_ms: float | None = None
    go_away_received: bool = False
    go_away_overrun_ms: float | None = None
    http_status: int | None = None
    resumed: bool = False
    context_tokens: int | None = None
    error_type: str = ""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Why a connection closed and what to do.

    Backoffs are the first and the largest wait in milliseconds, None where retrying makes no sense.
    ``confidence`` goes from A (run or read in code) to E (inference); ``source`` says where it is described.
    """

    id: str
    cause: str
    hint: str
    retry_class: RetryClass
    backoff_initial_ms: int | None
    backoff_max_ms: int | None
    confidence: str
    source: str
    catalogue_version: str
