"""Migrations and views: made in order, recorded, made once, and never by the wrong version."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from livemeter_collector.store.contract import (
    ByteStream,
    NewerSchemaError,
    Parameters,
    Signal,
    Store,
    StoreError,
    Table,
)
from livemeter_collector.store.migrate import Schema, check_schema, migrate, read_schema


class Elsewhere:
    """The real store, but with another database in place of ours; remembers what was run."""

    def __init__(self, store: Store, database: str) -> None:
        self._store = store
        self.name = database
        self.commands: list[str] = []
        self.break_after: str | None = None
        """Fail every statement that comes after one that contains this."""

    def command(self, sql: str, parameters: Parameters | None = None) -> None:
        if self.commands and self.break_after and self.break_after in self.commands[-1]:
            raise StoreError("the process was killed")
        self.commands.append(sql)
        self._store.command(self._here(sql), parameters)

    def query(self, sql: str, parameters: Parameters | None = None) -> Table:
        return self._store.query(self._here(sql), parameters)

    def insert_otlp(self, signal: Signal, body: bytes, token: str, origin: str = "") -> None:
        raise StoreError("a schema needs no records")

    def stream(
        self,
        sql: str,
        output_format: str,
        parameters: Parameters | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> ByteStream:
        raise StoreError("a schema needs no streams")

    def close(self) -> None:
        raise StoreError("the store belongs to all tests")

    def rows(self, sql: str) -> Sequence[tuple[object, ...]]:
        return self.query(sql).rows

    def _here(self, sql: str) -> str:
        return re.sub(r"\blivemeter\b", self.name, sql)


@pytest.fixture
def database(store: Store, unique: str) -> Iterator[Elsewhere]:
    yield Elsewhere(store, unique)
    store.command(f"DROP DATABASE IF EXISTS {unique}")


def schema(tmp_path: Path, migrations: Mapping[str, str], views: Mapping[str, str] | None = None) -> Schema:
    for folder, files in (("migrations", migrations), ("views", views or {})):
        directory = tmp_path / "sql" / folder
        directory.mkdir(parents=True, exist_ok=True)
        for old in directory.iterdir():
            old.unlink()
        for name, text in files.items():
            (directory / f"{name}.sql").write_text(text)
    return read_schema(tmp_path / "sql")


TABLE = "CREATE TABLE livemeter.t (a UInt8) ENGINE = MergeTree ORDER BY a"
COLUMN = "ALTER TABLE livemeter.t ADD COLUMN IF NOT EXISTS b String"
VIEW = "CREATE OR REPLACE VIEW livemeter.{0} AS SELECT {1}"


def test_an_empty_database_gets_everything_in_order_and_it_is_recorded(
    database: Elsewhere, tmp_path: Path
) -> None:
    wanted = schema(
        tmp_path, {"0002_column": COLUMN, "0001_table": TABLE}, {"v": VIEW.format("v", "b FROM livemeter.t")}
    )
    assert migrate(database, wanted) == ["applied 0001 table", "applied 0002 column", "made view v"]
    assert [
        row[:2]
        for row in database.rows("SELECT number, name FROM livemeter.schema_migrations ORDER BY number")
    ] == [
        (1, "table"),
        (2, "column"),
    ]
    (line,) = database.rows(
        "SELECT name, length(checksum), applied_at > now() - 60, livemeter_version"
        " FROM livemeter.schema_views"
    )
    assert line[:3] == ("v", 64, 1)
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", str(line[3]))


def test_a_second_run_does_nothing_at_all(database: Elsewhere, tmp_path: Path) -> None:
    wanted = schema(tmp_path, {"0001_table": TABLE}, {"v": VIEW.format("v", "a FROM livemeter.t")})
    migrate(database, wanted)
    database.commands.clear()
    assert migrate(database, wanted) == []
    assert database.commands == []
    check_schema(database, wanted)
    assert database.commands == []


def test_only_what_is_new_is_applied(database: Elsewhere, tmp_path: Path) -> None:
    migrate(database, schema(tmp_path, {"0001_table": TABLE}))
    assert migrate(database, schema(tmp_path, {"0001_table": TABLE, "0002_column": COLUMN})) == [
        "applied 0002 column"
    ]


def test_a_crash_between_a_statement_and_its_record_is_made_good(database: Elsewhere, tmp_path: Path) -> None:
    function = f"CREATE FUNCTION {database.name}_f AS (x) -> x + 1"
    wanted = schema(tmp_path, {"0001_table": TABLE, "0002_function": function, "0003_column": COLUMN})
    for last in ("CREATE TABLE livemeter.t", "CREATE FUNCTION"):
        database.break_after = last
        with pytest.raises(StoreError, match="killed"):
            migrate(database, wanted)
    database.break_after = None
    assert migrate(database, wanted) == ["applied 0002 function", "applied 0003 column"]
    database.command(f"DROP FUNCTION {database.name}_f")


def test_a_failed_migration_is_named_and_those_before_it_stay(database: Elsewhere, tmp_path: Path) -> None:
    wanted = schema(
        tmp_path, {"0001_table": TABLE, "0002_wrong": "ALTER TABLE livemeter.nothing ADD COLUMN b String"}
    )
    with pytest.raises(StoreError, match=r"^migration 0002 wrong: .*nothing") as caught:
        migrate(database, wanted)
    assert caught.value.code == 60
    assert database.rows("SELECT number FROM livemeter.schema_migrations") == ((1,),)


def test_a_changed_migration_is_refused(database: Elsewhere, tmp_path: Path) -> None:
    migrate(database, schema(tmp_path, {"0001_table": TABLE}))
    with pytest.raises(StoreError, match="migration 0001 table is not the one that made this database"):
        migrate(database, schema(tmp_path, {"0001_table": f"{TABLE} -- otherwise"}))


def test_a_newer_database_is_left_alone(database: Elsewhere, tmp_path: Path) -> None:
    migrate(database, schema(tmp_path, {"0001_table": TABLE, "0007_column": COLUMN}))
    database.commands.clear()
    older = schema(tmp_path, {"0001_table": TABLE})
    for look in (migrate, check_schema):
        with pytest.raises(NewerSchemaError) as caught:
            look(database, older)
        assert str(caught.value) == (
            "written by a newer version of livemeter (schema 7, this one knows 1):"
            " upgrade livemeter or use another --data directory"
        )
    assert database.commands == []


def test_views_are_made_behind_those_they_read(database: Elsewhere, tmp_path: Path) -> None:
    views = {
        "a_first_by_name": VIEW.format("a_first_by_name", "n FROM livemeter.base"),
        "base": VIEW.format("base", "1 AS n"),
        "hidden": f"-- requires: a_first_by_name\n{VIEW.format('hidden', '2 AS n')}",
        "text": VIEW.format("text", "'hidden' AS n -- base"),
    }
    wanted = schema(tmp_path, {}, views)
    order = [view.name for view in wanted.views]
    assert order.index("base") < order.index("a_first_by_name") < order.index("hidden")
    requires = {view.name: view.requires for view in wanted.views}
    assert requires["text"] == frozenset()
    migrate(database, wanted)
    assert database.rows("SELECT n FROM livemeter.a_first_by_name") == ((1,),)


def test_a_changed_view_is_made_again_with_those_that_read_it(database: Elsewhere, tmp_path: Path) -> None:
    views = {
        "base": VIEW.format("base", "1 AS n"),
        "middle": VIEW.format("middle", "n FROM livemeter.base"),
        "top": VIEW.format("top", "n FROM livemeter.middle"),
        "aside": VIEW.format("aside", "5 AS n"),
    }
    migrate(database, schema(tmp_path, {}, views))
    views["base"] = VIEW.format("base", "'one' AS n")
    done = migrate(database, schema(tmp_path, {}, views))
    assert done == ["made view base", "made view middle", "made view top"]
    assert database.rows("SELECT n FROM livemeter.top") == (("one",),)


def test_a_failed_view_is_named(database: Elsewhere, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"^view v: "):
        migrate(database, schema(tmp_path, {}, {"v": VIEW.format("v", "x FROM livemeter.nothing")}))


@pytest.mark.parametrize(
    ("migrations", "views", "message"),
    [
        ({"1_short": TABLE}, {}, "not a migration's name: 1_short.sql"),
        ({"0001_a": TABLE, "0001_b": TABLE}, {}, "two migrations have the number 0001"),
        ({}, {"a": "SELECT b", "b": "SELECT a"}, "views need each other"),
    ],
)
def test_source_that_cannot_be_right_is_refused(
    tmp_path: Path, migrations: dict[str, str], views: dict[str, str], message: str
) -> None:
    with pytest.raises(StoreError, match=message):
        schema(tmp_path, migrations, views)


def test_a_reader_is_told_what_to_do_with_no_data_or_old_data(database: Elsewhere, tmp_path: Path) -> None:
    first = schema(tmp_path, {"0001_table": TABLE})
    with pytest.raises(StoreError, match="no livemeter data here: run `livemeter up` first"):
        check_schema(database, first)
    migrate(database, first)
    check_schema(database, first)
    with pytest.raises(
        StoreError, match="older version of livemeter wrote this data: run `livemeter up` once"
    ):
        check_schema(database, schema(tmp_path, {"0001_table": TABLE, "0002_column": COLUMN}))


def test_the_real_schema_is_recorded_and_complete(store: Store) -> None:
    check_schema(store)
    numbers = [row[0] for row in store.query("SELECT number FROM schema_migrations ORDER BY number").rows]
    assert numbers == [migration.number for migration in read_schema().migrations]
    views = {
        row[0]
        for row in store.query(
            "SELECT name FROM system.tables WHERE engine = 'View' AND database = 'livemeter'"
        ).rows
    }
    assert {view.name for view in read_schema().views} <= views


@pytest.mark.parametrize("migration", read_schema().migrations, ids=lambda migration: migration.name)
def test_a_real_migration_is_one_statement_for_one_object(migration: object) -> None:
    statement = getattr(migration, "statement", "")
    code = re.sub(r"--[^\n]*|'(?:[^'\\]|\\.)*'", "", statement)
    assert ";" not in code.rstrip().rstrip(";")
    assert len(re.findall(r"^\s*(?:CREATE|ALTER|DROP|INSERT)\b", code, re.MULTILINE)) == 1


def test_the_real_migrations_survive_the_loss_of_their_records(store: Store) -> None:
    """A crash between any statement and its record leaves an object that the next start takes as it is."""
    store.command("TRUNCATE TABLE schema_migrations")
    assert len(migrate(store)) == len(read_schema().migrations)
    assert migrate(store) == []
