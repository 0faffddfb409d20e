"""Requests that were accepted not long ago, by their digests: a sender that lost the answer sends again.

In memory for every request from its acknowledgement on. On disk since its segment was removed; before that
the segment itself has it. So no sync of its own is needed before a request is acknowledged.
"""

import os
import struct
from collections.abc import Iterable
from pathlib import Path

from livemeter_collector.journal.disk import write_all, write_durably
from livemeter_collector.journal.record import DIGEST_BYTES

MAX_SEEN = 262_144
"""Requests that are remembered at most, some 40 MB."""

SEEN_FOR_S = 3600
"""How long. Exporters give a request up after ten seconds, the stock Collector after five minutes."""

_LINE = struct.Struct(f"<{DIGEST_BYTES}sQ")


class SeenRequests:
    """Digests and when (Unix, nanoseconds) their requests were accepted. Not safe for concurrent calls."""

    def __init__(self, path: Path, now_ns: int, *, most: int = MAX_SEEN, seconds: float = SEEN_FOR_S) -> None:
        """Read what an earlier process left. A torn last line is dropped."""
        self._path = path
        self._most = most
        self._for_ns = int(seconds * 1e9)
        data = path.read_bytes() if path.exists() else b""
        whole = data[: len(data) - len(data) % _LINE.size]
        self._digests: dict[bytes, int] = {}
        self._remember(_LINE.iter_unpack(whole), now_ns)
        self._lines = len(whole) // _LINE.size
        if len(whole) != len(data):
            self._compact(self._digests.items())

    def __contains__(self, digest: bytes) -> bool:
        return digest in self._digests

    def __len__(self) -> int:
        return len(self._digests)

    def add(self, digests: Iterable[tuple[bytes, int]], now_ns: int) -> None:
        """Remember requests, and forget those that are too old or too many."""
        self._remember(digests, now_ns)

    def keep(self, digests: Iterable[tuple[bytes, int]]) -> None:
        """Put on disk what was added before; when it returns it is there.

        Raises:
            OSError: the disk is full or cannot be written.
        """
        lines = [_LINE.pack(*each) for each in digests]
        if self._lines + len(lines) > 2 * self._most:
            self._compact(self._digests.items())
            return
        descriptor = os.open(self._path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
        try:
            size = os.fstat(descriptor).st_size
            try:
                write_all(descriptor, b"".join(lines))
            except OSError:
                os.ftruncate(descriptor, size)
                raise
            os.fdatasync(descriptor)
        finally:
            os.close(descriptor)
        self._lines += len(lines)

    def _remember(self, digests: Iterable[tuple[bytes, int]], now_ns: int) -> None:
        for digest, at_ns in digests:
            self._digests.pop(digest, None)
            self._digests[digest] = at_ns
        # In order of arrival, so the oldest are first.
        while self._digests:
            oldest = next(iter(self._digests))
            if len(self._digests) <= self._most and self._digests[oldest] >= now_ns - self._for_ns:
                break
            del self._digests[oldest]

    def _compact(self, digests: Iterable[tuple[bytes, int]]) -> None:
        lines = [_LINE.pack(*each) for each in digests]
        write_durably(self._path, b"".join(lines))
        self._lines = len(lines)
