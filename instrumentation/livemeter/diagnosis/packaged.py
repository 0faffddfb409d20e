"""Reading the package's own TOML data: typed fields, and errors that name the place and what to do.

Touches nothing but the files that are shipped next to this module.
"""

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from typing import TypeVar, cast

T = TypeVar("T")

_PACKAGE = "livemeter.diagnosis"
_TABLE = cast("type[dict[str, object]]", dict)
_LIST = cast("type[list[object]]", list)


class DataError(ValueError):
    """A data file of the diagnosis is wrong. The message is one line: where, what, what is allowed."""


class Fields:
    """One TOML table, read key by key. ``done`` rejects the keys that nobody asked for."""

    def __init__(self, table: object, where: str) -> None:
        if not isinstance(table, Mapping):
            raise DataError(f"{where}: expected a table, found {type(table).__name__}")
        self.where = where
        self._table = cast("Mapping[str, object]", table)
        self._asked: set[str] = set()

    def names(self) -> tuple[str, ...]:
        """Return every key and allow them all: for tables whose keys are data."""
        self._asked.update(self._table)
        return tuple(self._table)

    def optional(self, key: str, kind: type[T]) -> T | None:
        """Return the value, or None where it is not given. A whole number does for a float."""
        self._asked.add(key)
        if key not in self._table:
            return None
        value = self._table[key]
        if kind is float and type(value) is int:
            value = float(value)
        # By exact type: in Python True is an int, in TOML it is not.
        if type(value) is not kind:
            raise DataError(f"{self.where}: `{key}` must be {kind.__name__}, not {type(value).__name__}")
        return value

    def required(self, key: str, kind: type[T]) -> T:
        """Return a value that must be there."""
        value = self.optional(key, kind)
        if value is None:
            raise DataError(f"{self.where}: `{key}` is missing")
        return value

    def many(self, key: str, kind: type[T]) -> tuple[T, ...]:
        """Return the values of a list; nothing where it is not given."""
        values = self.optional(key, _LIST) or []
        for value in values:
            if type(value) is not kind:
                raise DataError(f"{self.where}: `{key}` must hold {kind.__name__} values, not {value!r}")
        return cast("tuple[T, ...]", tuple(values))

    def table(self, key: str) -> "Fields":
        """Return the table under a key; an empty one where it is not given."""
        return Fields(self.optional(key, _TABLE) or {}, f"{self.where}: {key}")

    def tables(self, key: str) -> tuple["Fields", ...]:
        """Return the array of tables under a key, each named by its place."""
        tables = self.many(key, _TABLE)
        return tuple(Fields(table, f"{self.where}: {key} {n}") for n, table in enumerate(tables, start=1))

    def done(self) -> None:
        """Reject keys that nobody asked for, naming those that exist."""
        unknown = sorted(set(self._table) - self._asked)
        if unknown:
            allowed = ", ".join(sorted(self._asked))
            raise DataError(f"{self.where}: unknown key `{unknown[0]}`; allowed: {allowed}")


def packaged_text(name: str) -> str:
    """Return the text of a data file that is shipped with this package."""
    return files(_PACKAGE).joinpath(name).read_text(encoding="utf-8")


def parse_toml(text: str, name: str) -> Fields:
    """Parse a TOML document; raises DataError when it is not TOML."""
    try:
        return Fields(tomllib.loads(text), name)
    except tomllib.TOMLDecodeError as error:
        raise DataError(f"{name}: not valid TOML: {error}") from error
