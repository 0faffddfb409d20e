"""A fleet of sessions, generated in the engine itself: what a collector would hold after a month of work.

Events come as rows of the landing table, attribute by attribute as the instrumentation sends them, so that
the materialized views make every other table as they do at work. Frames go to their table directly: there are
a hundred million of them. Everything follows from a session's number, counted back from the newest, so that a
fleet a tenth as large, over a tenth of the days, has exactly the newest tenth of the sessions.

    python benchmarks/fleet.py DIRECTORY [--sessions 100000] [--frames 100000000] [--days 30]

A directory that holds the fleet already is kept; one that holds anything else is refused.
"""

import argparse
import json
import shutil
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.fleet_events import CHUNK, FUNCTIONS, Plan, statements

if TYPE_CHECKING:
    from livemeter_collector.store.contract import Store

SESSIONS, FRAMES, DAYS = 100_000, 100_000_000, 30.0

_NOTE = "fleet.json"
_BEGUN = "fleet-unfinished"
_HOUR_MS = 3_600_000


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("directory", type=Path, help="a data directory of its own")
    parser.add_argument("--sessions", type=int, default=SESSIONS, help="default: %(default)s")
    parser.add_argument("--frames", type=int, default=FRAMES, help="of all sessions (default: %(default)s)")
    parser.add_argument(
        "--days", type=float, default=DAYS, help="over which they began (default: %(default)s)"
    )
    parser.add_argument("--end-ms", type=int, help="Unix time of the end (default: the current hour)")
    arguments = parser.parse_args()
    end_ms = arguments.end_ms or current_hour_ms()
    plan = Plan(arguments.sessions, arguments.frames, arguments.days, end_ms)
    make_fleet(arguments.directory, plan)
    return 0


def options(plan: Plan) -> list[str]:
    """Return what to call this program with to have a fleet of this plan."""
    numbers = {"sessions": plan.sessions, "frames": plan.frames, "days": plan.days, "end-ms": plan.end_ms}
    return [f"--{name}={number}" for name, number in numbers.items()]


def current_hour_ms() -> int:
    return int(time.time() * 1000) // _HOUR_MS * _HOUR_MS


def read_fleet(directory: Path) -> Plan | None:
    """Return what a directory holds; None if it is no fleet, or none that was finished."""
    try:
        return Plan(**json.loads((directory / _NOTE).read_text("utf-8")))
    except (FileNotFoundError, TypeError):
        return None


def open_fleet(directory: Path) -> "Store":
    """Open a fleet, or the place for one, as a collector has it; nothing in it grows too old."""
    from livemeter_collector.service import Settings, open_store
    from livemeter_collector.store.retention import Retention

    for_ever = Retention(frames=None, logs=None, traces=None, metrics=None, facts=None)
    store = open_store(Settings(data_dir=directory, retention=for_ever))
    keep_up(store)
    return store


def keep_up(store: "Store") -> None:
    """Do what a collector does in the background: join sessions over processes, and settle them."""
    from livemeter_collector.store.sessions import join_sessions
    from livemeter_collector.store.settle import settle

    def report(done: int, of: int) -> None:
        sys.stderr.write(f"\rsettling sessions: {done}/{of}     " + ("\n" if done == of else ""))

    join_sessions(store)
    settle(store, margin_s=0, report=report)


def make_fleet(directory: Path, plan: Plan, *, merges_s: float = 600) -> None:
    """Generate a fleet into a directory unless it is there, and wait until its parts are merged.

    Raises:
        SystemExit: the directory holds another fleet, or something else.
    """
    kept = read_fleet(directory)
    if kept == plan:
        return
    if kept is not None:
        raise SystemExit(f"{directory} holds another fleet, {kept}: name another directory, or remove it")
    if directory.exists() and any(directory.iterdir()) and not (directory / _BEGUN).exists():
        raise SystemExit(f"{directory} is no fleet, and not empty: name another directory")
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    (directory / _BEGUN).touch()
    store = open_fleet(directory)
    try:
        generate(store, plan, _Progress(directory.name, plan))
        keep_up(store)
        await_merges(store, merges_s)
    finally:
        store.close()
    (directory / _NOTE).write_text(json.dumps(asdict(plan)), "utf-8")
    (directory / _BEGUN).unlink()


class _Progress:
    """Says on stderr how far it is, in a line that stays the same."""

    def __init__(self, name: str, plan: Plan) -> None:
        self._name, self._plan, self._began = name, plan, time.monotonic()

    def __call__(self, sessions: int) -> None:
        share, took_s = sessions / self._plan.sessions, time.monotonic() - self._began
        frames = round(self._plan.frames * share)
        line = f"{self._name}: {sessions:,} sessions, {frames:,} frames, {took_s:.0f} s"
        left = f", {took_s / share - took_s:.0f} s left" if 0 < share < 1 else ""
        sys.stderr.write(f"\r{line}{left}      " + ("\n" if sessions == self._plan.sessions else ""))
        sys.stderr.flush()


def await_merges(store: "Store", within_s: float) -> None:
    """Wait until nothing is merged any more, or for so long."""
    parts = "SELECT groupBitXor(sipHash64(table, name)) FROM system.parts WHERE active"
    until, seen, quiet = time.monotonic() + within_s, store.query(parts).rows, 0
    while time.monotonic() < until and quiet < 5:
        time.sleep(1)
        now = store.query(parts).rows
        merging = store.query("SELECT count() FROM system.merges").rows != ((0,),)
        quiet = 0 if merging or now != seen else quiet + 1
        seen = now


def generate(store: "Store", plan: Plan, progress: "_Progress | None" = None) -> None:
    """Insert the fleet, the oldest sessions first, as they would have come."""
    for name, text in FUNCTIONS.items():
        store.command(f"CREATE OR REPLACE FUNCTION {name} AS {text}")
    store.command("CREATE DATABASE IF NOT EXISTS fleet")
    for first in range((plan.sessions - 1) // CHUNK * CHUNK, -1, -CHUNK):
        for statement in statements(plan, first, min(CHUNK, plan.sessions - first)):
            store.command(statement)
        if progress:
            progress(plan.sessions - first)
    store.command("DROP DATABASE fleet SYNC")
    for name in FUNCTIONS:
        store.command(f"DROP FUNCTION {name}")


if __name__ == "__main__":
    sys.exit(main())
