"""The collector as one service: a store, the writer in front of it, and three servers for telemetry and SQL.

A shell: it starts things in an order in which nothing can be lost, and stops them in the reverse. It prints
nothing and handles no signal; whoever runs it says when to stop and is told when it is ready.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Coroutine, Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from livemeter_collector.control import ControlServer, withdraw_control
from livemeter_collector.ingest.ledger import close_ledger, keep_ledger
from livemeter_collector.ingest.replay import replay_older
from livemeter_collector.ingest.writer import Writer
from livemeter_collector.journal.dead_letters import DIRECTORY as DEAD_LETTERS_DIRECTORY
from livemeter_collector.journal.dead_letters import DeadLetters
from livemeter_collector.journal.journal import Journal
from livemeter_collector.journal.journal import Limits as JournalLimits
from livemeter_collector.journal.state import UnreadableStateError
from livemeter_collector.listen import HttpServer, address_of, bind, in_use, port_of
from livemeter_collector.prices.load import load_prices
from livemeter_collector.prices.refresh import keep_priced
from livemeter_collector.query.gateway import create_sql_app
from livemeter_collector.receive.grpc import create_otlp_server
from livemeter_collector.receive.http import create_otlp_app
from livemeter_collector.store.contract import Store, StoreError
from livemeter_collector.store.lock import DirectoryLock, announce, withdraw
from livemeter_collector.store.migrate import migrate, read_schema
from livemeter_collector.store.open import open_embedded, open_server
from livemeter_collector.store.sessions import keep_joined
from livemeter_collector.telemetry.app import telemetry_routes

_LOG = logging.getLogger("livemeter.collector")

JOURNAL_DIRECTORY = "journal"
"""Within the data directory."""

_GRPC_OPTION = "--otlp-grpc-port"
# Together at most ten seconds from the order to stop to the end.
_REQUESTS_S = 4
_DRAIN_S = 4
_CLOSE_S = 2


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the data is and where the service listens; port 0 means any free port."""

    data_dir: Path = Path("livemeter-data")
    """The journal, the dead letters and, unless there is a ``clickhouse_url``, the embedded engine."""
    clickhouse_url: str | None = None
    host: str = "127.0.0.1"
    otlp_grpc_port: int = 4317
    otlp_http_port: int = 4318
    sql_port: int = 8123
    journal: JournalLimits = field(default_factory=JournalLimits)


@dataclass(frozen=True, slots=True)
class Addresses:
    """The real addresses of a running service, each as ``host:port``."""

    otlp_grpc: str
    otlp_http: str
    sql: str


def open_store(settings: Settings) -> Store:
    """Open the store, bring its tables up to date and load the prices; blocks.

    Raises:
        StoreError: DirectoryHeldError, NewerSchemaError, StoreUnavailableError or another.
    """
    url = settings.clickhouse_url
    store = open_embedded(settings.data_dir) if url is None else open_server(url)
    schema = read_schema()
    with contextlib.ExitStack() as on_failure:
        on_failure.callback(store.close)
        with _opened_journal(settings) as journal:
            replay_older(store, journal, _dead_letters(settings), schema.number)
        migrate(store, schema)
        load_prices(store)
        on_failure.pop_all()
    return store


class Service:
    """One collector; runs once."""

    def __init__(self, settings: Settings, open_store: Callable[[Settings], Store] = open_store) -> None:
        self._settings = settings
        self._open_store = open_store

    async def run(self, until: asyncio.Event, ready: Callable[[Addresses], None]) -> bool:
        """Serve until the event is set; calls ``ready`` once when every server takes requests.

        Returns:
            True when everything ended in order; False when an insert or the store was still busy after ten
            seconds and its thread is left behind (nothing that was acknowledged is lost by that).

        Raises:
            ListenError: a port cannot be had; nothing was opened.
            StoreError: the store cannot be opened.
        """
        with contextlib.ExitStack() as listeners:
            # Ports first: a second collector is told so before it touches any data.
            _check_free(self._settings.host, self._settings.otlp_grpc_port)
            otlp, sql = (
                listeners.enter_context(bind(self._settings.host, port, option))
                for port, option in (
                    (self._settings.otlp_http_port, "--otlp-http-port"),
                    (self._settings.sql_port, "--sql-port"),
                )
            )
            listeners.enter_context(_held(self._settings))
            store = await asyncio.to_thread(self._open_store, self._settings)
            try:
                with _opened_journal(self._settings) as journal:
                    stored = await self._serve(store, journal, otlp, sql, until, ready)
            finally:
                closed = await _within(_CLOSE_S, asyncio.to_thread(store.close))
            return stored and closed

    async def _serve(
        self,
        store: Store,
        journal: Journal,
        otlp: socket.socket,
        sql: socket.socket,
        until: asyncio.Event,
        ready: Callable[[Addresses], None],
    ) -> bool:
        writer = Writer(store, journal, _dead_letters(self._settings))
        writer.start()
        servers = _Servers(self._settings, store, writer, otlp, sql)
        try:
            addresses = await servers.start(self._settings)
            with self._announced(addresses):
                ready(addresses)
                upkeep = keep_priced(store), keep_joined(store), keep_ledger(store, journal)
                await _first(until.wait(), writer.failure(), servers.failure(), *upkeep)
        finally:
            # Requests in flight are answered while the writer still works; then it stores what is left, and
            # what there is no time for stays in the journal.
            await servers.stop()
            drained = await writer.stop(timeout_s=_DRAIN_S)
            if drained:
                await _within(_CLOSE_S, asyncio.to_thread(close_ledger, store, journal))
        return drained

    @contextlib.contextmanager
    def _announced(self, addresses: Addresses) -> Generator[None, None, None]:
        """Tell other commands where to ask: while this process runs, they cannot open the directory."""
        if self._settings.clickhouse_url is not None:
            yield
            return
        announce(self._settings.data_dir, f"http://{addresses.sql}", f"http://{addresses.otlp_http}")
        try:
            yield
        finally:
            withdraw(self._settings.data_dir)


