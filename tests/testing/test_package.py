"""What the package may rest on, and what it offers."""

import ast
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import livemeter.testing

ALLOWED = {"livemeter.testing", "trustme", "websockets"}


def imported_modules() -> Iterator[str]:
    """Every module that a module of the package imports, wherever in its code."""
    for path in Path(livemeter.testing.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield node.module or ""


def test_it_rests_on_websockets_and_trustme_and_nothing_else_of_the_project() -> None:
    foreign = {name for name in imported_modules() if name.partition(".")[0] not in sys.stdlib_module_names}
    beyond = {
        name for name in foreign if not any(f"{name}.".startswith(f"{allowed}.") for allowed in ALLOWED)
    }
    assert beyond == set()


def test_the_keyword_arguments_of_the_server_are_its_settings() -> None:
    names = {field.name for field in fields(livemeter.testing.ServerSettings)}
    assert names == set(livemeter.testing.ServerOptions.__annotations__)


def test_every_public_name_is_there_and_documented() -> None:
    for name in livemeter.testing.__all__:
        public = getattr(livemeter.testing, name)
        assert isinstance(public, (int, livemeter.testing.Script)) or public.__doc__, name
