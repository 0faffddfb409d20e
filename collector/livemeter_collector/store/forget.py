"""What is kept of one person, and its deletion from every table.

Theory of operation. A person's connections are those of which any record says the person's id, and those of
the same sessions that say no id at all: a process that went on with a session need not know who speaks. What
is keyed by these connections goes, and so does every other record that says the id.

Whom it concerns is written into a table of its own for as long as it takes, because the engine keeps the text
of a deletion for long: with ids in it, the text would be what is left of the person. All deletions are
ordered before any is waited for. An engine that stops in between goes on with them when it starts again, and
the next call goes on with what an earlier one left.

What was summed up from the facts goes as well. A session that somebody else had a part in is summed up anew
of what is left of it: their connections count as just arrived.

``ALTER TABLE ... DELETE`` writes the parts that have such rows anew, without them. A lightweight delete would
only hide the rows until some merge comes along.
"""

import hashlib
import secrets
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass

from livemeter.vocabulary import Attribute
from livemeter_collector.store.contract import DATABASE, Parameters, Store, StoreError

WORK_TABLES = "forgetting_"
"""What the names of the tables begin with that say whom a deletion concerns; gone when it is done."""

_USER_KEYS = (str(Attribute.USER_ID), "enduser.id")
"""Where telemetry says whose it is; the second is what older instrumentations of others write."""

_GIVEN = "SELECT toFixedString(unhex(arrayJoin({connections:Array(String)})), 16)"
_NO_CONNECTION = "0" * 32
_POLL_S = 0.1
_PATIENCE_S = 30.0
_PASSES = 3
# Query parameters travel in a request's address, which servers bound.
_CHUNK = 1000


@dataclass(frozen=True, slots=True)
class _Table:
    """A table that holds what belongs to somebody."""

    name: str
    connection: str = ""
    """The expression that says a row's connection as FixedString(16); empty if rows have none, or several."""
    users: tuple[str, ...] = ()
    """The expressions that say a row's user."""
    connections: str = ""
    """The expression that says a row's connections as an array, where it has several."""

    def of_users(self, users: str) -> str:
        """Return the condition that a row says one of the ids that the subquery answers."""
        return " OR ".join(f"{each} IN ({users})" for each in self.users) or "false"

    def of_connections(self, connections: str) -> str:
        """Return the condition that a row is of one of the connections that the subquery answers."""
        if self.connections:
            return f"arrayExists(id -> id IN ({connections}), {self.connections})"
        return f"{self.connection} IN ({connections})" if self.connection else "false"


def _attributes(*maps: str) -> tuple[str, ...]:
    return tuple(f"{each}['{key}']" for each in maps for key in _USER_KEYS)


def _told(column: str) -> str:
    return f"livemeter_connection_id({column}['{Attribute.CONNECTION_ID}'])"


_METRICS = ("gauge", "sum", "histogram", "exponential_histogram", "summary")

TABLES: tuple[_Table, ...] = (
    _Table("frames", "connection_id"),
    _Table("turns", "connection_id"),
    _Table("tool_calls", "connection_id"),
    _Table("usage", "connection_id", ("user_id",)),
    _Table(
        "logs", _told("LogAttributes"), _attributes("LogAttributes", "ResourceAttributes", "ScopeAttributes")
    ),
    _Table("otel_traces", _told("SpanAttributes"), _attributes("SpanAttributes", "ResourceAttributes")),
    *(
        _Table(
            f"otel_metrics_{kind}",
            users=_attributes("Attributes", "ResourceAttributes", "ScopeAttributes"),
        )
        for kind in _METRICS
    ),
    _Table("settled_turns", "connection_id"),
    _Table("settled_usage", "connection_id", ("user_id",)),
    _Table("settled_sessions", users=("user_id",), connections="connection_ids"),
    _Table("rejects", "livemeter_connection_id(connection_id)", _attributes("attributes")),
    _Table("handles", "connection_id"),
    _Table("connections", "connection_id", ("user_id",)),
)
"""Every table that holds something of a person; whatever a roll-up is keyed by belongs here as well."""

EXEMPT: Mapping[str, str] = {
    "emitters": "says which numbers of a process's events arrived, and nothing of whose they were",
    "settlements": "says up to when sessions are summed up",
    "ledger_inserts": "counts records of whole batches",
    "ledger_door": "counts records of whole signals",
    "model_prices": "says what tokens cost",
    "schema_migrations": "says how the database was made",
    "schema_views": "says how the database was made",
}
"""Tables that keep rows and nothing of a person, each with the reason."""


