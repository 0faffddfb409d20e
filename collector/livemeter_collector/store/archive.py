"""A backup as entries: a directory, a .tar or a .zip of named files, and a manifest with their hashes.

Knows files and streams, and nothing of what is in them. Entries are written once and in order; the manifest
comes last, so that a backup that ends early has none.
"""

import contextlib
import hashlib
import json
import os
import shutil
import tarfile
import time
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath
from typing import IO, Protocol

from livemeter_collector.store.contract import StoreError

MANIFEST = "manifest.json"
FORMAT = 1
"""The arrangement of a backup's files; another number is another version's."""

_PIECE_BYTES = 1024 * 1024
_TAR_END = bytes(2 * tarfile.BLOCKSIZE)
_PARTIAL = ".partial"


class BackupError(StoreError):
    """A backup cannot be made, written or read; the text says what and what to do."""


class DamagedBackupError(BackupError):
    """The files are not those that were written."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of a backup."""

    name: str
    """Its path within the backup, with slashes."""
    size: int
    """In bytes."""
    pieces: Iterator[bytes]
    """Its content, to be read before the next entry is asked for."""


@dataclass(frozen=True, slots=True)
class Sum:
    """What a file must be."""

    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup holds."""

    livemeter: str
    """The version that made it."""
    schema: int
    """The last migration of its database."""
    made_at: str
    """In UTC, ISO 8601."""
    files: Mapping[str, Sum]
    format: int = FORMAT

    def to_bytes(self) -> bytes:
        """Write it as JSON."""
        return json.dumps(asdict(self), indent=1).encode()


class Sink(Protocol):
    """Where entries are written to."""

    def put(self, entry: Entry) -> None:
        """Write one file."""
        ...


def read_manifest(data: bytes) -> Manifest:
    """Read what ``Manifest.to_bytes`` wrote.

    Raises:
        BackupError: it is another version's, or damaged.
    """
    try:
        said = json.loads(data)
        if said["format"] != FORMAT:
            raise BackupError(f"the backup has format {said['format']}, which this livemeter does not know")
        files = {str(name): Sum(**each) for name, each in said.pop("files").items()}
        return Manifest(**said, files=files)
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedBackupError(f"the backup is damaged: {MANIFEST} cannot be read") from error


def staged(directory: Path, describe: Callable[[Mapping[str, Sum]], Manifest]) -> Generator[Entry]:
    """Yield every file below a directory, and at the end the manifest that describes them."""
    sums: dict[str, Sum] = {}
    for path in sorted(directory.rglob("*")):
        if path.is_file():
            name = path.relative_to(directory).as_posix()
            yield _summed(_of_file(name, path), sums)
    data = describe(sums).to_bytes()
    yield Entry(MANIFEST, len(data), iter((data,)))


def copy_verified(
    entries: Iterable[Entry], sink: Sink, progress: Callable[[int], None] = lambda _: None
) -> Manifest:
    """Write entries to a sink and hold them against their manifest.

    Args:
        entries: a whole backup.
        sink: takes every file, the manifest included.
        progress: is told the bytes of each piece that was read.

    Raises:
        DamagedBackupError: a file is missing, too many, or not the one that was written.
    """
    sums: dict[str, Sum] = {}
    said = bytearray()
    with _damage():
        for entry in entries:
            _check_name(entry.name)
            keep = said.extend if entry.name == MANIFEST else None
            sink.put(_watched(_summed(entry, sums), progress, keep))
    if MANIFEST not in sums:
        raise DamagedBackupError(f"the backup is not complete: it has no {MANIFEST}")
    del sums[MANIFEST]
    manifest = read_manifest(bytes(said))
    _compare(sums, manifest.files)
    return manifest


def entries_of(path: Path) -> Generator[Entry]:
    """Read a backup from a directory, a .tar or a .zip; what it is, its content tells.

    Raises:
        BackupError: there is none.
    """
    if path.is_dir():
        yield from (
            _of_file(each.relative_to(path).as_posix(), each)
            for each in sorted(path.rglob("*"))
            if each.is_file()
        )
    elif not path.exists():
        raise BackupError(f"there is no backup at {path}")
    elif zipfile.is_zipfile(path):
        yield from _entries_of_zip(path)
    else:
        with path.open("rb") as file:
            yield from entries_of_tar(file)


def entries_of_tar(stream: IO[bytes]) -> Generator[Entry]:
    """Read a .tar from a stream that cannot seek; raises DamagedBackupError where it ends early."""
    with _damage(), tarfile.open(fileobj=stream, mode="r|") as tar:
        for info in tar:
            if info.isdir():
                continue
            file = tar.extractfile(info)
            if file is None:
                raise DamagedBackupError(f"the backup is damaged: {info.name} is no file")
            yield Entry(info.name, info.size, _pieces(file))


def tar_pieces(entries: Iterable[Entry]) -> Generator[bytes]:
    """Write entries as the bytes of a .tar, many small files in one piece."""
    gathered = bytearray()
    for entry in entries:
        for piece in _tar_entry(entry):
            gathered += piece
            if len(gathered) >= _PIECE_BYTES:
                yield bytes(gathered)
                gathered.clear()
    yield bytes(gathered) + _TAR_END


@contextlib.contextmanager
def new_backup(path: Path) -> Generator[Sink]:
    """Write a backup to a new .tar or .zip, or else directory; it appears when it is complete, and on disk.

    Raises:
        BackupError: there is something already, or it cannot be written.
    """
    partial = path.with_name(path.name + _PARTIAL)
    _check_new(path)
    _check_new(partial)
    try:
        try:
            with _sink(path.suffix.lower(), partial) as sink:
                yield sink
            for each in (*partial.rglob("*"), partial):
                _sync(each)
            partial.rename(path)
            _sync(path.parent)
        except BaseException:
            _remove(partial)
            raise
    except OSError as error:
        raise BackupError(f"cannot write {path}: {error.strerror}") from error


class DirectorySink:
    """Writes entries below a directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def put(self, entry: Entry) -> None:
        """Write one file, with its folders."""
        path = self._directory / entry.name
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _new_file(path) as file:
            file.writelines(entry.pieces)


