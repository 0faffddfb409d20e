"""Segments as files: one that is written to, and those that are only read."""

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from livemeter_collector.journal.disk import sync_directory, write_all
from livemeter_collector.journal.record import (
    Contents,
    Entry,
    Preamble,
    UnreadableSegmentError,
    entries_bytes,
    entries_length,
    preamble_bytes,
    read_contents,
)

SUFFIX = ".pb"


class BrokenJournalError(Exception):
    """A sync failed: what the disk holds is not known. The process must end and read it anew."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment that nothing is added to any more."""

    path: Path
    preamble: Preamble
    requests: int
    records: int
    body_bytes: int
    """Of the requests alone."""
    file_bytes: int
    oldest_ns: int
    """When its first request was accepted (Unix, nanoseconds)."""

    def read(self) -> tuple[bytes, Contents]:
        """Return the segment's bytes and what is where in them.

        Raises:
            BrokenJournalError: they are not those that were written.
            OSError: they cannot be read.
        """
        data = self.path.read_bytes()
        try:
            contents = read_contents(data)
        except UnreadableSegmentError as error:
            raise BrokenJournalError(f"{self.path.name} changed on disk: {error}") from error
        if contents.end != self.file_bytes:
            raise BrokenJournalError(f"{self.path.name} changed on disk after byte {contents.end}")
        return data[: contents.end], contents

    def begin_try(self) -> None:
        """Take note on disk that it is in the store's hands."""
        self._trying().touch()

    def end_try(self) -> None:
        """Take note that the process lived through it."""
        self._trying().unlink(missing_ok=True)

    def note_death(self, *, crashed: bool) -> None:
        """Take note, in a new process, of how the one before it ended."""
        if self._trying().exists() and crashed:
            with self._deaths().open("ab") as file:
                file.write(b".")
        self.end_try()

    @property
    def deaths(self) -> int:
        """How many processes crashed with it in the store's hands."""
        return self._deaths().stat().st_size if self._deaths().exists() else 0

    def unlink(self) -> None:
        """Remove its files. That they are gone is durable with the directory's next sync."""
        self.path.unlink(missing_ok=True)
        self.end_try()
        self._deaths().unlink(missing_ok=True)

    def _trying(self) -> Path:
        return self.path.with_suffix(".trying")

    def _deaths(self) -> Path:
        return self.path.with_suffix(".deaths")


def segment_of(path: Path, contents: Contents) -> Segment:
    """Return the segment whose contents were read."""
    places = contents.places
    return Segment(
        path,
        contents.preamble,
        len(places),
        sum(place.records for place in places),
        sum(place.end - place.body for place in places),
        contents.end,
        places[0].accepted_at_ns if places else 0,
    )


def path_of(directory: Path, number: int) -> Path:
    """Return where a segment is; names sort as numbers do."""
    return directory / f"{number:020d}{SUFFIX}"


class OpenSegment:
    """The segment that is written to. One caller at a time."""

    def __init__(self, directory: Path, preamble: Preamble) -> None:
        """Make the file.

        Raises:
            OSError: the disk is full or cannot be written.
        """
        self.path = path_of(directory, preamble.number)
        self._preamble = preamble
        self._descriptor = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND, 0o600)
        try:
            begin = preamble_bytes(preamble)
            write_all(self._descriptor, begin)
            sync_directory(directory)
        except OSError:
            os.close(self._descriptor)
            with contextlib.suppress(OSError):
                self.path.unlink()
            raise
        self.file_bytes = len(begin)
        self.requests = self.records = self.body_bytes = 0
        self.oldest_ns = 0

    def append(self, entries: list[Entry]) -> None:
        """Add requests; when it returns they are on disk. ``count`` follows.

        Raises:
            OSError: the disk is full; nothing was added.
            BrokenJournalError: it is not known what was.
        """
        data = entries_bytes(entries)
        try:
            write_all(self._descriptor, data)
        except OSError:
            self._cut()
            raise
        try:
            os.fdatasync(self._descriptor)
        except OSError as error:
            raise BrokenJournalError(f"{self.path.name} cannot be synced: {error.strerror}") from error

    def count(self, entries: list[Entry]) -> None:
        """Take note of what was added."""
        self.oldest_ns = self.oldest_ns or entries[0].accepted_at_ns
        self.file_bytes += entries_length(entries)
        self.requests += len(entries)
        self.records += sum(entry.records for entry in entries)
        self.body_bytes += sum(len(entry.body) for entry in entries)

    def seal(self) -> Segment:
        """Close the file; nothing is added from now on."""
        os.close(self._descriptor)
        return Segment(
            self.path,
            self._preamble,
            self.requests,
            self.records,
            self.body_bytes,
            self.file_bytes,
            self.oldest_ns,
        )

    def _cut(self) -> None:
        try:
            os.ftruncate(self._descriptor, self.file_bytes)
        except OSError as error:
            raise BrokenJournalError(f"{self.path.name} cannot be cut: {error.strerror}") from error