@dataclass(frozen=True, slots=True)
class Person:
    """Whom it concerns."""

    ids: tuple[str, ...]
    """As they may have been recorded: as said, and hashed."""
    connections: tuple[str, ...]
    """32 hex digits each, sorted."""
    neighbours: tuple[str, ...] = ()
    """Connections of others in sessions that the person had a part in."""


def recorded_ids(user: str) -> tuple[str, ...]:
    """Return what may have been recorded of a user's id: itself, or its hash as the instrumentation makes it.

    Whoever says the hash itself is understood as well.
    """
    return user, hashlib.sha256(user.encode("utf-8", "replace")).hexdigest()


def find_person(store: Store, user: str) -> Person:
    """Find a user's connections, those included that went on with a session and do not say whose they are.

    Raises:
        StoreError: the store cannot be asked.
    """
    ids = recorded_ids(user)
    # A dictionary that is behind would miss who went on with what.
    store.command(f"SYSTEM RELOAD DICTIONARY {DATABASE}.session_root")
    found = {str(one): bool(is_theirs) for one, is_theirs in store.query(_FIND, {"users": list(ids)}).rows}
    found.pop(_NO_CONNECTION, None)
    theirs, others = (tuple(sorted(one for one in found if found[one] is is_)) for is_ in (True, False))
    return Person(ids, theirs, others)


def count_rows(store: Store, person: Person) -> dict[str, int]:
    """Return how many rows each table has of a person, copies that have not merged yet included.

    Tables that have none are left out.
    """
    counts = {table.name: sum(_counts(store, table, person)) for table in _present(store)}
    return {name: count for name, count in counts.items() if count}


def delete_rows(store: Store, person: Person) -> Generator[tuple[int, int]]:
    """Delete a person's rows from every table; yields (parts done, parts in all) until they are gone.

    Raises:
        StoreError: the engine refuses, or cannot write the parts anew. What was ordered it goes on with; the
            next call goes on with the rest.
    """
    left = _left(store)
    work = f"{WORK_TABLES}{secrets.token_hex(4)}"
    _write_down(store, work, person)
    # Before, so that nobody misses these sessions meanwhile; and after, so that what was summed up in between
    # counts no more.
    _sum_up_anew(store, person.neighbours)
    for _ in range(_PASSES):
        for name in (*left, work):
            _order(store, name)
        yield from _wait(store)
        # What was summed up, or came, while the facts were being deleted.
        if not count_rows(store, person):
            break
    for name in (*left, work):
        store.command(f"DROP TABLE IF EXISTS {DATABASE}.{name} SYNC")
    _sum_up_anew(store, person.neighbours)
    store.command(f"SYSTEM RELOAD DICTIONARY {DATABASE}.session_root")


_FIND = f"""
WITH own AS
(
    SELECT lower(hex(connection_id)) AS id
    FROM
    (
        SELECT connection_id FROM {DATABASE}.connections WHERE user_id IN {{users:Array(String)}}
        UNION ALL
        SELECT connection_id FROM {DATABASE}.usage WHERE user_id IN {{users:Array(String)}}
        UNION ALL
        SELECT {_told("LogAttributes")} AS connection_id FROM {DATABASE}.logs
        WHERE LogAttributes['{Attribute.USER_ID}'] IN {{users:Array(String)}}
            AND livemeter_is_connection_id(LogAttributes['{Attribute.CONNECTION_ID}'])
        UNION ALL
        SELECT {_told("SpanAttributes")} AS connection_id FROM {DATABASE}.otel_traces
        WHERE SpanAttributes['{Attribute.USER_ID}'] IN {{users:Array(String)}}
            AND livemeter_is_connection_id(SpanAttributes['{Attribute.CONNECTION_ID}'])
    )
)
SELECT id, max(is_theirs) AS is_theirs
FROM
(
    SELECT id, true AS is_theirs FROM own
    UNION ALL
    SELECT connection_id AS id, user_id = '' AS is_theirs FROM {DATABASE}.live_connections
    WHERE session_id IN
    (
        SELECT session_id FROM {DATABASE}.live_connections WHERE connection_id IN (SELECT id FROM own)
    )
)
GROUP BY id
"""  # noqa: S608 - our own names


def _present(store: Store) -> tuple[_Table, ...]:
    """Return the tables that this database has: a server may have another kind of metric tables, or none."""
    names = {
        str(name)
        for (name,) in store.query(
            "SELECT name FROM system.tables WHERE database = {database:String}", {"database": DATABASE}
        ).rows
    }
    return tuple(table for table in TABLES if table.name in names)


