"""Tokens that the engine wrote down and whose parts never came to be: forgotten before they do harm.

The engine notes an insert's token in its table's deduplication log and then renames the part into place. A
process that is killed in between, or a rename that fails on a full disk, leaves a token that hides the insert
when it comes again, though nothing of it is there. Files only; the engine must not be running on them, or the
table must be detached.

A line of a log is ``operation TAB part TAB block id``; operation 1 adds. A part is named partition, first and
last block, level and perhaps a mutation, joined by underscores; merged parts cover the blocks of those they
were made of.
"""

import contextlib
import itertools
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_ADDS = "1"
_PART = re.compile(r"(?P<partition>[^_]+)_(?P<first>\d+)_(?P<last>\d+)_\d+(?:_\d+)?")
_LOG = re.compile(r"deduplication_log_(\d+)\.txt")


@dataclass(frozen=True, slots=True)
class _Blocks:
    partition: str
    first: int
    last: int

    def cover(self, other: "_Blocks") -> bool:
        return self.partition == other.partition and self.first <= other.first and other.last <= self.last


def forget_tokens_without_parts(engine: Path) -> int:
    """Take such tokens out of every table's log; return how many there were.

    Raises:
        OSError: a log cannot be written.
    """
    return sum(
        forget_tokens_of(directory.parent) for directory in engine.glob("store/*/*/deduplication_logs")
    )


def has_token_without_part(table: Path) -> bool:
    """Say whether a table's log has such a token; no insert may be under way.

    Raises:
        OSError: a file cannot be read.
    """
    return bool(_wrong(table, _logs(table)))


def forget_tokens_of(table: Path) -> int:
    """Take such tokens out of one table's log, which no engine has open; return how many there were.

    Raises:
        OSError: a log cannot be written.
    """
    logs = _logs(table)
    wrong = _wrong(table, logs)
    for path in {path for path, _ in wrong}:
        kept = [line for number, line in enumerate(logs[path]) if (path, number) not in wrong]
        _write(path, "".join(kept))
    return len(wrong)


def name_parts_anew(table: Path) -> None:
    """Give the tokens of a restored table to parts that it has: restored parts have numbers of their own.

    Raises:
        OSError: a log cannot be written.
    """
    directory = table / "deduplication_logs"
    parts = {blocks.partition: path.name for path in table.iterdir() if (blocks := _blocks(path.name))}
    numbers = itertools.count(1)
    for path in directory.iterdir() if directory.is_dir() else ():
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        _write(path, "".join(_named_anew(line, parts, numbers) for line in lines))


def _named_anew(line: str, parts: Mapping[str, str], numbers: Iterator[int]) -> str:
    operation, _, rest = line.partition("\t")
    name, _, block_id = rest.partition("\t")
    blocks = _blocks(name)
    if operation != _ADDS or blocks is None or blocks.partition not in parts:
        return line
    # Names of mutations of that part: what two tokens may not share is a name.
    mutated = "_".join(parts[blocks.partition].split("_")[:4])
    return f"{operation}\t{mutated}_{next(numbers)}\t{block_id}"


def lines_without_parts(lines: Iterable[str], parts: Iterable[str]) -> set[int]:
    """Return the indexes of lines that add a token whose part is not among those there are. Pure.

    A part's name is given again when the part that had it never came to be: then the last line has it.
    """
    there = [blocks for part in parts if (blocks := _blocks(part))]
    last: dict[str, int] = {}
    adding: list[tuple[int, str]] = []
    for index, line in enumerate(lines):
        operation, _, rest = line.partition("\t")
        if operation == _ADDS:
            name = rest.partition("\t")[0]
            adding.append((index, name))
            last[name] = index
    return {index for index, name in adding if last[name] != index or not _is_there(name, there)}


def _is_there(name: str, there: list[_Blocks]) -> bool:
    wanted = _blocks(name)
    # What is not named like a part is nothing that we know: it stays.
    return wanted is None or any(each.cover(wanted) for each in there)


def _blocks(part: str) -> _Blocks | None:
    named = _PART.fullmatch(part)
    return _Blocks(named["partition"], int(named["first"]), int(named["last"])) if named else None


def _logs(table: Path) -> dict[Path, list[str]]:
    """Return a table's logs, the oldest first, by their lines."""
    directory = table / "deduplication_logs"
    found = directory.iterdir() if directory.is_dir() else ()
    paths = sorted((path for path in found if _LOG.fullmatch(path.name)), key=_number)
    return {path: path.read_text(encoding="utf-8").splitlines(keepends=True) for path in paths}


def _wrong(table: Path, logs: Mapping[Path, Sequence[str]]) -> set[tuple[Path, int]]:
    every = [(path, number) for path, lines in logs.items() for number in range(len(lines))]
    parts = [path.name for path in table.iterdir() if path.is_dir()]
    wrong = lines_without_parts((logs[path][number] for path, number in every), parts)
    return {every[index] for index in wrong}


def _number(path: Path) -> int:
    named = _LOG.fullmatch(path.name)
    return int(named[1]) if named else 0


def _write(path: Path, text: str) -> None:
    new = path.with_name(f"{path.name}.new")
    try:
        with new.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            new.unlink(missing_ok=True)
        raise
