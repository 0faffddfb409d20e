"""What the journal has done with, in one small file: identity, and totals up to the last removed segment.

Replacing the file is the moment at which a segment is done with; its own files go after that.
"""

import json
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from livemeter_collector.journal.disk import write_durably
from livemeter_collector.store.contract import Signal

_VERSION = 1


@dataclass(frozen=True, slots=True)
class Amount:
    """How much: requests, records in them, bytes of them."""

    requests: int = 0
    records: int = 0
    bytes: int = 0

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(self.requests + other.requests, self.records + other.records, self.bytes + other.bytes)


@dataclass(frozen=True, slots=True)
class Done:
    """One signal's history: all segments up to ``through`` are stored or set aside."""

    through: int = 0
    accepted: Amount = Amount()
    """All requests of those segments."""
    set_aside: Amount = Amount()
    """Those among them that the store could not read."""

    def plus(self, number: int, accepted: Amount, set_aside: Amount) -> "Done":
        """Return the history with one more segment in it."""
        return Done(number, self.accepted + accepted, self.set_aside + set_aside)


class UnreadableStateError(Exception):
    """The file is there and is not what this version writes."""


@dataclass(frozen=True, slots=True)
class State:
    """The journal's identity and history."""

    collector_id: str
    done: Mapping[Signal, Done]

    def with_done(self, signal: Signal, done: Done) -> "State":
        """Return the state with another history of one signal."""
        return replace(self, done={**self.done, signal: done})


def read_state(path: Path) -> State:
    """Read the file; without one, begin a history of its own.

    Raises:
        UnreadableStateError: see there.
    """
    if not path.exists():
        return State(str(uuid.uuid4()), {signal: Done() for signal in Signal})
    try:
        said: dict[str, Any] = json.loads(path.read_bytes())
        version = int(said["version"])
        done = {signal: _done(said["signals"][signal.value]) for signal in Signal}
        collector_id = str(uuid.UUID(said["collector_id"]))
    except (ValueError, KeyError, TypeError) as error:
        raise UnreadableStateError(f"{path} cannot be read: it is damaged, or of a later version") from error
    if version != _VERSION:
        raise UnreadableStateError(
            f"{path} is of version {version}, and this is {_VERSION}: upgrade livemeter"
        )
    return State(collector_id, done)


def write_state(path: Path, state: State) -> None:
    """Put the state on disk; raises OSError."""
    signals = {signal.value: asdict(done) for signal, done in state.done.items()}
    said = {"version": _VERSION, "collector_id": state.collector_id, "signals": signals}
    write_durably(path, json.dumps(said, indent=1).encode())


def _done(said: Mapping[str, Any]) -> Done:
    return Done(int(said["through"]), Amount(**said["accepted"]), Amount(**said["set_aside"]))
