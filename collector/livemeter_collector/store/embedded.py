"""ClickHouse in this process: the only module that touches chDB.

After a statement fails while running, chDB prepends its partial output to the next answer on the same
connection. So every call has a connection of its own (0.7 ms, and nobody else's settings), or, where values
are wanted, a client of clickhouse-connect that is thrown away when anything fails. One more connection keeps
the engine alive.

One data directory per process, and never in a forked child: the engine's threads do not survive a fork.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# clickhouse-connect is typed in part and chDB not at all.

import contextlib
import ctypes
import json
import os
import shutil
import signal
import sys
import tempfile
import time
import uuid
import weakref
from collections import deque
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager
from importlib import resources
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlencode

import chdb
from clickhouse_connect import get_client
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from livemeter_collector.store.backup import WORK_DIRECTORY
from livemeter_collector.store.calls import CallsInFlight
from livemeter_collector.store.contract import (
    DATABASE,
    ByteStream,
    DirectoryHeldError,
    Parameters,
    PoisonError,
    Signal,
    StoreError,
    StoreUnavailableError,
    Table,
)
from livemeter_collector.store.errors import insert_error, query_error
from livemeter_collector.store.guard import READONLY_CODE, refuse_unsafe
from livemeter_collector.store.insert import (
    FORMAT,
    INSERT_SETTINGS,
    insert_settings,
    message_of,
    table_of,
)
from livemeter_collector.store.mender import Mender
from livemeter_collector.store.native import empty_block
from livemeter_collector.store.parameters import parameter_texts
from livemeter_collector.store.pause import Pause
from livemeter_collector.store.stream import QueryStream
from livemeter_collector.store.tables import ask, store_error
from livemeter_collector.store.tokens import forget_tokens_without_parts

MEMORY_BYTES = 2 * 1024**3
"""What the engine may use unless told otherwise; it idles at 0.3 GB and works in 0.5 to 0.8."""

_RESERVE_BYTES = 128 * 1024**2
"""Free space under which nothing is inserted."""
_LITTLE_BYTES = 1024**3
"""Free space under which the engine's parts are looked at: another program may fill the rest meanwhile."""
_OLD_PARTS_STAY_S = 480.0
"""``old_parts_lifetime`` of ``engine.xml``."""
_CLOSE_TIMEOUT_S = 30.0
_CRASHES = (
    signal.SIGILL,
    signal.SIGTRAP,
    signal.SIGABRT,
    signal.SIGBUS,
    signal.SIGFPE,
    signal.SIGSEGV,
    signal.SIGSYS,
)
_PIECE_BYTES = 1024 * 1024
# Their blocks are complete pieces of the answer. Others have a head or an end and are made as a whole.
_BLOCKWISE = frozenset({"native", "tabseparated", "tsv", "csv", "rowbinary", "jsoneachrow"})
# The engine streams nothing else: not SHOW, DESCRIBE, EXISTS or EXPLAIN.
_STREAMABLE = ("SELECT", "WITH", "(")
# As on a server: times in UTC whatever this machine's zone, and `1 + 1` is no statement.
_SESSION = {"session_timezone": "UTC", "implicit_select": "0"}
# chDB's own exception has two classes, of which one is no RuntimeError.
_ENGINE_ERRORS = (RuntimeError, chdb.ChdbError)
# chDB has no types. Its connection: query, send_query, send_insert, close.
_connect = cast("Callable[[str], Any]", chdb.connect)
_home_process = os.getpid()


