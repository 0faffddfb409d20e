"""Dead letters on disk: once each, whole or not at all, and never lost by being sent again."""

import errno
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livemeter_collector.journal import dead_letters
from livemeter_collector.journal.dead_letters import (
    DamagedLetterError,
    DeadLetter,
    DeadLetters,
    UnknownLetterError,
)
from livemeter_collector.store.contract import Signal

# BLAKE2b of b"abc" with 16 bytes of output, by `b2sum -l 128`.
ABC = "ba7816bf8f01cfea414140de5dae2223"


def letter(body: bytes = b"abc", signal: Signal = Signal.LOGS, **changes: int | str) -> DeadLetter:
    fields = {"records": 3, "reason": "no such field", "received_at_ns": 1_000, "set_aside_at_ns": 2_000}
    return DeadLetter(signal, body, **{**fields, **changes})  # type: ignore[arg-type]


@pytest.fixture
def letters(tmp_path: Path) -> DeadLetters:
    return DeadLetters(tmp_path / "dead-letters")


def names(letters_dir: Path) -> list[str]:
    return sorted(path.name for path in letters_dir.iterdir())


def test_nothing_was_ever_set_aside(letters: DeadLetters, tmp_path: Path) -> None:
    """Looking makes no directory."""
    assert letters.list() == dead_letters.Listing((), ())
    assert letters.totals() == dead_letters.Totals(0, 0)
    assert not (tmp_path / "dead-letters").exists()


def test_a_letter_is_found_by_its_id_and_by_the_beginning_of_either(letters: DeadLetters) -> None:
    letters.set_aside(letter())

    assert letter().id == f"logs-{ABC[:12]}"
    for name in (letter().id, f"logs-{ABC}", ABC, ABC[:4], "logs-ba", "l"):
        assert letters.get(name) == letter()
    for name in ("", "traces-cf", "f4ab", f"{ABC}0"):
        with pytest.raises(UnknownLetterError, match="no dead letter's id begins with"):
            letters.get(name)


def test_the_same_bytes_of_two_signals_are_two_letters(letters: DeadLetters) -> None:
    letters.set_aside(letter())
    letters.set_aside(letter(signal=Signal.TRACES))

    assert {each.id for each in letters.list().letters} == {f"logs-{ABC[:12]}", f"traces-{ABC[:12]}"}
    with pytest.raises(UnknownLetterError, match=f"'ba78' begins several ids: logs-{ABC[:12]}, traces-"):
        letters.get("ba78")
    with pytest.raises(UnknownLetterError):
        letters.drop("logs-ba78", "ba78")
    assert letters.totals().count == 2


def test_a_letter_on_disk_is_a_line_of_json_and_the_request(letters: DeadLetters, tmp_path: Path) -> None:
    letters.set_aside(letter())

    assert (tmp_path / "dead-letters" / f"logs-{ABC}.letter").read_bytes() == (
        b'{"version": 1, "signal": "logs", "bytes": 3, "records": 3, "reason": "no such field",'
        b' "received_at_ns": 1000, "set_aside_at_ns": 2000}\nabc'
    )
    assert letters.totals() == dead_letters.Totals(1, 135 + 3)


def test_what_is_set_aside_again_after_a_crash_is_the_one_letter_of_the_first_time(
    letters: DeadLetters, tmp_path: Path
) -> None:
    letters.set_aside(letter())
    DeadLetters(tmp_path / "dead-letters").set_aside(letter(reason="another", set_aside_at_ns=9_000))

    assert letters.get(ABC) == letter()
    assert names(tmp_path / "dead-letters") == [f"logs-{ABC}.letter"]


@given(
    signal_=st.sampled_from(Signal),
    body=st.binary(),
    records=st.integers(0, 2**32),
    reason=st.text(),
    times=st.tuples(st.integers(0, 2**63 - 1), st.integers(0, 2**63 - 1)),
)
def test_what_was_set_aside_is_what_is_found(
    tmp_path_factory: pytest.TempPathFactory,
    signal_: Signal,
    body: bytes,
    records: int,
    reason: str,
    times: tuple[int, int],
) -> None:
    """Any bytes, also those with line feeds; a reason becomes one line of at most 500 characters."""
    directory = tmp_path_factory.mktemp("letters")
    before = DeadLetter(signal_, body, records, reason, *times)
    DeadLetters(directory).set_aside(before)
    found = DeadLetters(directory).get(before.id)

    line = " ".join(reason.split())
    assert found == DeadLetter(signal_, body, records, found.reason, *times)
    assert found.reason == line if len(line) <= 500 else found.reason == line[:499] + "…"
    [listed] = DeadLetters(directory).list().letters
    assert (listed.id, listed.bytes, listed.reason) == (before.id, len(body), found.reason)