def _counts(store: Store, table: _Table, person: Person) -> Iterator[int]:
    users = "SELECT arrayJoin({users:Array(String)})"
    yield _count(store, table, table.of_users(users), {"users": list(person.ids)})
    if not (table.connection or table.connections):
        return
    # What says the id was counted above.
    where = f"{table.of_connections(_GIVEN)} AND NOT ({table.of_users(users)})"
    for chunk in _chunks(person.connections):
        yield _count(store, table, where, {"users": list(person.ids), "connections": chunk})


def _count(store: Store, table: _Table, where: str, parameters: Parameters) -> int:
    sql = f"SELECT count() FROM {DATABASE}.{table.name} WHERE {where}"  # noqa: S608 - our own names
    return int(str(store.query(sql, parameters).rows[0][0]))


def _write_down(store: Store, work: str, person: Person) -> None:
    """Write whom it concerns into a table."""
    store.command(
        f"CREATE TABLE {DATABASE}.{work} (user_id String, connection_id FixedString(16))"
        " ENGINE = MergeTree ORDER BY tuple()"
    )
    store.command(
        f"INSERT INTO {DATABASE}.{work} (user_id) SELECT arrayJoin({{users:Array(String)}})",
        {"users": list(person.ids)},
    )
    for chunk in _chunks(person.connections):
        store.command(
            f"INSERT INTO {DATABASE}.{work} (connection_id) {_GIVEN}",
            {"connections": chunk},
        )


def _sum_up_anew(store: Store, connections: Sequence[str]) -> None:
    """Have sessions summed up again: a row that says what is known already, and comes now."""
    for chunk in _chunks(connections):
        store.command(
            f"INSERT INTO {DATABASE}.connections SELECT * REPLACE (now64(3) AS arrived_at)"  # noqa: S608 - our own name
            f" FROM {DATABASE}.connections FINAL WHERE connection_id IN ({_GIVEN})",
            {"connections": chunk},
        )


def _order(store: Store, work: str) -> None:
    """Have the engine delete from every table what the work table says; it goes on by itself."""
    users = f"SELECT user_id FROM {DATABASE}.{work} WHERE user_id != ''"  # noqa: S608 - our own name
    connections = f"SELECT connection_id FROM {DATABASE}.{work} WHERE user_id = ''"  # noqa: S608 - our own name
    for table in _present(store):
        where = f"({table.of_users(users)}) OR {table.of_connections(connections)}"
        store.command(
            f"ALTER TABLE {DATABASE}.{table.name} DELETE WHERE {where}"
            " SETTINGS mutations_sync = 0, allow_nondeterministic_mutations = 1"
        )


def _wait(store: Store) -> Generator[tuple[int, int]]:
    """Yield how far the deletions are, until they are done."""
    at_first, give_up = 0, 0.0
    while True:
        parts, reason = _under_way(store)
        at_first = max(at_first, parts)
        yield at_first - parts, at_first
        if parts == 0:
            return
        give_up = (give_up or time.monotonic() + _PATIENCE_S) if reason else 0.0
        if give_up and time.monotonic() > give_up:
            raise StoreError(
                f"rows cannot be deleted yet ({reason}): the engine keeps trying; forget again when that is"
                " mended"
            )
        time.sleep(_POLL_S)


def _under_way(store: Store) -> tuple[int, str]:
    """Return how many parts are to be written anew, and why the last attempt failed, if one did."""
    row = store.query(
        "SELECT sum(greatest(parts_to_do, 1)), max(latest_fail_reason) FROM system.mutations"
        " WHERE database = {database:String} AND NOT is_done AND position(command, {work:String}) > 0",
        {"database": DATABASE, "work": WORK_TABLES},
    ).rows[0]
    return int(str(row[0])), " ".join(str(row[1]).split())


def _left(store: Store) -> list[str]:
    """Return the work tables of calls that did not come to their end."""
    found = store.query(
        "SELECT name FROM system.tables"
        " WHERE database = {database:String} AND startsWith(name, {work:String})",
        {"database": DATABASE, "work": WORK_TABLES},
    )
    return [str(name) for (name,) in found.rows]


def _chunks(ids: Sequence[str]) -> Iterator[list[str]]:
    for start in range(0, len(ids), _CHUNK):
        yield list(ids[start : start + _CHUNK])
