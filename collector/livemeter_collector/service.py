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
from livemeter_collector.opening import Opening
from livemeter_collector.prices.endpoint import price_routes
from livemeter_collector.prices.refresh import INTERVAL_S as PRICES_EVERY_S
from livemeter_collector.prices.refresh import PriceBook, keep_priced
from livemeter_collector.servers import Addresses, Doors, Servers, check_free
from livemeter_collector.store.awaited import AwaitedStore
from livemeter_collector.store.contract import Store, StoreError
from livemeter_collector.store.lock import DirectoryLock, announce, withdraw
from livemeter_collector.store.mender import keep_whole
from livemeter_collector.store.migrate import migrate, read_schema
from livemeter_collector.store.open import open_embedded, open_server
from livemeter_collector.store.retention import Retention, apply_retention
from livemeter_collector.store.sessions import keep_joined
from livemeter_collector.store.settle import keep_settled

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
    prices: Path | None = None
    """A file of prices that win over the published ones. When it cannot be used, prices stay as they were."""
    prices_every_s: float = PRICES_EVERY_S


def open_store(settings: Settings, journal: Journal | None = None) -> Store:
    """Open the store, bring its tables up to date and load the prices; blocks.

    Args:
        settings: which one.
        journal: the data directory's, if it is open already; else it is opened for as long as this takes.

    Raises:
        StoreError: DirectoryHeldError, NewerSchemaError, StoreUnavailableError or another.
    """
    url = settings.clickhouse_url
    store = open_embedded(settings.data_dir) if url is None else open_server(url)
    schema = read_schema()
    with contextlib.ExitStack() as on_failure:
        on_failure.callback(store.close)
        with _opened_journal(settings) if journal is None else contextlib.nullcontext(journal) as opened:
            replay_older(store, opened, _dead_letters(settings), schema.number)
        migrate(store, schema)
        apply_retention(store, settings.retention)
        PriceBook(store, settings.prices).keep_up()
        on_failure.pop_all()
    return store


class Service:
    """One collector; runs once."""

    def __init__(self, settings: Settings, open_store: Callable[[Settings], Store] = open_store) -> None:
        """Take note of the settings; ``open_store`` opens the embedded store."""
        self._settings = settings
        self._open_store = open_store

    async def run(self, until: asyncio.Event, ready: Callable[[Addresses], None]) -> bool:
        """Serve until the event is set; calls ``ready`` once when every server takes requests.

        A ClickHouse server that cannot be reached keeps nobody from sending: it is opened as soon as it can
        be, and what comes meanwhile waits in the journal.

        Returns:
            True when everything ended in order; False when an insert or the store was still busy after ten
            seconds and its thread is left behind (nothing that was acknowledged is lost by that).

        Raises:
            ListenError: a port cannot be had; nothing was opened.
            StoreError: the store cannot be opened, and would not be for waiting.
        """
        with contextlib.ExitStack() as listeners:
            serving = _Serving(self._settings, self._claimed(listeners), until, ready)
            if self._settings.clickhouse_url is None:
                return await self._run_embedded(serving)
            return await self._run_before_a_server(serving)

    def _claimed(self, listeners: contextlib.ExitStack) -> Doors:
        """Claim the ports: a second collector is told so before it touches any data."""
        settings = self._settings
        tls = settings.access.ssl_context()
        check_free(settings.host, settings.otlp_grpc_port)
        otlp, sql = (
            listeners.enter_context(bind(settings.host, port, option))
            for port, option in (
                (settings.otlp_http_port, "--otlp-http-port"),
                (settings.sql_port, "--sql-port"),
            )
        )
        return Doors(otlp, sql, tls, settings.access, settings.otlp_grpc_port)

    async def _run_embedded(self, serving: "_Serving") -> bool:
        store = await asyncio.to_thread(self._open_store, self._settings)
        try:
            with _opened_journal(self._settings) as journal:
                stored = await serving.run(store, journal)
        finally:
            closed = await _within(_CLOSE_S, asyncio.to_thread(store.close))
        return stored and closed

    async def _run_before_a_server(self, serving: "_Serving") -> bool:
        with _held(self._settings.data_dir), _opened_journal(self._settings) as journal:
            store = AwaitedStore(lambda: open_store(self._settings, journal))
            opening = Opening(store)
            try:
                await opening.first()
                stored = await serving.run(store, journal, opening)
            finally:
                opening.give_up()
                closed = await _within(_CLOSE_S, asyncio.to_thread(store.close))
            return stored and closed


@dataclass(frozen=True, slots=True)
class _Serving:
    """What a service does between opening and closing its store."""

    settings: Settings
    doors: Doors
    until: asyncio.Event
    ready: Callable[[Addresses], None]

    async def run(self, store: Store, journal: Journal, opening: Opening | None = None) -> bool:
        """Serve until told to stop; ``opening`` may still be under way."""
        writer = Writer(store, journal, _dead_letters(self.settings))
        writer.start(away=opening.trouble if opening else "")
        data_dir = self.settings.data_dir if self.settings.clickhouse_url is None else None
        book = PriceBook(store, self.settings.prices, self.settings.prices_every_s)
        servers = Servers(store, writer, self.doors, data_dir, price_routes(book))
        try:
            addresses = await servers.start()
            with self._announced(addresses):
                self.ready(addresses)
                upkeep = _keep(book, store, journal, writer, opening)
                await _first(self.until.wait(), writer.failure(), servers.failure(), upkeep)
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
        if self.settings.clickhouse_url is not None:
            yield
            return
        scheme = "https" if self.settings.access.is_tls else "http"
        sql, otlp = (f"{scheme}://{reachable(each)}" for each in (addresses.sql, addresses.otlp_http))
        announce(self.settings.data_dir, sql, otlp)
        try:
            yield
        finally:
            withdraw(self.settings.data_dir)


async def _keep(
    book: PriceBook, store: Store, journal: Journal, writer: Writer, opening: Opening | None
) -> None:
    """See to it that the store is there, and then that it stays up to date; ends by failing alone."""
    if opening and opening.trouble:
        await opening.finish(writer.store_is_away)
        writer.store_is_there()
    await _first(
        keep_priced(book),
        keep_joined(store),
        keep_settled(store),
        keep_whole(store),
        keep_ledger(store, journal),
    )


@contextlib.contextmanager
def _held(data_dir: Path) -> Generator[None, None, None]:
    """Hold the data directory where the embedded store does not."""
    lock = DirectoryLock(data_dir)
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
        # Before anything of it is stored: once, because that takes the traces of the death away.
        journal.note_death(crashed=settings.after_crash)
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
