"""What HTTP and gRPC do alike with a request: decode it, hand it on, wait until it is stored."""

import asyncio
from typing import Protocol

from livemeter_collector.ingest.request import Request, RequestError
from livemeter_collector.receive.decode import decode
from livemeter_collector.store.contract import Signal

_INLINE_BYTES = 16 * 1024


class Acceptor(Protocol):
    """Where decoded requests go: the writer, as far as the doors know it."""

    async def submit(self, signal: Signal, request: Request, *, again: bool = False) -> None:
        """Return when the request's records are durable; ``again``: although its bytes came before.

        Raises:
            RequestError: they are not, and the request was not acknowledged.
        """

    def count_malformed(self, signal: Signal, size_bytes: int) -> None:
        """Count a request that was turned away before it could be submitted."""


async def take(
    acceptor: Acceptor,
    signal: Signal,
    content_type: str,
    content_encoding: str,
    body: bytes,
    limit_bytes: int,
    *,
    again: bool = False,
) -> None:
    """Return when the request, as received, is kept; ``limit_bytes`` bounds it after decompression.

    With ``again`` it is kept although its bytes came before.

    Raises:
        RequestError: one of its four kinds; nothing of the request was acknowledged.
    """
    try:
        # What is larger, or may become so, would hold up every other connection while it is parsed.
        if len(body) <= _INLINE_BYTES and not content_encoding:
            request = decode(signal, content_type, content_encoding, body, limit_bytes)
        else:
            request = await asyncio.to_thread(
                decode, signal, content_type, content_encoding, body, limit_bytes
            )
    except RequestError:
        acceptor.count_malformed(signal, len(body))
        raise
    await acceptor.submit(signal, request, again=again)
