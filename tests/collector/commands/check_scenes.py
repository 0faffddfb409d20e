"""What ``check`` finds in one directory after another change to what is remembered; a process of its own.

Run as ``python -m tests.collector.commands.check_scenes DIR``; prints a JSON object, by scene.
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from livemeter_collector.show.values import to_plain
from livemeter_collector.store.check import check, state
from livemeter_collector.store.contract import Store
from livemeter_collector.store.migrate import migrate
from livemeter_collector.store.open import open_embedded
from livemeter_collector.store.settle import rebuild
from tests.collector.sql.telemetry import Connection, Process, insert, join_sessions, new_id
from tests.collector.sql.test_settled import everything, settled

# Six connections of two sessions; ids lie apart, so that pieces of one or two cut through the sessions.
IDS = [f"{number}{number}" * 16 for number in range(1, 7)]
NOBODY = "ff00" * 8


class Scenes:
    """A store, and what was found in it."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.found: dict[str, Any] = {}

    def look(self, scene: str, piece: int = 4000) -> None:
        checked, now = check(self.store, piece=piece), state(self.store)
        plain = {"agrees": checked.agrees, **asdict(checked), "state": asdict(now)}
        self.found[scene] = to_plain(plain)

    def change(self, table: str, columns: str, where: str) -> None:
        """Write rows of a table once more, changed, so that they win over the ones before."""
        self.store.command(
            f"INSERT INTO livemeter.{table} SELECT * REPLACE ({columns}, computed_at + 1 AS computed_at)"
            f" FROM livemeter.{table} AS kept FINAL WHERE {where}"
        )


def talk(scenes: Scenes) -> list[Connection]:
    """Insert two sessions over three connections each, taking turns in the order of ids."""
    processes = (Process("a"), Process("b"))
    connections = [
        processes[place % 2].connection(f"session-{'ab'[place % 2]}", connection_id=each)
        for place, each in enumerate(IDS)
    ]
    for place, connection in enumerate(connections):
        insert(scenes.store, *everything(connection, at_ms=place * 1000))
    return connections


def of(connection: str) -> str:
    return f"kept.connection_id = unhex('{connection}')"


def delete(scenes: Scenes, table: str, where: str) -> None:
    scenes.store.command(f"ALTER TABLE livemeter.{table} DELETE WHERE {where} SETTINGS mutations_sync = 2")


def play(scenes: Scenes) -> None:
    connections = talk(scenes)
    scenes.look("nothing settled")
    settled(scenes.store)
    scenes.look("settled, pieces of 1", 1)
    scenes.look("settled, pieces of 4", 4)

    insert(scenes.store, connections[5].usage(500, at_ms=9000, TURN=2, PASS=2))
    scenes.look("something came, pieces of 1", 1)
    settled(scenes.store)

    scenes.change("settled_sessions", "kept.turns + 1 AS turns", "kept.session_id = 'session-b'")
    scenes.change("settled_usage", "kept.quantity + 7 AS quantity", f"{of(IDS[0])} AND kind = 'prompt'")
    delete(scenes, "settled_turns", f"connection_id = unhex('{IDS[2]}')")
    scenes.look("changed")
    scenes.look("changed, pieces of 2", 2)
    settled(scenes.store, rebuild)
    scenes.look("rebuilt")

    of_nobody(scenes)
    scenes.change("settled_turns", "kept.turn_ms + 1 AS turn_ms", "true")
    delete(scenes, "settled_sessions", "session_id = 'session-a'")
    scenes.look("lost, and of nobody", 4)
    settled(scenes.store, rebuild)

    moved(scenes)


def of_nobody(scenes: Scenes) -> None:
    """Remember sessions and turns of which there are no facts."""
    nobody = f"toFixedString(unhex('{NOBODY}'), 16)"
    one = "kept.session_id = 'session-a'"
    scenes.change("settled_sessions", f"'ghost' AS session_id, [{nobody}] AS connection_ids", one)
    scenes.change("settled_sessions", "'nowhere' AS session_id, [] AS connection_ids", one)
    scenes.change("settled_turns", f"{nobody} AS connection_id", of(IDS[0]))


def moved(scenes: Scenes) -> None:
    """A session turns out to be another one's, and was not settled since."""
    handle = new_id()
    first, second = Process("c").connection(), Process("c").connection()
    insert(scenes.store, *everything(first), first.given(handle, at_ms=4000))
    insert(scenes.store, *everything(second, handle, at_ms=5000))
    # The dictionary is behind: two sessions are remembered.
    settled(scenes.store)
    join_sessions(scenes.store)
    scenes.look("joined and not settled", 1)


def main() -> None:
    store = open_embedded(Path(sys.argv[1]))
    migrate(store)
    scenes = Scenes(store)
    play(scenes)
    store.close()
    sys.stdout.write(json.dumps(scenes.found))


if __name__ == "__main__":
    main()
