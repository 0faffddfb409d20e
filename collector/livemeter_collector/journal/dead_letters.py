"""Requests that the store cannot read, on disk until somebody looks: what was accepted is not thrown away.

A letter is one file, ``<signal>-<digest>.letter``: one line of JSON, then the request's bytes.

    {"version": 1, "signal": "logs", "bytes": 812, "records": 3, "reason": "...",
     "received_at_ns": 1767225600000000000, "set_aside_at_ns": 1767225600100000000}

The name is the content's (signal, BLAKE2b), so that the same request is one letter however often it is set
aside. While a letter is being sent again its file has another name, ``<signal>-<digest>.<token>.retry``: if
the store refuses the request once more, that makes a letter anew, which the end of the first attempt must
not remove. A file of either name is the letter; so an attempt that died leaves it where it was.
"""

import contextlib
import json
import os
import re
import secrets
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from livemeter_collector.journal.disk import sync_directory, write_durably
from livemeter_collector.journal.record import digest_of
from livemeter_collector.store.contract import Signal

DIRECTORY = "dead-letters"
"""Within the data directory."""

VERSION = 1
REASON_CHARACTERS = 500

RETRY_HEADER = "livemeter-retry"
"""Of a request that is sent again on purpose: it is not skipped because its bytes were accepted before."""

_ID_DIGITS = 12
_HEAD_BYTES = 16 * 1024
_KEY = rf"(?P<key>(?:{'|'.join(Signal)})-[0-9a-f]{{32}})"
_NAME = re.compile(rf"{_KEY}\.(?:letter|(?P<token>[0-9a-f]+)\.retry)")
# What a crash in the middle of a write leaves: its request is still in the journal, and is set aside again.
_UNFINISHED = ".new"


class UnknownLetterError(Exception):
    """No letter has this id, or several begin with it; the text says which."""


class DamagedLetterError(Exception):
    """The file is not as it was written."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One request that was accepted and cannot be stored."""

    signal: Signal
    body: bytes
    """The ``Export*ServiceRequest`` as protobuf."""
    records: int
    """As counted when it was accepted."""
    reason: str
    """One line; longer ones are made so."""
    received_at_ns: int
    """When it was accepted (Unix, nanoseconds)."""
    set_aside_at_ns: int

    @property
    def id(self) -> str:
        """The signal and the first 12 digits of the request's digest."""
        return _id_of(_key_of(self))


@dataclass(frozen=True, slots=True)
class Envelope:
    """What is written on a letter: all of it but the request."""

    id: str
    key: str
    """The name of its file without the ending: signal and whole digest."""
    signal: Signal
    bytes: int
    """Length of the request."""
    records: int
    reason: str
    received_at_ns: int
    set_aside_at_ns: int


@dataclass(frozen=True, slots=True)
class Listing:
    """What lies in the directory: letters, the oldest first, and the names of files that are none."""

    letters: tuple[Envelope, ...]
    strangers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Totals:
    """Letters and their bytes on disk, by the names and sizes of their files alone."""

    count: int
    bytes: int


