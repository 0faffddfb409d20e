"""Frozen records that check their own fields against their annotations.

Pure. Scripts come from people and from files, so a wrong type is told where the record is made, in words
that a person who writes TOML understands.
"""

from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, fields
from types import NoneType, UnionType
from typing import Any, Literal, Union, cast, get_args, get_origin, get_type_hints

from livemeter.testing.shapes import is_tuple

_REPR_LIMIT = 160


@dataclass(frozen=True, repr=False)
class Checked:
    """Raises ``ValueError`` for a field of the wrong type, and for what ``problem`` finds."""

    def __post_init__(self) -> None:
        for name, hint in get_type_hints(type(self)).items():
            if not _fits(getattr(self, name), hint):
                raise ValueError(f"{name} cannot be {getattr(self, name)!r}, it takes {_words(hint)}")
        if problem := self.problem():
            raise ValueError(problem)

    def problem(self) -> str:
        """What is wrong with the values; empty when nothing is."""
        return ""

    def __repr__(self) -> str:
        shown = ", ".join(
            f"{f.name}={getattr(self, f.name)!r}" for f in fields(self) if not self._is_default(f)
        )
        cut = shown if len(shown) <= _REPR_LIMIT else shown[:_REPR_LIMIT] + "..."
        return f"{type(self).__name__}({cut})"

    def _is_default(self, f: Field[Any]) -> bool:
        default = f.default_factory() if f.default_factory is not MISSING else f.default
        return bool(getattr(self, f.name) == default)


def _fits(value: object, hint: Any) -> bool:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in {Union, UnionType}:
        return any(_fits(value, argument) for argument in arguments)
    if origin is Literal:
        return value in arguments
    if origin is tuple:
        return is_tuple(value) and all(_fits(item, arguments[0]) for item in value)
    if origin is not None:
        return isinstance(value, Mapping) and _items_fit(cast(Mapping[object, object], value), arguments)
    if hint in {int, float}:
        return isinstance(value, (int, hint)) and not isinstance(value, bool)
    return hint is Any or isinstance(value, hint)


def _items_fit(mapping: Mapping[object, object], arguments: tuple[Any, ...]) -> bool:
    name_hint, value_hint = arguments
    return all(_fits(name, name_hint) and _fits(value, value_hint) for name, value in mapping.items())


def _words(hint: Any) -> str:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in {Union, UnionType}:
        return " or ".join(_words(argument) for argument in arguments if argument is not NoneType)
    if origin is Literal:
        return " or ".join(map(repr, arguments))
    if origin is tuple:
        return f"a list of {_words(arguments[0])}"
    return "a table" if origin is not None else str(hint.__name__)
