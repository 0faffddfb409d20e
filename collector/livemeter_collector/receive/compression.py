"""Decompress a request body without ever holding more than the limit: a small bomb stays small.

Pure: bytes in, bytes out. Knows the content encodings and nothing of OTLP.
"""

import sys
import zlib
from collections.abc import Callable, Mapping
from typing import Protocol

from livemeter_collector.ingest.request import MalformedError, TooLargeError, UnsupportedTypeError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_MEMBER_LIMIT = 16
"""A body may be several compressed streams in a row; thousands of empty ones would only burn time."""

_ZSTD_WINDOW_LOG = 26
"""64 MiB."""


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


def decompress(content_encoding: str, body: bytes, limit_bytes: int) -> bytes:
    """Undo a ``Content-Encoding`` (gzip, deflate, zstd; empty or identity is none).

    Raises:
        UnsupportedTypeError: another encoding, or several.
        MalformedError: the bytes are not what the encoding says, or end too early.
        TooLargeError: more than ``limit_bytes`` come out.
    """
    encoding = content_encoding.strip().lower() or "identity"
    if encoding != "identity":
        body = _decompress_streams(encoding, body, limit_bytes)
    if len(body) > limit_bytes:
        raise TooLargeError(f"the request is over {limit_bytes} bytes uncompressed: send smaller batches")
    return body


def _decompress_streams(encoding: str, body: bytes, limit_bytes: int) -> bytes:
    if encoding not in _DECOMPRESSORS:
        raise UnsupportedTypeError(f"content encoding {encoding!r} is not read: use gzip, deflate or zstd")
    pieces: list[bytes] = []
    # One byte over the limit is enough to know.
    room = limit_bytes + 1
    rest = body
    while rest and room > 0:
        if len(pieces) == _MEMBER_LIMIT:
            raise MalformedError(f"the body is more than {_MEMBER_LIMIT} {encoding} streams in a row")
        piece, rest = _decompress_one(encoding, rest, room)
        pieces.append(piece)
        room -= len(piece)
    return b"".join(pieces)


def _decompress_one(encoding: str, data: bytes, room: int) -> tuple[bytes, bytes]:
    decompressor = _DECOMPRESSORS[encoding](data)
    try:
        piece = decompressor.decompress(data, room)
    except (zlib.error, zstd.ZstdError) as error:
        raise MalformedError(f"the body is not {encoding}: {error}") from error
    if not decompressor.eof and len(piece) < room:
        raise MalformedError(f"the {encoding} body ends too early")
    return piece, decompressor.unused_data


def _gzip(_data: bytes) -> _Decompressor:
    return zlib.decompressobj(zlib.MAX_WBITS | 16)


def _deflate(data: bytes) -> _Decompressor:
    # HTTP's deflate is zlib's format, but some senders leave zlib's two header bytes out.
    has_header = len(data) > 1 and data[0] & 0x0F == 8 and (data[0] << 8 | data[1]) % 31 == 0
    return zlib.decompressobj(zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS)


def _zstd(_data: bytes) -> _Decompressor:
    # The window is memory that a frame of a few bytes asks for; no request that is taken needs a larger one.
    return zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG})


_DECOMPRESSORS: Mapping[str, Callable[[bytes], _Decompressor]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "zlib": _deflate,
    "zstd": _zstd,
}