class DeadLetters:
    """A directory of letters. Safe from any thread; other processes may read, retry and drop meanwhile."""

    def __init__(self, directory: Path) -> None:
        """The directory is made with the first letter."""
        self._directory = directory
        self._writing = threading.Lock()

    def set_aside(self, letter: DeadLetter) -> None:
        """Keep a request with the reason; durable when it returns, and once however often it is called.

        Raises:
            OSError: the disk is full or cannot be written; nothing was changed.
        """
        with self._writing:
            self._make_directory()
            path = self._path(_key_of(letter))
            try:
                _read_letter(path)
            except (OSError, DamagedLetterError):
                write_durably(path, _head(letter) + letter.body)
            else:
                # Written before; but the process may have died before its name was durable.
                sync_directory(self._directory)

    def list(self) -> Listing:
        """Return what is written on the letters, without reading any request.

        Raises:
            OSError: the directory cannot be read.
        """
        letters: dict[str, Envelope] = {}
        strangers: list[str] = []
        for path in self._files():
            named = _NAME.fullmatch(path.name)
            try:
                if named and named["key"] not in letters:
                    letters[named["key"]] = _read_envelope(path)
            except FileNotFoundError:
                # Dropped, or put back under its other name, since the directory was read.
                continue
            except DamagedLetterError:
                strangers.append(path.name)
            if not named and path.suffix != _UNFINISHED:
                strangers.append(path.name)
        in_order = sorted(letters.values(), key=lambda envelope: (envelope.set_aside_at_ns, envelope.key))
        return Listing(tuple(in_order), tuple(sorted(set(strangers))))

    def get(self, id_or_prefix: str) -> DeadLetter:
        """Return the letter whose id, or whose digest, begins so.

        Raises:
            UnknownLetterError: none does, or several do.
            DamagedLetterError: its bytes are not those that were set aside.
            OSError: it cannot be read.
        """
        key = self.find(id_or_prefix).key
        for path in self._paths(key):
            with contextlib.suppress(FileNotFoundError):
                return _read_letter(path)
        raise UnknownLetterError(f"{_id_of(key)} is no longer there")

    def find(self, id_or_prefix: str) -> Envelope:
        """Return what is written on the letter whose id, or whose digest, begins so.

        Raises:
            UnknownLetterError: none does, or several do.
            OSError: the directory cannot be read.
        """
        if re.fullmatch(_KEY, id_or_prefix):
            # Whoever goes through many letters has listed them already.
            with contextlib.suppress(FileNotFoundError, DamagedLetterError):
                return _read_envelope(self._path(id_or_prefix))
        return _only(self.list().letters, id_or_prefix)

    def drop(self, *ids_or_prefixes: str) -> int:
        """Remove letters for good; return how many. None is removed when one of them is not known.

        Raises:
            UnknownLetterError: no letter has one of these ids, or several begin with it.
            OSError: the directory cannot be written.
        """
        keys = {self.find(each).key for each in ids_or_prefixes}
        for path in self._files():
            named = _NAME.fullmatch(path.name)
            if named and named["key"] in keys:
                path.unlink(missing_ok=True)
        if keys:
            sync_directory(self._directory)
        return len(keys)

    def totals(self) -> Totals:
        """Count the letters; reads none of them."""
        sizes: dict[str, int] = {}
        for path in self._files():
            if named := _NAME.fullmatch(path.name):
                with contextlib.suppress(FileNotFoundError):
                    sizes[named["key"]] = path.stat().st_size
        return Totals(len(sizes), sum(sizes.values()))

    def begin_retry(self, id_or_prefix: str) -> "Retry":
        """Take a letter to send it again; until the attempt is ended the letter is still listed.

        Raises:
            UnknownLetterError: no letter has this id, or several begin with it.
            DamagedLetterError: its bytes are not those that were set aside.
            OSError: the directory cannot be written.
        """
        key = self.find(id_or_prefix).key
        taken = self._directory / f"{key}.{secrets.token_hex(4)}.retry"
        for path in self._paths(key):
            with contextlib.suppress(FileNotFoundError):
                letter = _read_letter(path)
                path.replace(taken)
                return Retry(letter, taken, self._path(key))
        raise UnknownLetterError(f"{_id_of(key)} is no longer there")

    def _make_directory(self) -> None:
        if not self._directory.is_dir():
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            sync_directory(self._directory.parent)

    def _path(self, key: str) -> Path:
        return self._directory / f"{key}.letter"

    def _paths(self, key: str) -> Iterator[Path]:
        """Yield where this letter may be: under its own name, or in an attempt, perhaps one that died."""
        yield self._path(key)
        for path in self._files():
            named = _NAME.fullmatch(path.name)
            if named and named["key"] == key and named["token"]:
                yield path

    def _files(self) -> tuple[Path, ...]:
        try:
            return tuple(sorted(self._directory.iterdir()))
        except FileNotFoundError:
            return ()