class _TarSink:
    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def put(self, entry: Entry) -> None:
        self._file.writelines(_tar_entry(entry))


class _ZipSink:
    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive

    def put(self, entry: Entry) -> None:
        # Stored as it is: what is large is compressed already.
        with self._archive.open(zipfile.ZipInfo(entry.name), "w", force_zip64=True) as file:
            for piece in entry.pieces:
                file.write(piece)


@contextlib.contextmanager
def _sink(suffix: str, path: Path) -> Generator[Sink]:
    match suffix:
        case ".tar":
            with _new_file(path) as file:
                yield _TarSink(file)
                file.write(_TAR_END)
        case ".zip":
            with _new_file(path) as file, zipfile.ZipFile(file, "w") as archive:
                yield _ZipSink(archive)
        case _:
            path.mkdir(mode=0o700)
            yield DirectorySink(path)


@contextlib.contextmanager
def _damage() -> Generator[None]:
    """Say in our words what the readers of archives and connections say of bytes that are not theirs."""
    try:
        yield
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise DamagedBackupError(f"the backup is damaged or not complete: {error}") from error


def _entries_of_zip(path: Path) -> Generator[Entry]:
    with _damage(), zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if not info.is_dir():
                with archive.open(info) as file:
                    yield Entry(info.filename, info.file_size, _pieces(file))


def _of_file(name: str, path: Path) -> Entry:
    return Entry(name, path.stat().st_size, _pieces_of(path))


def _pieces_of(path: Path) -> Generator[bytes]:
    with path.open("rb") as file:
        yield from _pieces(file)


def _pieces(file: IO[bytes]) -> Generator[bytes]:
    while piece := file.read(_PIECE_BYTES):
        yield piece


def _tar_entry(entry: Entry) -> Generator[bytes]:
    info = tarfile.TarInfo(entry.name)
    info.size, info.mode, info.mtime = entry.size, 0o600, int(time.time())
    yield info.tobuf(tarfile.GNU_FORMAT)
    yield from entry.pieces
    yield bytes(-entry.size % tarfile.BLOCKSIZE)


def _summed(entry: Entry, sums: dict[str, Sum]) -> Entry:
    """Return the entry; when it has been read, its sum is among the others."""

    def pieces() -> Generator[bytes]:
        digest = hashlib.sha256()
        size = 0
        for piece in entry.pieces:
            digest.update(piece)
            size += len(piece)
            yield piece
        sums[entry.name] = Sum(size, digest.hexdigest())

    return replace(entry, pieces=pieces())


def _watched(entry: Entry, progress: Callable[[int], None], keep: Callable[[bytes], None] | None) -> Entry:
    def pieces() -> Generator[bytes]:
        for piece in entry.pieces:
            progress(len(piece))
            if keep is not None:
                keep(piece)
            yield piece

    return replace(entry, pieces=pieces())


def _check_name(name: str) -> None:
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts or "\\" in name or "\0" in name:
        raise DamagedBackupError(f"the backup is damaged: {name!r} is no name of a file in it")


def _compare(found: Mapping[str, Sum], expected: Mapping[str, Sum]) -> None:
    for name in sorted(found.keys() | expected.keys()):
        if name not in found:
            raise DamagedBackupError(f"the backup is damaged: {name} is missing")
        if found[name] != expected.get(name):
            raise DamagedBackupError(f"the backup is damaged: {name} is not as it was written")


def _check_new(path: Path) -> None:
    if path.exists() or path.is_symlink():
        raise BackupError(f"{path} is there already: choose another name, or remove it")


def _new_file(path: Path) -> IO[bytes]:
    """Make a file that nobody else may read."""
    return os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
