"""The collector as one service: a store, the writer in front of it, and three servers for telemetry and SQL.

A shell: it starts things in an order in which nothing can be lost, and stops them in the reverse. It prints
nothing and handles no signal; whoever runs it says when to stop and is told when it is ready.
"""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from livemeter_collector.access import Access
from livemeter_collector.ingest.ledger import close_ledger, keep_ledger
from livemeter_collector.ingest.replay import replay_older
from livemeter_collector.ingest.writer import Writer
from livemeter_collector.journal.dead_letters import DIRECTORY as DEAD_LETTERS_DIRECTORY
from livemeter_collector.journal.dead_letters import DeadLetters
from livemeter_collector.journal.journal import Journal
from livemeter_collector.journal.journal import Limits as JournalLimits
from livemeter_collector.journal.state import UnreadableStateError
from livemeter_collector.listen import bind, reachable
from livemeter_collector.prices.load import load_prices
from livemeter_collector.prices.refresh import keep_priced
from livemeter_collector.servers import Addresses, Doors, Servers, check_free
from livemeter_collector.store.contract import Store, StoreError
from livemeter_collector.store.lock import DirectoryLock, announce, withdraw
from livemeter_collector.store.migrate import migrate, read_schema
from livemeter_collector.store.open import open_embedded, open_server
from livemeter_collector.store.retention import Retention, apply_retention
from livemeter_collector.store.sessions import keep_joined

JOURNAL_DIRECTORY = "journal"
"""Within the data directory."""

# Together at most ten seconds from the order to stop to the end.
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
    retention: Retention = field(default_factory=Retention)
    after_crash: bool = False
    """The collector that had the directory before died of a fault of its own."""
    access: Access = field(default_factory=Access)
    """Who may come in; its host is ``host``."""


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
        apply_retention(store, settings.retention)
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
            tls = self._settings.access.ssl_context()
            # Ports first: a second collector is told so before it touches any data.
            check_free(self._settings.host, self._settings.otlp_grpc_port)
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
                    journal.note_death(crashed=self._settings.after_crash)
                    doors = Doors(otlp, sql, tls, self._settings.access, self._settings.otlp_grpc_port)
                    stored = await self._serve(store, journal, doors, until, ready)
            finally:
                closed = await _within(_CLOSE_S, asyncio.to_thread(store.close))
            return stored and closed

    async def _serve(
        self,
        store: Store,
        journal: Journal,
        doors: Doors,
        until: asyncio.Event,
        ready: Callable[[Addresses], None],
    ) -> bool:
        writer = Writer(store, journal, _dead_letters(self._settings))
        writer.start()
        data_dir = self._settings.data_dir if self._settings.clickhouse_url is None else None
        servers = Servers(store, writer, doors, data_dir)
        try:
            addresses = await servers.start()
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
        scheme = "https" if self._settings.access.is_tls else "http"
        sql, otlp = (f"{scheme}://{reachable(each)}" for each in (addresses.sql, addresses.otlp_http))
        announce(self._settings.data_dir, sql, otlp)
        try:
            yield
        finally:
            withdraw(self._settings.data_dir)


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
