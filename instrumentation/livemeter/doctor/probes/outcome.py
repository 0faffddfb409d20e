"""What an error of ``requests`` means: the outcome behind its layers of exceptions. Pure."""

import errno
import http.client
import socket
import ssl
from collections.abc import Iterator

import requests

from livemeter.doctor.facts import Outcome, Reach

_UNREACHABLE = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN}
# What OpenSSL calls an answer that is no TLS, in its older and newer versions.
_NO_TLS = {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG"}

# The first that fits: many of these are kinds of each other.
_KINDS: tuple[tuple[type[BaseException], Outcome], ...] = (
    (ssl.SSLEOFError, Outcome.CLOSED),
    (ssl.SSLZeroReturnError, Outcome.CLOSED),
    (ssl.SSLError, Outcome.TLS_FAILED),
    (socket.gaierror, Outcome.UNKNOWN_HOST),
    (ConnectionRefusedError, Outcome.REFUSED),
    (TimeoutError, Outcome.NOT_ANSWERED),
    (ConnectionError, Outcome.CLOSED),
    (http.client.HTTPException, Outcome.CLOSED),
)


def explain(error: Exception) -> Reach:
    """Return what came of a request that raised."""
    if isinstance(error, OSError) and not isinstance(error, requests.RequestException):
        # Only the certificates of a request are read from files.
        return Reach(Outcome.NO_CERTIFICATE_FILE)
    causes = list(_causes(error))
    if isinstance(error, requests.exceptions.ProxyError):
        return Reach(Outcome.PROXY, detail=_detail(causes))
    if isinstance(error, requests.exceptions.Timeout):
        connected = not isinstance(error, requests.exceptions.ConnectTimeout)
        return Reach(Outcome.NOT_ANSWERED if connected else Outcome.NOT_CONNECTED)
    return next((reach for cause in causes if (reach := _of(cause))), _unknown(error))


def _of(cause: BaseException) -> Reach | None:
    if isinstance(cause, ssl.SSLCertVerificationError):
        return Reach(Outcome.UNTRUSTED, detail=cause.verify_message)
    if isinstance(cause, OSError) and cause.errno in _UNREACHABLE:
        return Reach(Outcome.UNREACHABLE)
    outcome = next((outcome for kind, outcome in _KINDS if isinstance(cause, kind)), None)
    if outcome is Outcome.TLS_FAILED:
        return _tls(getattr(cause, "reason", None) or "")
    return Reach(outcome) if outcome else None


def _tls(reason: str) -> Reach:
    return Reach(
        Outcome.NOT_TLS if reason in _NO_TLS else Outcome.TLS_FAILED, detail=reason.replace("_", " ").lower()
    )


def _unknown(error: Exception) -> Reach:
    return Reach(Outcome.FAILED, detail=type(error).__name__)


def _detail(causes: list[BaseException]) -> str:
    reach = next((reach for cause in causes if (reach := _of(cause))), None)
    return reach.outcome.value.replace("_", " ") if reach else ""


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and whatever it was raised from, holds as its reason or as an argument."""
    waiting, seen = [error], set[int]()
    while waiting:
        current = waiting.pop(0)
        if id(current) in seen:
            continue
        seen.add(id(current))
        # The layers above the system's own errors are called ConnectionError as well.
        if not isinstance(current, requests.RequestException):
            yield current
        behind = (current.__cause__, current.__context__, getattr(current, "reason", None), *current.args)
        waiting += [cause for cause in behind if isinstance(cause, BaseException)]
