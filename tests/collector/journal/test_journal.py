"""The journal on a real disk: what was appended is there for the next process, until it is done with."""

import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livemeter_collector.journal.journal import Journal, JournalFullError, Limits, segment_path
from livemeter_collector.journal.record import Entry, digest_of
from livemeter_collector.journal.seen import SeenRequests
from livemeter_collector.journal.segment import Segment
from livemeter_collector.journal.state import Amount, UnreadableStateError
from livemeter_collector.store.contract import Signal

LOGS = Signal.LOGS
ROOMY = Limits(size_bytes=2**40, reserve_bytes=0)


def entry(body: bytes, records: int = 1) -> Entry:
    return Entry(body, records, time.time_ns(), digest_of(body))


def opened(folder: Path, limits: Limits = ROOMY, rules: int = 1) -> Journal:
    return Journal(folder / "journal", rules, limits)


def bodies(segment: Segment) -> list[bytes]:
    data, contents = segment.read()
    return [data[place.body : place.end] for place in contents.places]


def digests(segment: Segment) -> list[tuple[bytes, int]]:
    return [(place.digest, place.accepted_at_ns) for place in segment.read()[1].places]


def sealed(journal: Journal, *requests: bytes, signal: Signal = LOGS) -> Segment:
    journal.append(signal, [entry(body) for body in requests])
    segment = journal.seal(signal)
    assert segment is not None
    return segment


def left(journal: Journal, signal: Signal = LOGS) -> list[list[bytes]]:
    return [bodies(segment) for segment in journal.left[signal]]


