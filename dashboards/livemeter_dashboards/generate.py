"""Writes the boards' JSON, which is committed: ``python -m livemeter_dashboards.generate [--check]``."""

import argparse
import difflib
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder

from livemeter_dashboards.cost import cost_board

BOARDS: Mapping[str, Callable[[], Dashboard]] = {"cost": cost_board}
"""The boards by the names of their files."""
FOLDER = Path(__file__).with_name("boards")


def board_json(name: str) -> str:
    """Return a board as classic dashboard JSON, keys in order, so that a change is a short difference."""
    return json.dumps(BOARDS[name]().build(), cls=JSONEncoder, indent=2, sort_keys=True) + "\n"


def write(folder: Path = FOLDER) -> None:
    """Write every board."""
    folder.mkdir(exist_ok=True)
    for name in BOARDS:
        (folder / f"{name}.json").write_text(board_json(name), encoding="utf-8")


def differences(folder: Path = FOLDER) -> list[str]:
    """Return what the files have that the boards do not (``-``) and the reverse (``+``), file by file."""
    found = [line for name in BOARDS for line in _difference(folder / f"{name}.json", board_json(name))]
    strays = (file.name for file in sorted(folder.glob("*.json")) if file.stem not in BOARDS)
    return found + [f"{name}: no board makes this file" for name in strays]


def _difference(file: Path, made: str) -> list[str]:
    if not file.exists():
        return [f"{file.name}: missing"]
    written = file.read_text(encoding="utf-8").splitlines()
    lines = difflib.unified_diff(written, made.splitlines(), file.name, "made now", n=0, lineterm="")
    return list(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the boards, or compare them with ``--check``; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m livemeter_dashboards.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare only; exit 1 if out of date")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the JSON is")
    options = parser.parse_args(arguments)
    if not options.check:
        write(options.folder)
        return 0
    found = differences(options.folder)
    if found:
        sys.stderr.write("\n".join([*found, "the boards' JSON is out of date: run make dashboards"]) + "\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
