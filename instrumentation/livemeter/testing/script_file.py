"""Scripts from TOML and JSON files.

Reads the file and nothing else; every error is one line that names the file, the script and the step.
"""

import json
import tomllib
from pathlib import Path

from livemeter.testing.script import Script, ScriptFormatError
from livemeter.testing.shapes import is_list, is_table


def load_scripts(path: str | Path) -> tuple[Script, ...]:
    """Load the scripts of a ``.toml`` or ``.json`` file with a list ``scripts``.

    Raises ``ScriptFormatError`` naming the file, script and step.
    """
    place = Path(path).name
    content = _read(Path(path), place)
    scripts: object = content.get("scripts") if is_table(content) else content
    if not is_list(scripts) or not scripts:
        raise ScriptFormatError(f'{place}: no scripts found, a list named "scripts" is needed')
    numbered = enumerate(scripts, start=1)
    return tuple(Script.from_mapping(script, f"{place}: script {number}") for number, script in numbered)


def _read(path: Path, place: str) -> object:
    if path.suffix not in {".toml", ".json"}:
        raise ScriptFormatError(f"{place}: a script file must end in .toml or .json")
    try:
        text = path.read_text(encoding="utf-8")
        return tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except OSError as error:
        raise ScriptFormatError(f"{place}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ScriptFormatError(f"{place}: not valid {path.suffix[1:].upper()}: {error}") from error
