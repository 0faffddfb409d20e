"""Forgetting a person wherever a collector keeps something: tables, journal and dead letters.

Blocking; each step is a message that can be written as JSON, so that the collector which has a data directory
says over its socket what a command that has it says itself.
"""

import re
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from opentelemetry.proto.common.v1.common_pb2 import KeyValue

from livemeter.vocabulary import Attribute
from livemeter_collector.ingest.feeder import Feeder
from livemeter_collector.journal.dead_letters import DIRECTORY as DEAD_LETTERS
from livemeter_collector.journal.dead_letters import DamagedLetterError, DeadLetters, UnknownLetterError
from livemeter_collector.journal.journal import Journal
from livemeter_collector.journal.segment import SUFFIX
from livemeter_collector.journal.state import UnreadableStateError
from livemeter_collector.store.contract import Store, StoreError
from livemeter_collector.store.forget import Person, count_rows, delete_rows, find_person
from livemeter_collector.store.migrate import read_schema

_JOURNAL = "journal"
_STORED_WITHIN_S = 60.0
_POLL_S = 0.1
_CONNECTION = re.compile(rb"[0-9a-f]{32}")

Settle = Callable[[], int]
"""Brings what was accepted into the store; returns how many segments could not be brought there."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of a person."""

    connections: int
    rows: dict[str, int]
    """By table, as the tables hold them."""
    dead_letters: int
    """Requests that the store could not read and in which the person's ids are found."""
    dead_letter_records: int
    """In those, of whomever."""
    journal_segments: int
    """Accepted and not in the store yet: what they hold of the person is neither counted nor forgotten."""

    @property
    def is_nothing(self) -> bool:
        """Whether there is nothing that could be deleted."""
        return not self.rows and not self.dead_letters

    def as_message(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the deletion is."""

    done: int
    total: int


Step = Kept | Progress


def forgetting(
    store: Store, data_dir: Path | None, user: str, settle: Settle, *, dry_run: bool
) -> Generator[Step]:
    """Say what is kept of a user, then delete it; a dry run only says.

    Args:
        store: where the tables are.
        data_dir: where dead letters are; None where nothing is known of them.
        user: the id as the application said it, or as it was recorded.
        settle: is called first, unless it is a dry run.
        dry_run: change nothing.

    Raises:
        StoreError: something cannot be read or deleted; calling again goes on with the rest.
    """
    waiting = segments_waiting(data_dir) if dry_run else settle()
    person = find_person(store, user)
    letters = _letters_of(data_dir, person)
    rows = count_rows(store, person)
    yield Kept(len(person.connections), rows, len(letters), sum(letters.values()), waiting)
    if dry_run:
        return
    yield from (Progress(*step) for step in delete_rows(store, person))
    _drop(data_dir, letters)


def segments_waiting(data_dir: Path | None) -> int:
    """Return how many segments of a journal are not in the store yet."""
    return len(_segments(data_dir))


def settled_by_collector(
    data_dir: Path, stopping: Callable[[], bool], within_s: float = _STORED_WITHIN_S
) -> int:
    """Wait until the collector of this process has stored what it had accepted; return what is left of it."""
    waiting = _segments(data_dir)
    give_up = time.monotonic() + within_s
    while waiting and time.monotonic() < give_up and not stopping():
        time.sleep(_POLL_S)
        waiting = {path for path in waiting if path.exists()}
    return len(waiting)


def settled_here(store: Store, data_dir: Path) -> int:
    """Store what the journal of a stopped collector still holds; this process has the directory.

    Raises:
        StoreError: the journal cannot be read, or the store does not take it.
    """
    if not _segments(data_dir):
        return 0
    try:
        with closing(Journal(data_dir / _JOURNAL, read_schema().number)) as journal:
            feeder = Feeder(store, journal, DeadLetters(data_dir / DEAD_LETTERS))
            for segments in journal.left.values():
                for segment in segments:
                    feeder.feed(segment)
    except (OSError, UnreadableStateError) as error:
        raise StoreError(f"the journal in {data_dir} cannot be stored: {error}") from error
    return segments_waiting(data_dir)


def _segments(data_dir: Path | None) -> set[Path]:
    return set() if data_dir is None else set((data_dir / _JOURNAL).glob(f"*/*{SUFFIX}"))


def _letters_of(data_dir: Path | None, person: Person) -> dict[str, int]:
    """Return the records of each dead letter that names a person or a connection of theirs, by key."""
    if data_dir is None:
        return {}
    try:
        return dict(_naming(DeadLetters(data_dir / DEAD_LETTERS), person))
    except OSError as error:
        raise StoreError(f"the dead letters in {data_dir} cannot be read: {error.strerror}") from error


def _naming(letters: DeadLetters, person: Person) -> Iterator[tuple[str, int]]:
    users = [_as_attribute(each) for each in person.ids]
    connections = {each.encode() for each in person.connections}
    for envelope in letters.list().letters:
        try:
            body = letters.get(envelope.key).body
        except (UnknownLetterError, DamagedLetterError):
            # Dropped meanwhile, or nothing that anybody can read: the command for dead letters names those.
            continue
        if any(each in body for each in users) or not connections.isdisjoint(_CONNECTION.findall(body)):
            yield envelope.key, envelope.records


def _as_attribute(user: str) -> bytes:
    """Return the bytes of the attribute that says this user, which are found in damaged requests as well."""
    text = KeyValue(key=str(Attribute.USER_ID))
    text.value.string_value = user.encode("utf-8", "replace").decode()
    return text.SerializeToString()


def _drop(data_dir: Path | None, letters: dict[str, int]) -> None:
    if data_dir is None:
        return
    directory = DeadLetters(data_dir / DEAD_LETTERS)
    for key in letters:
        try:
            directory.drop(key)
        except UnknownLetterError:
            continue
        except OSError as error:
            raise StoreError(f"a dead letter cannot be removed: {error.strerror}") from error
