"""What HTTP and gRPC do alike with a request: decode it, hand it to the writer, wait until it is stored."""

import asyncio

from livemeter_collector.ingest.request import RequestError
from livemeter_collector.ingest.writer import Writer
from livemeter_collector.receive.decode import decode
from livemeter_collector.store.contract import Signal

_INLINE_BYTES = 16 * 1024


async def take(
    writer: Writer, signal: Signal, content_type: str, content_encoding: str, body: bytes, limit_bytes: int
) -> None:
    """Return when the request, as received, is stored; ``limit_bytes`` bounds it after decompression.

    Raises:
        RequestError: one of its four kinds; nothing of the request was acknowledged.
    """
    try:
        # Larger bodies would hold up every other connection while they are parsed.
        if len(body) <= _INLINE_BYTES:
            request = decode(signal, content_type, content_encoding, body, limit_bytes)
        else:
            request = await asyncio.to_thread(
                decode, signal, content_type, content_encoding, body, limit_bytes
            )
    except RequestError:
        writer.count_malformed(signal, len(body))
        raise
    await writer.submit(signal, request)