def test_letters_are_listed_in_the_order_in_which_they_were_set_aside(letters: DeadLetters) -> None:
    for number in (3, 1, 2):
        letters.set_aside(letter(bytes([number]), set_aside_at_ns=number))

    assert [each.set_aside_at_ns for each in letters.list().letters] == [1, 2, 3]


def test_to_list_letters_their_requests_are_not_read(letters: DeadLetters, tmp_path: Path) -> None:
    """A request whose bytes rotted is listed; only who wants it is told."""
    letters.set_aside(letter())
    path = tmp_path / "dead-letters" / f"logs-{ABC}.letter"
    path.write_bytes(path.read_bytes()[:-1] + b"x")

    assert len(letters.list().letters) == 1
    with pytest.raises(DamagedLetterError, match="its request is not the one that was set aside"):
        letters.get(ABC)


def _cut(whole: bytes) -> bytes:
    return whole[:-1]


def _without_its_head(whole: bytes) -> bytes:
    return whole.partition(b"\n")[2]


def _of_a_later_version(whole: bytes) -> bytes:
    return whole.replace(b'"version": 1', b'"version": 2')


def _of_another_signal(whole: bytes) -> bytes:
    return whole.replace(b'"logs"', b'"nope"')


def _empty(_: bytes) -> bytes:
    return b""


def _without_an_end(_: bytes) -> bytes:
    return b"{" * 100_000


@pytest.mark.parametrize(
    "harm", [_cut, _without_its_head, _of_a_later_version, _of_another_signal, _empty, _without_an_end]
)
def test_a_damaged_letter_is_reported_and_the_others_are_listed(
    letters: DeadLetters, tmp_path: Path, harm: Callable[[bytes], bytes]
) -> None:
    letters.set_aside(letter())
    letters.set_aside(letter(b"other"))
    path = tmp_path / "dead-letters" / f"logs-{ABC}.letter"
    path.write_bytes(harm(path.read_bytes()))

    listing = letters.list()
    assert [each.id for each in listing.letters] == [letter(b"other").id]
    assert listing.strangers == (path.name,)
    # Set aside again, it is whole again.
    letters.set_aside(letter())
    assert letters.get(ABC) == letter()
    assert letters.list().strangers == ()


def test_files_of_others_are_reported_and_left_alone(letters: DeadLetters, tmp_path: Path) -> None:
    letters.set_aside(letter())
    directory = tmp_path / "dead-letters"
    (directory / "notes.txt").write_text("look at these")
    (directory / f"traces-{ABC}.letter").mkdir()

    listing = letters.list()
    assert [each.id for each in listing.letters] == [letter().id]
    assert listing.strangers == ("notes.txt", f"traces-{ABC}.letter")
    letters.drop(letter().id)
    assert names(directory) == ["notes.txt", f"traces-{ABC}.letter"]


KILLED = """
import os, signal, sys
from pathlib import Path
from livemeter_collector.journal import dead_letters
from livemeter_collector.store.contract import Signal

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

letters = dead_letters.DeadLetters(Path(sys.argv[1]))
letters.set_aside(dead_letters.DeadLetter(Signal.LOGS, b"before", 1, "why", 1, 2))
where = sys.argv[2]
if where == "while the file is written":
    os.fsync = die
elif where == "before it has its name":
    Path.replace = die
elif where == "before its name is durable":
    dead_letters.sync_directory = die
    from livemeter_collector.journal import disk
    disk.sync_directory = die
letters.set_aside(dead_letters.DeadLetter(Signal.LOGS, b"abc", 3, "no such field", 1000, 2000))
"""