class EmbeddedStore:
    """A ``Store`` whose engine lives in this process; see the contract for the calls."""

    def __init__(
        self,
        path: Path,
        *,
        read_only: bool = False,
        memory_bytes: int | None = None,
        on_close: Callable[[], None] = lambda: None,
    ) -> None:
        """Start the engine on a directory that nobody else uses.

        Args:
            path: the engine's directory; created if missing.
            read_only: refuse everything that writes.
            memory_bytes: cap on the engine's memory; MEMORY_BYTES, or half of a small machine's memory.
            on_close: called once, when the engine has stopped.

        Raises:
            DirectoryHeldError: another process's engine is running on the directory.
            StoreError: the directory's name or content is nothing the engine can use.
        """
        self._path = _usable(path)
        self._read_only = read_only
        self._on_close = on_close
        self._calls = CallsInFlight()
        self._inserts = Pause()
        self._mender = Mender()
        self._had_little = self._merges_stopped = False
        self._streams: weakref.WeakSet[QueryStream] = weakref.WeakSet()
        self._idle_clients: deque[Client] = deque()
        if not read_only:
            _forget_tokens(self._path)
        # Opened for good: while one connection is open, others need no options.
        self._anchor = _start(self._path, memory_bytes or min(MEMORY_BYTES, _physical_memory_bytes() // 2))
        try:
            self._prepare()
        except BaseException:
            self._anchor.close()
            raise

    def _prepare(self) -> None:
        if not self._read_only:
            _execute(self._anchor, f"CREATE DATABASE IF NOT EXISTS {DATABASE}")
        names = ", ".join(f"'{name}'" for name in INSERT_SETTINGS)
        known = f"SELECT name FROM system.settings WHERE name IN ({names})"  # noqa: S608 - our own names
        self._known_settings = frozenset(_words(self._anchor, known))
        self._table_functions = frozenset(_words(self._anchor, "SELECT name FROM system.table_functions"))
        if not self._read_only:
            self._mender.begin(self)

    def insert_otlp(self, signal: Signal, body: bytes, token: str, origin: str = "") -> None:
        """Insert one or several concatenated requests and return when they are synced to disk."""
        if not body:
            return
        self._refuse_to_fill(len(body))
        if self._mender.is_needed:
            # An earlier attempt left the engine in doubt of what it has.
            self._mend()
        try:
            with self._looking_after_parts():
                self._insert(signal, body, insert_settings(token, self._known_settings, origin))
        except PoisonError:
            raise
        except StoreError:
            self._mender.is_needed = True
            self._mend()
            raise

    def _insert(self, signal: Signal, body: bytes, settings: dict[str, str]) -> None:
        with self._inserts.one(), self._connection() as connection, _schema_file(signal) as schema:
            # A schema given as text would be written to a cache in the current directory.
            settings = settings | {"format_schema": f"{schema}:{message_of(signal)}"}
            with _as_file(body) as file:
                # Not `send_insert`: it does not tell what fails while parts are written, as on a full disk.
                statement = (
                    f"INSERT INTO {DATABASE}.{table_of(signal)} FROM INFILE {_quoted(file)}"
                    f" SETTINGS {_assignments(settings)} FORMAT {FORMAT}"
                )
                try:
                    connection.query(statement, "Null")
                except _ENGINE_ERRORS as error:
                    raise insert_error(str(error).replace(f"(in file/uri {file}): ", "")) from error

    def look_after_disk(self) -> None:
        """See that a disk that is nearly full does no harm; to be called every few seconds.

        Raises:
            StoreError: it cannot be done now.
        """
        free_bytes = self._free_bytes()
        if free_bytes < _LITTLE_BYTES or self._had_little:
            self._mender.look(self, time.time() - _OLD_PARTS_STAY_S)
        if self._mender.is_needed:
            self._mend()
        self._had_little = free_bytes < _LITTLE_BYTES
        if free_bytes < 2 * _RESERVE_BYTES:
            # Those that run end as well.
            self.command("SYSTEM STOP MERGES")
            self._merges_stopped = True
        elif self._merges_stopped:
            self.command("SYSTEM START MERGES")
            self._merges_stopped = False

    @contextlib.contextmanager
    def _looking_after_parts(self) -> Generator[None]:
        """Look at the parts of an insert where a disk that fills up may have cut them."""
        began, free_bytes = time.time(), self._free_bytes()
        yield
        if min(free_bytes, self._free_bytes()) < _LITTLE_BYTES:
            self._mender.look(self, began - 1)
            if self._mender.is_needed:
                raise StoreUnavailableError("the disk was full while a part was written")

    def _refuse_to_fill(self, size_bytes: int) -> None:
        if self._free_bytes() < _RESERVE_BYTES + 2 * size_bytes:
            raise StoreUnavailableError("the disk is nearly full")

    def _free_bytes(self) -> int:
        return shutil.disk_usage(self._path).free

    def _mend(self) -> None:
        with self._inserts.all():
            self._mender.mend(self)

    def paused_inserts(self) -> AbstractContextManager[None]:
        """Hold inserts back: none is under way within, and those that come wait until its end."""
        return self._inserts.all()

    def command(self, sql: str, parameters: Parameters | None = None) -> None:
        """Run a statement that answers nothing."""
        with self._connection() as connection:
            _execute(connection, sql, "Null", parameter_texts(parameters))

    def query(self, sql: str, parameters: Parameters | None = None) -> Table:
        """Answer a SELECT as Python values; times are aware, in UTC."""
        try:
            with self._client() as client:
                table = ask(client, sql, parameters)
        except ClickHouseError as error:
            raise store_error(error) from error
        return table if table.columns else self._without_rows(sql, parameters)

    def stream(
        self,
        sql: str,
        output_format: str,
        parameters: Parameters | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> ByteStream:
        """Answer a SELECT as bytes, read-only, block by block where the format allows it."""
        label = f"livemeter-{uuid.uuid4()}"
        comment = (settings or {}).get("log_comment", "")
        limits = dict(settings or {}) | {"log_comment": f"{label} {comment}".strip()}
        chunks = self._answer(sql, output_format, parameter_texts(parameters), limits)
        stream = QueryStream(chunks, lambda: self._kill(label))
        self._streams.add(stream)
        return stream

    def close(self) -> None:
        """End every stream, wait for calls in flight and stop the engine."""
        if not self._calls.end():
            return
        for stream in list(self._streams):
            stream.close()
        self._calls.wait(_CLOSE_TIMEOUT_S)
        for client in self._idle_clients:
            client.close()
        self._anchor.close()
        self._on_close()

    @contextlib.contextmanager
    def _connection(
        self, settings: Mapping[str, str] | None = None, *, read_only: bool = False
    ) -> Generator[Any]:
        """Open a connection that closes with the call; ``settings`` hold for all of it."""
        limits = _SESSION | {"print_pretty_type_names": "0"} | dict(settings or {})
        database = limits.pop("database", DATABASE)
        if read_only or self._read_only:
            # Last: from then on no setting can be changed.
            limits |= {"allow_introspection_functions": "0", "readonly": "1"}
        _refuse_fork()
        with self._calls.one(), contextlib.closing(_open(str(self._path))) as connection:
            _execute(connection, f"USE {_name(database)}")
            _execute(connection, f"SET {_assignments(limits)}")
            yield connection

    @contextlib.contextmanager
    def _client(self) -> Generator[Client]:
        """Lend a client; it comes back only from a call that went well."""
        _refuse_fork()
        with self._calls.one():
            try:
                client = self._idle_clients.pop()
            except IndexError:
                client = self._new_client()
            try:
                yield client
            except BaseException:
                client.close()
                raise
            self._idle_clients.append(client)

    def _new_client(self) -> Client:
        settings = _SESSION | ({"readonly": "1"} if self._read_only else {})
        # "server": the engine's own time zone is this machine's, and every query overrides it.
        return get_client(
            interface="chdb", path=str(self._path), database=DATABASE, settings=settings, tz_source="server"
        )

    def _without_rows(self, sql: str, parameters: Parameters | None) -> Table:
        with self._connection() as connection:
            columns = _columns(connection, sql, parameter_texts(parameters))
        return Table(tuple(name for name, _ in columns), ())

    def _answer(
        self, sql: str, output_format: str, texts: dict[str, str], limits: dict[str, str]
    ) -> Generator[bytes]:
        with self._connection(limits, read_only=True) as connection:
            formatted = _format(connection, sql)
            refuse_unsafe(formatted, texts, self._table_functions)
            if output_format.lower() not in _BLOCKWISE or not formatted.startswith(_STREAMABLE):
                yield from _pieces(_execute(connection, sql, output_format, texts))
                return
            answered = False
            for block in _blocks(connection, sql, output_format, texts):
                answered = True
                yield block
            if not answered and output_format.lower() == "native":
                yield empty_block(_columns(connection, sql, texts))

    def _kill(self, label: str) -> None:
        # Whoever wants a query ended asks again until it has; one attempt may fail.
        with contextlib.suppress(StoreError), contextlib.closing(_open(str(self._path))) as connection:
            _execute(connection, f"KILL QUERY WHERE startsWith(Settings['log_comment'], '{label}') ASYNC")


def _usable(path: Path) -> Path:
    resolved = path.resolve()
    if "?" in str(resolved):
        raise StoreError(
            f"the engine cannot use a path with a question mark: {resolved}: choose another --data"
        )
    _refuse_fork()
    return resolved


def _forget_tokens(path: Path) -> None:
    try:
        forget_tokens_without_parts(path)
    except OSError as error:
        raise StoreError(f"cannot use {path}: {error.strerror}") from error


def _physical_memory_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _refuse_fork() -> None:
    if os.getpid() != _home_process:
        raise StoreError("the embedded engine cannot be used in a forked process: start a new one (spawn)")


def _start(path: Path, memory_bytes: int) -> Any:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"cannot use {path}: {error.strerror}: name another directory with --data"
        ) from error
    with resources.as_file(resources.files(__package__ or "") / "engine.xml") as configuration:
        options = {
            "config-file": str(configuration),
            "max_server_memory_usage": str(memory_bytes),
            "backups.allowed_path": str(path.parent / WORK_DIRECTORY),
        }
        connection = _open(f"{path}?{urlencode(options, safe='/')}")
    _let_crashes_end_us()
    return connection


def _let_crashes_end_us() -> None:
    """Take back the signals of a crash, which the engine handles from its import and its opening on.

    It asks for a report that, embedded, never comes, and waits five minutes for it while nothing is served
    and nobody starts the process again. By the C library, because Python changes signals in the main thread
    alone.
    """
    set_handler = ctypes.CDLL(None).signal
    set_handler.argtypes, set_handler.restype = (ctypes.c_int, ctypes.c_void_p), ctypes.c_void_p
    for number in _CRASHES:
        set_handler(number, None)


def _open(location: str) -> Any:
    try:
        return _connect(location)
    except _ENGINE_ERRORS as error:
        path = location.partition("?")[0]
        raise DirectoryHeldError(
            f"the engine does not start on {path}; does another process use it? {query_error(str(error))}"
        ) from error


def _execute(
    connection: Any, sql: str, output_format: str = "Null", texts: dict[str, str] | None = None
) -> bytes:
    try:
        return bytes(connection.query(sql, output_format, texts or {}).bytes())
    except _ENGINE_ERRORS as error:
        raise query_error(str(error)) from error


def _blocks(connection: Any, sql: str, output_format: str, texts: dict[str, str]) -> Generator[bytes]:
    try:
        with connection.send_query(sql, output_format, texts) as blocks:
            for block in blocks:
                yield bytes(block.bytes())
    except _ENGINE_ERRORS as error:
        raise query_error(str(error)) from error


def _pieces(data: bytes) -> Generator[bytes]:
    for start in range(0, len(data), _PIECE_BYTES):
        yield data[start : start + _PIECE_BYTES]


@contextlib.contextmanager
def _as_file(data: bytes) -> Generator[str]:
    """Lend bytes to the engine under a name that it can open; where the system can, they are on no disk."""
    if sys.platform == "linux":
        with os.fdopen(os.memfd_create("livemeter-insert"), "wb", buffering=0) as file:
            rest = memoryview(data)
            while rest:
                rest = rest[file.write(rest) :]
            yield f"/proc/self/fd/{file.fileno()}"
    else:
        with tempfile.NamedTemporaryFile(buffering=0) as file:
            rest = memoryview(data)
            while rest:
                rest = rest[file.write(rest) :]
            yield file.name


def _columns(connection: Any, sql: str, texts: dict[str, str]) -> list[tuple[str, str]]:
    """Return names and types of an answer without rows, of which the engine gives nothing at all."""
    statement = f"DESCRIBE TABLE ({sql.rstrip().rstrip(';')}\n)"
    try:
        lines = _execute(connection, statement, "JSONCompactEachRow", texts).splitlines()
    except StoreError:
        # SHOW and the like cannot be described.
        return []
    return [(row[0], row[1]) for row in map(json.loads, lines)]


def _format(connection: Any, sql: str) -> str:
    function = "formatQuerySingleLine"
    texts = parameter_texts({"sql": sql})
    try:
        return _execute(connection, f"SELECT {function}({{sql:String}})", "RawBLOB", texts).decode(
            errors="replace"
        )
    except StoreError as error:
        # What is wrong is wrong with the statement; our function around it is nobody's business.
        message = str(error).partition(f": In scope SELECT {function}")[0].removesuffix(" (SYNTAX_ERROR)")
        raise StoreError(f"{message} (SYNTAX_ERROR)", error.code) from error


def _words(connection: Any, sql: str) -> list[str]:
    return _execute(connection, sql, "TabSeparated").decode().split()


def _assignments(settings: Mapping[str, str]) -> str:
    return ", ".join(f"{_name(name)} = {_quoted(value)}" for name, value in settings.items())


def _name(name: str) -> str:
    if not name.isidentifier() or not name.isascii():
        raise StoreError(f"not a name: {name!r}", READONLY_CODE)
    return name


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


@contextlib.contextmanager
def _schema_file(signal: Signal) -> Generator[Path]:
    with resources.as_file(resources.files(__package__ or "") / "otlp" / f"{signal}.proto") as path:
        yield path