class Retry:
    """One attempt to send a letter again, which ends by ``accepted`` or ``put_back``."""

    def __init__(self, letter: DeadLetter, taken: Path, home: Path) -> None:
        self.letter = letter
        self._taken = taken
        self._home = home

    def accepted(self) -> None:
        """Remove the letter that was sent, and none that was made of it since."""
        self._taken.unlink(missing_ok=True)
        sync_directory(self._home.parent)

    def put_back(self) -> None:
        """Leave the letter as it was."""
        # Gone if it was dropped, or if another attempt has taken it over.
        with contextlib.suppress(FileNotFoundError):
            self._taken.replace(self._home)


def _key_of(letter: DeadLetter) -> str:
    return f"{letter.signal}-{digest_of(letter.body).hex()}"


def _id_of(key: str) -> str:
    signal, _, digest = key.partition("-")
    return f"{signal}-{digest[:_ID_DIGITS]}"


def _only(letters: tuple[Envelope, ...], prefix: str) -> Envelope:
    found = [letter for letter in letters if _begins(letter.key, prefix)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise UnknownLetterError(f"no dead letter's id begins with {prefix!r}")
    named = ", ".join(letter.id for letter in found[:5]) + (", ..." if len(found) > 5 else "")
    raise UnknownLetterError(f"{prefix!r} begins several ids: {named}; give more of it")


def _begins(key: str, prefix: str) -> bool:
    return bool(prefix) and (key.startswith(prefix) or key.partition("-")[2].startswith(prefix))


def _one_line(reason: str) -> str:
    line = " ".join(reason.split())
    return line if len(line) <= REASON_CHARACTERS else line[: REASON_CHARACTERS - 1] + "…"


def _head(letter: DeadLetter) -> bytes:
    fields: dict[str, str | int] = {
        "version": VERSION,
        "signal": letter.signal.value,
        "bytes": len(letter.body),
        "records": letter.records,
        "reason": _one_line(letter.reason),
        "received_at_ns": letter.received_at_ns,
        "set_aside_at_ns": letter.set_aside_at_ns,
    }
    return json.dumps(fields).encode() + b"\n"


def _read_envelope(path: Path) -> Envelope:
    """Read what is written on a letter; its length must be right, its request is not looked at.

    Raises:
        DamagedLetterError: it is not as it was written, or cannot be read.
        FileNotFoundError: it is gone.
    """
    try:
        with path.open("rb") as file:
            return _envelope(path.name, file.readline(_HEAD_BYTES), os.fstat(file.fileno()).st_size)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise DamagedLetterError(f"{path.name} cannot be read: {error.strerror}") from error


def _read_letter(path: Path) -> DeadLetter:
    """Read a whole letter; its request must be the one that gave it its name.

    Raises:
        DamagedLetterError: it is not as it was written.
        OSError: it cannot be read.
    """
    data = path.read_bytes()
    head = data[: data.find(b"\n") + 1]
    envelope = _envelope(path.name, head, len(data))
    letter = DeadLetter(
        envelope.signal,
        data[len(head) :],
        envelope.records,
        envelope.reason,
        envelope.received_at_ns,
        envelope.set_aside_at_ns,
    )
    if _key_of(letter) != envelope.key:
        raise DamagedLetterError(f"{path.name} is damaged: its request is not the one that was set aside")
    return letter


def _envelope(name: str, head: bytes, size: int) -> Envelope:
    key = name.partition(".")[0]
    try:
        said: dict[str, Any] = json.loads(head)
        envelope = Envelope(
            _id_of(key),
            key,
            Signal(said["signal"]),
            int(said["bytes"]),
            int(said["records"]),
            str(said["reason"]),
            int(said["received_at_ns"]),
            int(said["set_aside_at_ns"]),
        )
        version = said["version"]
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedLetterError(f"{name} is damaged: its first line cannot be read") from error
    if version != VERSION:
        raise DamagedLetterError(f"{name} is of version {version}, and this is {VERSION}")
    in_time = all(0 <= ns < 2**63 for ns in (envelope.received_at_ns, envelope.set_aside_at_ns))
    if len(head) + envelope.bytes != size or not key.startswith(f"{envelope.signal}-") or not in_time:
        raise DamagedLetterError(f"{name} is damaged: it is cut short or another thing")
    return envelope
