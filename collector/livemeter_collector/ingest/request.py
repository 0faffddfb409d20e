"""What passes from the receivers to the writer: one decoded request, and the four ways to be turned away.

Plain data; imports nothing of the receivers, the engine or a server.
"""

from dataclasses import dataclass

REASON_LIMIT_CHARACTERS = 500
"""A reason travels in HTTP bodies and gRPC trailers, which have room for a sentence, not for a payload."""


@dataclass(frozen=True, slots=True)
class Request:
    """One ``Export*ServiceRequest`` as protobuf bytes that the engine can read, and its number of records."""

    body: bytes
    records: int


class RequestError(Exception):
    """A request that was not stored; the text says why, for the person who runs the sender."""

    def __init__(self, reason: str) -> None:
        super().__init__(shorten(reason))


class MalformedError(RequestError):
    """The bytes are wrong and will stay wrong: sending them again cannot help."""


class TooLargeError(RequestError):
    """The request, after decompression, is over the limit: it has to be split by its sender."""


class UnsupportedTypeError(RequestError):
    """A content type or a content encoding that the receiver does not read."""


class RefusedError(RequestError):
    """Nothing is wrong with the request: the same bytes may be taken after ``retry_after_s`` seconds."""

    def __init__(self, reason: str, retry_after_s: int = 1) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s
        """Never over 2: exporters give up at once when the hint exceeds what is left of their deadline."""


def shorten(reason: str) -> str:
    """Cut a reason to one line of at most ``REASON_LIMIT_CHARACTERS``."""
    line = " ".join(reason.split())
    return line if len(line) <= REASON_LIMIT_CHARACTERS else line[: REASON_LIMIT_CHARACTERS - 1] + "…"
