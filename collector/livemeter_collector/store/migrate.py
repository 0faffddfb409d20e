"""Bringing a database to this version's tables and views. SQL is source: see ``sql/``.

``sql/migrations/NNNN_name.sql`` holds one statement that makes or changes one object; numbers only grow, a
file that was applied never changes. ``sql/views/name.sql`` holds the view ``name`` as it is now; it is made
again when its text, or that of a view it reads, changed. Both are recorded in the database itself.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from importlib import resources
from importlib.resources.abc import Traversable

from livemeter import __version__
from livemeter_collector.store.contract import DATABASE, NewerSchemaError, Scalar, Store, StoreError

_RECORDS = (
    # ReplacingMergeTree: two collectors that start on one server at once may both write a line.
    f"""CREATE TABLE IF NOT EXISTS {DATABASE}.schema_migrations
    (
        number UInt32,
        name String,
        checksum String,
        applied_at DateTime64(3, 'UTC') DEFAULT now64(3),
        livemeter_version String
    )
    ENGINE = ReplacingMergeTree(applied_at) ORDER BY number""",
    f"""CREATE TABLE IF NOT EXISTS {DATABASE}.schema_views
    (
        name String,
        checksum String,
        applied_at DateTime64(3, 'UTC') DEFAULT now64(3),
        livemeter_version String
    )
    ENGINE = ReplacingMergeTree(applied_at) ORDER BY name""",
)
_FILE_NAME = re.compile(r"(\d{4})_(\w+)\.sql")
_REQUIRES = re.compile(r"--\s*requires:\s*(.*)")
_COMMENT_OR_TEXT = re.compile(r"--[^\n]*|/\*.*?\*/|'(?:[^'\\]|\\.)*'", re.DOTALL)
_ALREADY_EXISTS = frozenset({57, 387, 609})
"""TABLE_ALREADY_EXISTS, DICTIONARY_ALREADY_EXISTS and FUNCTION_ALREADY_EXISTS."""
_NO_TABLE_OR_DATABASE = frozenset({60, 81})


@dataclass(frozen=True, slots=True)
class Migration:
    """One applied or coming change."""

    number: int
    name: str
    statement: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the statement, in hex."""
        return _sha256(self.statement)


@dataclass(frozen=True, slots=True)
class View:
    """One view as it should be."""

    name: str
    statement: str
    requires: frozenset[str]
    """The views that it reads."""


@dataclass(frozen=True, slots=True)
class Schema:
    """Everything that a database of this version has."""

    migrations: tuple[Migration, ...]
    """By number."""
    views: tuple[View, ...]
    """Every view behind those that it reads."""

    @property
    def number(self) -> int:
        """The last migration's number."""
        return self.migrations[-1].number if self.migrations else 0


def read_schema(root: Traversable | None = None) -> Schema:
    """Read the SQL that this version brings, or that in ``root`` (with folders ``migrations`` and ``views``).

    Raises:
        StoreError: a file has a wrong name, two have the same number, or views need each other.
    """
    sql = resources.files("livemeter_collector") / "sql" if root is None else root
    return Schema(_migrations(_texts(sql / "migrations")), _views(_texts(sql / "views")))


def migrate(store: Store, schema: Schema | None = None) -> list[str]:
    """Bring the database up to date and return what was done, a line each; nothing if it was.

    Raises:
        NewerSchemaError: a newer version of Livemeter wrote the database; nothing was changed.
        StoreError: an applied migration is not the one that this version brings, or a statement failed.
    """
    schema = schema or read_schema()
    applied, made = _recorded(store)
    pending = _pending(schema, applied)
    done: list[str] = []
    if not applied:
        _make_records(store)
    for migration in pending:
        _apply(store, migration)
        done.append(f"applied {migration.number:04d} {migration.name}")
    for view, checksum in _outdated(schema, made):
        _make_view(store, view, checksum)
        done.append(f"made view {view.name}")
    return done


def check_schema(store: Store, schema: Schema | None = None) -> None:
    """Check, without writing, that this version can read the database.

    Raises:
        NewerSchemaError: a newer version of Livemeter wrote it.
        StoreError: it holds no livemeter data, or an older version wrote it.
    """
    schema = schema or read_schema()
    applied, made = _recorded(store)
    if not applied:
        raise StoreError(
            "there is no livemeter data here: run `livemeter up` first, or name another --data directory"
        )
    if _pending(schema, applied) or _outdated(schema, made):
        raise StoreError(
            "an older version of livemeter wrote this data: run `livemeter up` once to bring it up to date"
        )


def _pending(schema: Schema, applied: Mapping[int, str]) -> list[Migration]:
    newest = max(applied, default=0)
    known = {migration.number: migration for migration in schema.migrations}
    if newest > schema.number or not applied.keys() <= known.keys():
        raise NewerSchemaError(
            f"written by a newer version of livemeter (schema {newest}, this one knows {schema.number}):"
            " upgrade livemeter or use another --data directory"
        )
    for number, checksum in applied.items():
        if known[number].checksum != checksum:
            raise StoreError(
                f"migration {number:04d} {known[number].name} is not the one that made this database:"
                " use the livemeter that wrote it, or another --data directory"
            )
    return [migration for migration in schema.migrations if migration.number not in applied]