def test_what_was_appended_is_there_after_a_crash(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    journal.append(LOGS, [entry(b"one"), entry(b"two")])
    journal.append(LOGS, [entry(b"three")])
    journal.append(Signal.TRACES, [entry(b"span")])
    # Nothing is closed: so does a process end that is killed.

    again = opened(tmp_path)

    assert left(again) == [[b"one", b"two", b"three"]]
    assert left(again, Signal.TRACES) == [[b"span"]]
    assert left(again, Signal.METRICS) == []
    assert again.collector_id == journal.collector_id


def test_a_sealed_segment_never_changes(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    first = sealed(journal, b"one")
    before = first.path.read_bytes()
    second = sealed(journal, b"two")

    assert (first.path.read_bytes(), bodies(second)) == (before, [b"two"])
    assert first.preamble.number + 1 == second.preamble.number
    again = opened(tmp_path)
    assert [segment.path.read_bytes() for segment in again.left[LOGS]] == [before, second.path.read_bytes()]


def test_there_is_nothing_to_seal_without_a_request(tmp_path: Path) -> None:
    assert opened(tmp_path).seal(LOGS) is None


def test_a_removed_segment_is_gone_and_counted(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    first, second = sealed(journal, b"one", b"two"), sealed(journal, b"three")

    journal.remove(first, digests(first), Amount(1, 1, 3))

    again = opened(tmp_path)
    assert left(again) == [[b"three"]]
    assert not first.path.exists()
    done = again.done(LOGS)
    assert (done.through, done.accepted, done.set_aside) == (1, Amount(2, 2, 6), Amount(1, 1, 3))
    assert again.held(LOGS) == (Amount(1, 1, 5), second.oldest_ns)


def test_a_segment_whose_removal_was_cut_short_is_not_stored_again(tmp_path: Path) -> None:
    """The state is replaced first: files that are still there are of no meaning any more."""
    journal = opened(tmp_path)
    segment = sealed(journal, b"one")
    copy = shutil.copy(segment.path, tmp_path / "copy")
    journal.remove(segment, digests(segment), Amount())
    shutil.copy(copy, segment.path)

    again = opened(tmp_path)

    assert left(again) == []
    assert not segment.path.exists()


def test_numbers_go_on_after_everything_was_removed(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    segment = sealed(journal, b"one")
    journal.remove(segment, digests(segment), Amount())

    assert sealed(opened(tmp_path), b"two").preamble.number == segment.preamble.number + 1


@settings(max_examples=30)
@given(
    requests=st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=5, unique=True), data=st.data()
)
def test_a_torn_tail_is_cut_and_stays_cut(
    tmp_path_factory: pytest.TempPathFactory, requests: Sequence[bytes], data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("torn")
    journal = opened(folder)
    for body in requests:
        journal.append(LOGS, [entry(body)])
    path = segment_path(folder / "journal", LOGS, 1)
    os.truncate(path, data.draw(st.integers(0, path.stat().st_size)))

    once, twice = left(opened(folder)), left(opened(folder))

    assert once == twice
    (kept,) = once or [[]]
    assert kept == list(requests[: len(kept)])


def test_a_damaged_segment_in_the_middle_is_kept_for_people_and_its_beginning_stored(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    first, second = sealed(journal, b"one", b"two"), sealed(journal, b"three")
    damaged = first.path.read_bytes().replace(b"two", b"tw0")
    first.path.write_bytes(damaged)

    again = opened(tmp_path)

    assert left(again) == [[b"one"], [b"three"]]
    (copy,) = again.damaged
    assert copy.read_bytes() == damaged
    assert bodies(second) == [b"three"]


def test_a_repeat_is_known_in_every_stage_and_in_the_next_process(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    digest = digest_of(b"one")
    assert not journal.is_repeat(digest)

    segment = sealed(journal, b"one")
    assert journal.is_repeat(digest)
    assert opened(tmp_path).is_repeat(digest), "by the segment"

    journal.remove(segment, digests(segment), Amount())
    assert journal.is_repeat(digest)
    assert opened(tmp_path).is_repeat(digest), "by the file of digests"


def test_no_more_is_remembered_than_a_bound_and_the_file_stays_small(tmp_path: Path) -> None:
    seen = SeenRequests(tmp_path / "seen", 0, most=10, seconds=1e6)
    for number in range(100):
        each = [(number.to_bytes(16, "big"), number)]
        seen.add(each, number)
        seen.keep(each)

    again = SeenRequests(tmp_path / "seen", 100, most=10, seconds=1e6)
    assert [number.to_bytes(16, "big") in again for number in range(88, 100)] == [False] * 2 + [True] * 10
    assert (tmp_path / "seen").stat().st_size <= 2 * 10 * 24


def test_what_is_old_is_forgotten_and_a_torn_line_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "seen"
    seen = SeenRequests(path, 0, seconds=1)
    old, young = b"o" * 16, b"y" * 16
    seen.add([(old, 0)], 0)
    seen.keep([(old, 0)])
    seen.add([(young, 900_000_000)], 900_000_000)
    seen.keep([(young, 900_000_000)])
    with path.open("ab") as file:
        file.write(b"torn")

    again = SeenRequests(path, 1_500_000_000, seconds=1)
    assert (old in again, young in again) == (False, True)
    again.keep([(old, 1)])
    assert len(SeenRequests(path, 0, seconds=1)) == 2


def test_a_full_journal_refuses_until_there_is_room(tmp_path: Path) -> None:
    journal = opened(tmp_path, Limits(size_bytes=500, reserve_bytes=0))
    assert journal.reason_to_refuse(10_000) == "", "an empty one takes any size"

    segment = sealed(journal, b"x" * 400)
    assert "full" in journal.reason_to_refuse(400)

    journal.remove(segment, digests(segment), Amount())
    assert journal.reason_to_refuse(400) == ""


def test_space_on_the_disk_is_left_to_merges(tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free
    journal = opened(tmp_path, Limits(size_bytes=2**60, reserve_bytes=free + 2**40))

    assert "disk" in journal.reason_to_refuse(1)


@pytest.mark.parametrize("text", ["", "{}", '{"collector_id": "x", "signals": {}}', "\0"])
def test_a_state_that_cannot_be_read_is_an_error_and_stays_as_it_is(tmp_path: Path, text: str) -> None:
    opened(tmp_path)
    path = tmp_path / "journal" / "state.json"
    path.write_text(text)

    with pytest.raises(UnreadableStateError, match=r"state\.json"):
        opened(tmp_path)
    assert path.read_text() == text


def test_a_later_versions_state_is_not_guessed_at(tmp_path: Path) -> None:
    opened(tmp_path)
    path = tmp_path / "journal" / "state.json"
    path.write_text(path.read_text().replace('"version": 1', '"version": 2'))

    with pytest.raises(UnreadableStateError, match="version 2"):
        opened(tmp_path)


def test_a_full_disk_leaves_the_segment_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The part that was written before the disk was full is cut off again."""
    journal = opened(tmp_path)
    journal.append(LOGS, [entry(b"one")])
    write = os.write

    def full(descriptor: int, data: bytes) -> int:
        if len(data) > 20:
            return write(descriptor, data[:20])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(JournalFullError, match="No space left"):
            journal.append(LOGS, [entry(b"two")])

    assert not journal.is_repeat(digest_of(b"two"))
    journal.append(LOGS, [entry(b"three")])
    assert left(opened(tmp_path)) == [[b"one", b"three"]]


def test_a_segment_tells_how_many_processes_crashed_over_it(tmp_path: Path) -> None:
    """Not those that were killed, and not those that crashed while it lay in the journal."""
    in_hands, waiting = sealed(opened(tmp_path), b"one"), sealed(opened(tmp_path), b"two")
    for crashed in (True, False, True):
        in_hands.begin_try()
        opened(tmp_path).note_death(crashed=crashed)
    opened(tmp_path).note_death(crashed=True)

    assert (in_hands.deaths, waiting.deaths) == (2, 0)
    in_hands.unlink()
    assert in_hands.deaths == 0


def test_free_space_is_not_asked_for_every_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    usage = shutil.disk_usage

    def counted(path: Path) -> object:
        asked.append(path)
        return usage(path)

    monkeypatch.setattr(shutil, "disk_usage", counted)
    journal = opened(tmp_path)
    for _ in range(100):
        journal.reason_to_refuse(1)
    assert len(asked) <= 2
