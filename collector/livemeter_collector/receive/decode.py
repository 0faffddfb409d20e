"""Turn a request's bytes, as they came off the wire, into bytes that the engine can read.

Pure: bytes in, bytes out. Everything that can be wrong with a request is found here, before it is queued.
"""

from google.protobuf.message import DecodeError

from livemeter_collector.ingest.request import MalformedError, Request, UnsupportedTypeError
from livemeter_collector.receive.compression import decompress
from livemeter_collector.receive.flatten import flatten, may_need_flattening
from livemeter_collector.receive.otlp_json import parse_json
from livemeter_collector.receive.schema import PROBES, REQUESTS, count_records
from livemeter_collector.store.contract import Signal

PROTOBUF = "application/x-protobuf"
JSON = "application/json"
LIMIT_BYTES = 64 * 1024 * 1024
"""The largest request after decompression that OTLP recommends a server to take."""


def decode(
    signal: Signal,
    content_type: str,
    content_encoding: str,
    body: bytes,
    limit_bytes: int = LIMIT_BYTES,
) -> Request:
    """Decompress, check and normalise one ``Export*ServiceRequest``.

    Args:
        signal: which of the three requests is expected.
        content_type: the header's value; parameters such as a charset are ignored.
        content_encoding: the header's value, empty when absent.
        body: the bytes as received.
        limit_bytes: bound on the bytes after decompression.

    Raises:
        UnsupportedTypeError: neither protobuf nor JSON, or an encoding that is not read.
        TooLargeError: over the limit.
        MalformedError: not a request of this signal; nothing of it can be stored.
    """
    kind = media_type(content_type)
    if kind not in {PROTOBUF, JSON}:
        raise UnsupportedTypeError(f"content type {kind!r} is not read: use {PROTOBUF} or {JSON}")
    body = decompress(content_encoding, body, limit_bytes)
    if kind == JSON:
        body = parse_json(signal, body).SerializeToString()
    return _checked(signal, body)


def media_type(content_type: str) -> str:
    """Return a content type without its parameters, in lower case."""
    return content_type.partition(";")[0].strip().lower()


def _checked(signal: Signal, body: bytes) -> Request:
    try:
        probe = PROBES[signal].FromString(body)
        if may_need_flattening(probe, body):
            body = flatten(signal, body)
    except DecodeError as error:
        name = REQUESTS[signal].DESCRIPTOR.name
        raise MalformedError(
            f"the body is not a protobuf {name}: it is cut short or another thing"
        ) from error
    return Request(body, count_records(signal, probe))