class _Servers:
    """The three servers of a service, started and stopped together."""

    def __init__(
        self, settings: Settings, store: Store, writer: Writer, otlp: socket.socket, sql: socket.socket
    ) -> None:
        self._data_dir = settings.data_dir
        self._grpc = create_otlp_server(writer)
        otlp_app = create_otlp_app(writer)
        otlp_app.router.routes.extend(telemetry_routes(writer))
        self._http = [
            (HttpServer(otlp_app, otlp, _REQUESTS_S), port_of(otlp)),
            (HttpServer(create_sql_app(store), sql, _REQUESTS_S), port_of(sql)),
        ]
        self._control = _control(settings, store)
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def _all(self) -> list[HttpServer]:
        return [*(server for server, _ in self._http), *([self._control] if self._control else [])]

    async def start(self, settings: Settings) -> Addresses:
        """Take requests on all three ports."""
        host, wanted = settings.host, settings.otlp_grpc_port
        try:
            grpc_port = self._grpc.add_insecure_port(address_of(host, wanted))
        except RuntimeError as error:
            raise in_use(host, wanted, _GRPC_OPTION) from error
        await self._grpc.start()
        self._tasks = [asyncio.create_task(server.run_until_told()) for server in self._all]
        for server in self._all:
            await server.ready.wait()
        otlp_port, sql_port = (port for _, port in self._http)
        return Addresses(*(address_of(host, port) for port in (grpc_port, otlp_port, sql_port)))

    async def failure(self) -> None:
        """Wait until a server ends by itself, and raise what it ended of."""
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()

    async def stop(self) -> None:
        """Accept nothing more and let requests in flight finish for a few seconds."""
        for server in self._all:
            server.should_exit = True
        # What a server failed of was raised by ``failure``; here all of them have to end.
        await asyncio.gather(self._grpc.stop(_REQUESTS_S), *self._tasks, return_exceptions=True)
        if self._control is not None:
            withdraw_control(self._data_dir)


def _control(settings: Settings, store: Store) -> ControlServer | None:
    if settings.clickhouse_url is not None:
        return None
    try:
        return ControlServer(store, settings.data_dir, _REQUESTS_S)
    except OSError as error:
        # Telemetry matters more than a command that can wait until the collector is stopped.
        _LOG.warning("no backup can be made while the collector runs: %s", error)
        return None


@contextlib.contextmanager
def _held(settings: Settings) -> Generator[None, None, None]:
    """Hold the data directory where the embedded store does not."""
    if settings.clickhouse_url is None:
        yield
        return
    lock = DirectoryLock(settings.data_dir)
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def _opened_journal(settings: Settings) -> Generator[Journal, None, None]:
    try:
        journal = Journal(settings.data_dir / JOURNAL_DIRECTORY, read_schema().number, settings.journal)
    except (OSError, UnreadableStateError) as error:
        raise StoreError(f"the journal in {settings.data_dir} cannot be opened: {error}") from error
    try:
        yield journal
    finally:
        journal.close()


def _dead_letters(settings: Settings) -> DeadLetters:
    return DeadLetters(settings.data_dir / DEAD_LETTERS_DIRECTORY)


def _check_free(host: str, port: int) -> None:
    # gRPC writes its own lines to stderr when a port is taken; this says it in one, before.
    bind(host, port, _GRPC_OPTION).close()


async def _first(*waits: Coroutine[Any, Any, object]) -> None:
    """Wait until one of several ends, raise if it failed, and give the others up."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _within(timeout_s: float, work: Coroutine[Any, Any, None]) -> bool:
    try:
        async with asyncio.timeout(timeout_s):
            await work
    except TimeoutError:
        return False
    return True