@pytest.mark.parametrize(
    ("where", "is_there"),
    [
        ("while the file is written", False),
        ("before it has its name", False),
        ("before its name is durable", True),
    ],
)
def test_a_process_killed_while_it_sets_aside_leaves_a_letter_or_none(
    tmp_path: Path, where: str, is_there: bool
) -> None:
    directory = tmp_path / "dead-letters"
    done = subprocess.run([sys.executable, "-c", KILLED, str(directory), where], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL

    letters = DeadLetters(directory)
    found = {each.id for each in letters.list().letters}
    assert found == {letter(b"before").id} | ({letter().id} if is_there else set())
    assert letters.list().strangers == ()
    assert letters.totals().count == len(found)
    # The journal still has it: the next process sets it aside again, and nothing is left of the attempt.
    letters.set_aside(letter())
    assert letters.get(ABC) == letter()
    assert len(names(directory)) == 2


def test_it_is_synced_before_it_is_said_to_be_there(
    letters: DeadLetters, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file before it has its name, its directory after; and the directory above when it was made."""
    synced: list[tuple[str, bool]] = []
    fsync = os.fsync
    home = tmp_path / "dead-letters" / f"logs-{ABC}.letter"

    def seen(descriptor: int) -> None:
        synced.append((Path(f"/proc/self/fd/{descriptor}").readlink().name, home.exists()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", seen)
    letters.set_aside(letter())
    first, synced[:] = list(synced), []
    letters.set_aside(letter())

    assert first == [(tmp_path.name, False), (f"{home.name}.new", False), ("dead-letters", True)]
    assert synced == [("dead-letters", True)]


def test_on_a_full_disk_it_is_an_error_and_nothing_is_left(
    letters: DeadLetters, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    letters.set_aside(letter(b"before"))

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left") as caught:
            letters.set_aside(letter())
    assert caught.value.errno == errno.ENOSPC
    assert names(tmp_path / "dead-letters") == [f"{letters.list().letters[0].key}.letter"]
    letters.set_aside(letter())
    assert letters.totals().count == 2


def test_many_threads_set_aside_the_same_and_other_requests(letters: DeadLetters) -> None:
    barrier = threading.Barrier(8)

    def work(_: int) -> None:
        barrier.wait()
        for number in range(20):
            letters.set_aside(letter(bytes([number])))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    listing = letters.list()
    assert (len(listing.letters), listing.strangers) == (20, ())
    assert {letters.get(each.id).body for each in listing.letters} == {bytes([each]) for each in range(20)}


def test_a_letter_that_was_accepted_again_is_gone(letters: DeadLetters, tmp_path: Path) -> None:
    letters.set_aside(letter())
    attempt = letters.begin_retry(ABC)
    assert attempt.letter == letter()
    attempt.accepted()

    assert names(tmp_path / "dead-letters") == []


def test_a_letter_that_was_refused_again_is_as_before(letters: DeadLetters, tmp_path: Path) -> None:
    letters.set_aside(letter())
    before = names(tmp_path / "dead-letters")
    letters.begin_retry(ABC).put_back()

    assert names(tmp_path / "dead-letters") == before
    assert letters.get(ABC) == letter()


def test_a_request_set_aside_anew_outlives_the_attempt_that_sent_it(letters: DeadLetters) -> None:
    """The collector accepts, finds that the store still cannot read it, and all before the answer is seen."""
    letters.set_aside(letter())
    attempt = letters.begin_retry(ABC)
    letters.set_aside(letter(reason="still no such field"))
    attempt.accepted()

    assert letters.get(ABC) == letter(reason="still no such field")


def test_an_attempt_that_died_leaves_the_letter_to_be_listed_sent_and_dropped(
    letters: DeadLetters, tmp_path: Path
) -> None:
    letters.set_aside(letter())
    died = letters.begin_retry(ABC)

    assert [each.id for each in letters.list().letters] == [letter().id]
    assert letters.totals().count == 1
    assert letters.get(ABC) == letter()
    again = letters.begin_retry(ABC)
    # Were the first still at work, its end would touch nothing of the second's.
    died.accepted()
    died.put_back()
    assert letters.get(ABC) == letter()
    again.put_back()
    letters.begin_retry(ABC)
    assert letters.drop(ABC) == 1
    assert names(tmp_path / "dead-letters") == []


def test_dropped_is_what_was_named(letters: DeadLetters) -> None:
    for body in (b"a", b"b", b"c"):
        letters.set_aside(letter(body))

    assert letters.drop(letter(b"a").id, letter(b"b").id, letter(b"b").id) == 2
    assert [each.id for each in letters.list().letters] == [letter(b"c").id]
    assert letters.drop() == 0
