"""How a connection ended, read from the ``websockets`` objects that know, without anything that is secret."""

import re
from collections.abc import Sized
from typing import Any

from livemeter.hooks.exceptions import exception_chain, type_name
from livemeter.observer.connection import Close
from livemeter.vocabulary import ClosedBy

ABNORMAL_CLOSURE = 1006
"""What a missing close frame is called (RFC 6455, 7.1.5); it never crosses the wire."""

REDACTED = "[redacted]"

_MAX_REFUSAL_CHARACTERS = 300
_MAX_REFUSAL_BYTES_READ = 4096

# Credentials by their own shape: API keys of both forms, ephemeral tokens, OAuth tokens, JSON web tokens,
# whatever a Bearer is followed by; and whatever follows an equals sign after a telling word.
_CREDENTIAL = re.compile(
    r"""AIza[\w-]{10,} | \bAQ\.[\w-]{10,} | auth_tokens/\S+ | \bya29\.\S+ | \beyJ[\w-]{10,}[\w.-]*
    | (?i: (?<=\bbearer\ )\S+ | (?<=key=)\S+ | (?<=token=)\S+ | (?<=secret=)\S+ | (?<=handle=)\S+ )""",
    re.VERBOSE,
)
# After a colon a sentence may go on, so only a value with a digit in it is taken for a credential.
_NAMED = re.compile(
    r"""(?i)( (?:key|token|secret|handle) ["']? \s? : \s? ["']? ) (?=[^\s"',;}]*\d) [^\s"',;}]{8,}""",
    re.VERBOSE,
)
# A run without a full stop or a blank, which the paths of projects and models may be as well.
_LONG_RUN = re.compile(r"[A-Za-z0-9_+/-]{40,}={0,2}")
_HEXADECIMAL = re.compile(r"[0-9a-fA-F]+")


def read_close(connection: Any, error: BaseException | None) -> Close:
    """Read how a ``websockets`` connection ended from its protocol object (15.0 to 17.4).

    ``close_rcvd_then_sent`` tells who began: True the server, False the client, None when the handshake
    of the close was not completed. What the client's own library closed for (a time-out of its keepalive,
    a frame that was too large) is the client's close.

    Args:
        connection: asyncio or sync connection; only ``protocol`` is read.
        error: what told of the end; None when the application left by itself.
    """
    protocol = connection.protocol
    received, sent = protocol.close_rcvd, protocol.close_sent
    by_server = received is not None and (sent is None or protocol.close_rcvd_then_sent is True)
    frame = received if by_server else sent
    closed_by = ClosedBy.SERVER if by_server else ClosedBy.CLIENT if sent is not None else ClosedBy.NONE
    return Close(
        # A number also where the library wrote a member of its own enumeration.
        code=int(frame.code) if frame is not None else ABNORMAL_CLOSURE,
        reason=redacted(frame.reason) if frame is not None else "",
        closed_by=closed_by,
        clean=received is not None and sent is not None,
        error_type=type_name(error) if error is not None else "",
        exception_chain=exception_chain(error) if error is not None else (),
    )


def has_unread(connection: Any) -> bool:
    """Whether messages came that the application has not received yet; it may do so after the end.

    False where it cannot be seen: the queue is the library's own affair (15.0 to 17.4).
    """
    queue: Any = getattr(getattr(connection, "recv_messages", None), "frames", ())
    return isinstance(queue, Sized) and len(queue) > 0


def read_refused_dial(error: BaseException) -> Close:
    """Read why no connection came about; an HTTP refusal carries its status and the start of its text."""
    response = getattr(error, "response", None)
    return Close(
        reason=read_refusal(getattr(response, "body", None)),
        http_status=getattr(response, "status_code", None),
        error_type=type_name(error),
        exception_chain=exception_chain(error),
    )


def read_refusal(body: object) -> str:
    """Return the start of an HTTP refusal's text on one line, without anything that looks like a key."""
    if not isinstance(body, bytes | bytearray):
        return ""
    text = bytes(body[:_MAX_REFUSAL_BYTES_READ]).decode("utf-8", "replace")
    return redacted(" ".join(text.split()))[:_MAX_REFUSAL_CHARACTERS]


def redacted(text: str) -> str:
    """Return what the other side said without anything that looks like a key, a token or a handle."""
    text = _CREDENTIAL.sub(REDACTED, text)
    text = _NAMED.sub(rf"\1{REDACTED}", text)
    return _LONG_RUN.sub(_without_opaque_run, text)


def _without_opaque_run(run: re.Match[str]) -> str:
    value = run.group()
    mixed = all(any(test(c) for c in value) for test in (str.isdigit, str.islower, str.isupper))
    return REDACTED if mixed or _HEXADECIMAL.fullmatch(value) else value