def _outdated(schema: Schema, made: Mapping[str, str]) -> list[tuple[View, str]]:
    """Return the views to make again, with their checksums, in an order that works."""
    checksums: dict[str, str] = {}
    for view in schema.views:
        parts = [view.statement, *(checksums[name] for name in sorted(view.requires))]
        checksums[view.name] = _sha256("\n".join(parts))
    return [
        (view, checksums[view.name]) for view in schema.views if made.get(view.name) != checksums[view.name]
    ]


def _recorded(store: Store) -> tuple[dict[int, str], dict[str, str]]:
    """Return the checksums of applied migrations by number and of made views by name."""
    statement = (
        "SELECT toString(number), argMax(checksum, applied_at) FROM {0}.schema_migrations GROUP BY number"
        " UNION ALL SELECT name, argMax(checksum, applied_at) FROM {0}.schema_views GROUP BY name"
    )
    try:
        rows = store.query(statement.format(DATABASE)).rows
    except StoreError as error:
        if error.code in _NO_TABLE_OR_DATABASE:
            return {}, {}
        raise
    records = {str(name): str(checksum) for name, checksum in rows}
    applied = {int(name): checksum for name, checksum in records.items() if name.isdecimal()}
    return applied, {name: checksum for name, checksum in records.items() if not name.isdecimal()}


def _make_records(store: Store) -> None:
    try:
        store.command(f"CREATE DATABASE IF NOT EXISTS {DATABASE}")
        for statement in _RECORDS:
            store.command(statement)
    except StoreError as error:
        raise _named(error, f"the database {DATABASE} cannot be made") from error


def _apply(store: Store, migration: Migration) -> None:
    try:
        store.command(migration.statement)
    except StoreError as error:
        # It was made, and the process ended before that was written down.
        if error.code not in _ALREADY_EXISTS:
            raise _named(error, f"migration {migration.number:04d} {migration.name}") from error
    _record(
        store,
        "schema_migrations",
        {"number": migration.number, "name": migration.name, "checksum": migration.checksum},
    )


def _make_view(store: Store, view: View, checksum: str) -> None:
    try:
        store.command(view.statement)
    except StoreError as error:
        raise _named(error, f"view {view.name}") from error
    _record(store, "schema_views", {"name": view.name, "checksum": checksum})


def _record(store: Store, table: str, line: dict[str, Scalar]) -> None:
    line = line | {"livemeter_version": __version__}
    types = {"number": "UInt32"}
    values = ", ".join(f"{{{name}:{types.get(name, 'String')}}}" for name in line)
    store.command(f"INSERT INTO {DATABASE}.{table} ({', '.join(line)}) SELECT {values}", line)


def _named(error: StoreError, what: str) -> StoreError:
    """Say what failed; a server that went away meanwhile still is one that may come back."""
    return type(error)(f"{what}: {error}", error.code)


def _migrations(texts: Mapping[str, str]) -> tuple[Migration, ...]:
    migrations: dict[int, Migration] = {}
    for file_name, text in sorted(texts.items()):
        named = _FILE_NAME.fullmatch(file_name)
        if named is None:
            raise StoreError(f"not a migration's name: {file_name}: NNNN_name.sql is")
        number = int(named.group(1))
        if number in migrations:
            raise StoreError(f"two migrations have the number {number:04d}")
        migrations[number] = Migration(number, named.group(2), text)
    return tuple(migrations.values())


def _views(texts: Mapping[str, str]) -> tuple[View, ...]:
    statements = {file_name.removesuffix(".sql"): text for file_name, text in texts.items()}
    views = {name: View(name, text, _required(name, text, statements)) for name, text in statements.items()}
    try:
        order = list(
            TopologicalSorter(
                {name: sorted(view.requires) for name, view in sorted(views.items())}
            ).static_order()
        )
    except CycleError as error:
        raise StoreError(f"views need each other: {', '.join(error.args[1])}") from error
    return tuple(views[name] for name in order)


def _required(name: str, text: str, views: Iterable[str]) -> frozenset[str]:
    """Return the views that this one names in its SQL, and those in a first line ``-- requires: a, b``."""
    declared = _REQUIRES.match(text)
    words = set(re.findall(r"\w+", _COMMENT_OR_TEXT.sub(" ", text)))
    if declared:
        words |= set(re.findall(r"\w+", declared.group(1)))
    return frozenset(words & set(views) - {name})


def _texts(directory: Traversable) -> dict[str, str]:
    return {file.name: file.read_text("utf-8") for file in directory.iterdir() if file.name.endswith(".sql")}


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
