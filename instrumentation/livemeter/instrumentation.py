"""Turning observation on and off: hooks, observer, accounts and emitter wired together, once per process."""

import logging
import os
import threading
import time
from concurrent.futures import wait
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TypeVar
from weakref import WeakMethod, WeakSet

from opentelemetry import _logs, context, metrics, trace
from opentelemetry._logs import LoggerProvider
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import TracerProvider

from livemeter.accounts import PriceFileError, PriceList, price_list, read_overrides
from livemeter.app.account import Accounts, Budget
from livemeter.app.connection import AccountedConnection
from livemeter.app.session import OnBudget, amount, session_to_open
from livemeter.emit.emitter import Emitter, call_after_fork
from livemeter.emit.process_end import ProcessEnd
from livemeter.emit.providers import Providers, private_providers
from livemeter.guard import guarded
from livemeter.hooks.connection_id import new_connection_id
from livemeter.hooks.endpoint import read_endpoint
from livemeter.hooks.framework import framework_in_play
from livemeter.hooks.google_genai import GoogleGenAIHooks, NotInstalledError, require_google_genai
from livemeter.hooks.health import ConnectionHealth
from livemeter.hooks.loop_lag import LoopLag
from livemeter.hooks.tap import Tap, read_clocks
from livemeter.hooks.websockets_client import observe as observe_client
from livemeter.hooks.websockets_client import require_client_connection
from livemeter.observer.connection import ConnectionObserver
from livemeter.observer.sessions import SessionDirectory
from livemeter.settings import Settings, SettingsError

__all__ = [
    "NotInstalledError",
    "flush",
    "instrument",
    "instrument_privately",
    "observe",
    "on_budget",
    "uninstrument",
]

Connection = TypeVar("Connection")


@dataclass(slots=True, weakref_slot=True, eq=False)
class _Active:
    hooks: GoogleGenAIHooks
    emitter: Emitter
    directory: SessionDirectory
    accounts: Accounts[OnBudget]
    providers: Providers | None
    loop_lag: LoopLag | None
    taps: "WeakSet[Tap]" = field(default_factory=WeakSet[Tap])

    def watch(self, uri: str) -> Tap:
        """Return the tap for a connection that is about to be dialled."""
        now, settings = read_clocks(), self.emitter.settings
        session, endpoint, framework = session_to_open(), read_endpoint(uri), framework_in_play()
        observer = ConnectionObserver(
            new_connection_id(now.wall_ns),
            self.directory,
            now,
            identity=session.identity,
            frames_interval_ms=settings.frames_interval_ms,
            capture_content=settings.captures_content,
        )
        emits = self.emitter.connection(
            observer.connection_id,
            endpoint,
            context.get_current(),
            opened_at_ns=now.wall_ns,
            framework_name=framework.name if framework else "",
            framework_version=framework.version if framework else "",
        )
        sink = AccountedConnection(observer, endpoint, session, self.accounts, emits)
        health = ConnectionHealth(self.loop_lag, pings=settings.pings)
        tap = Tap(observer, sink, settings.frames_interval_ms, health)
        with _lock:
            self.taps.add(tap)
        return tap

    def detach(self, timeout_s: float) -> None:
        """Leave every socket as it was found; those of loops that run in other threads within the time."""
        with _lock:
            taps = list(self.taps)
        wait([tap.detach() for tap in taps], timeout_s)

    def begin_anew(self) -> None:
        """Go on in a forked process: what its parent has open, waiting and counted is not its own."""
        with guarded("begin anew after a fork"):
            for tap in list(self.taps):
                tap.abandon()
            self.taps.clear()
            self.directory.renew_lock()
            self.accounts.begin_anew()
            if self.providers is not None:
                self.providers.begin_anew()
                self.emitter.count_with(self.providers.meter)


_lock = threading.RLock()
_active: _Active | None = None
_budgets: list[Budget[OnBudget]] = []


def instrument(
    *,
    tracer_provider: TracerProvider | None = None,
    logger_provider: LoggerProvider | None = None,
    meter_provider: MeterProvider | None = None,
    settings: Settings | None = None,
) -> None:
    """Observe every Gemini Live connection and emit through the given providers, else the global ones.

    Calling it again changes nothing until ``uninstrument`` was called.

    Raises:
        NotInstalledError: google-genai is not installed or too old.
        SettingsError: an environment variable cannot be understood.
    """
    settings = settings or Settings.from_environment()
    emitter = Emitter(
        logger_provider or _logs.get_logger_provider(),
        tracer_provider or trace.get_tracer_provider(),
        meter_provider or metrics.get_meter_provider(),
        settings,
    )
    _activate(emitter, settings, None, hooked=True)


def instrument_privately(settings: Settings | None = None, *, hooked: bool = True) -> None:
    """Observe every Gemini Live connection and export to Livemeter's collector through own providers.

    The global providers stay as they are, so an application's own OpenTelemetry works as ever and
    frames do not flow to its back end by accident. What waits at a normal exit is exported first.

    Args:
        settings: those of the environment, if not given.
        hooked: whether google-genai is hooked; without, only what is given to ``observe`` is observed.

    Raises:
        NotInstalledError: google-genai is not installed or too old.
        SettingsError: an environment variable cannot be understood.
    """
    settings = settings or Settings.from_environment()
    if not settings.enabled or _has_hooked(hooked=hooked):
        return
    if hooked:
        require_google_genai()  # Before there are threads for nothing.
    try:
        providers = private_providers(settings)
    except SettingsError:
        raise
    except ValueError as error:
        raise SettingsError(f"OpenTelemetry cannot use its own settings: {error}") from error
    emitter = Emitter(providers.logger, providers.tracer, providers.meter, settings)
    _activate(emitter, settings, providers, hooked=hooked)


def uninstrument() -> None:
    """Stop observing, export what waits (within the shutdown time-out) and restore google-genai."""
    global _active
    with _lock:
        active, _active = _active, None
    if active is None:
        return
    _end.forget()
    active.hooks.uninstall()
    began_at, limit_ms = time.monotonic(), active.emitter.settings.shutdown_timeout_ms
    active.detach(limit_ms / 2000)
    if active.providers is not None:
        active.providers.shutdown(limit_ms - int((time.monotonic() - began_at) * 1000))


_end = ProcessEnd(uninstrument)


def flush(timeout_ms: int = 2000) -> bool:
    """Export what waits in the private providers; False when the time was not enough."""
    providers = _active.providers if _active is not None else None
    return providers is None or providers.force_flush(timeout_ms)


def observe(connection: Connection) -> Connection:
    """Observe a connection that the application dialled itself with ``websockets``, and return it.

    For code that speaks the Live API without google-genai. Call it right after the dial, before the setup
    frame is sent. Observation is turned on, privately, if it was not yet.

    Raises:
        TypeError: this is no connection of ``websockets.asyncio.client``.
        SettingsError: an environment variable cannot be understood.
    """
    require_client_connection(connection)
    if _active is None:
        instrument_privately(hooked=False)
    active = _active
    return observe_client(connection, active.watch) if active is not None else connection


def on_budget(*, usd: float | str | Decimal, call: OnBudget) -> None:
    """Have ``call(session)`` called once for every session whose cost reaches ``usd``.

    Raises:
        ValueError: ``usd`` is no positive amount.
    """
    budget = Budget(amount(usd), call)
    with _lock:
        _budgets.append(budget)
        if _active is not None:
            _active.accounts.add_budget(budget)


def _activate(emitter: Emitter, settings: Settings, providers: Providers | None, *, hooked: bool) -> None:
    global _active  # noqa: PLW0603 - see uninstrument
    with _lock:
        if _has_hooked(hooked=hooked):
            return
        accounts = Accounts[OnBudget](_prices(settings), _budgets)
        loop_lag = LoopLag(emitter.loop_lagged) if settings.loop_lag else None
        active = _Active(GoogleGenAIHooks(), emitter, SessionDirectory(), accounts, providers, loop_lag)
        if hooked:
            active.hooks.install(active.watch)
        call_after_fork(WeakMethod(active.begin_anew))
        _end.watch()
        _active = active


def _has_hooked(*, hooked: bool) -> bool:
    """Say whether observation is on; lay the hook of google-genai, if wanted and ``observe`` came first."""
    with _lock:
        if _active is None:
            return False
        if hooked and not _active.hooks.is_installed:
            _active.hooks.install(_active.watch)
        return True


def _after_fork() -> None:
    # Another thread of the parent may have held it.
    global _lock  # noqa: PLW0603 - see uninstrument
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _prices(settings: Settings) -> PriceList:
    """Return the prices of running accounts. What they cannot be read from costs the overrides, no more."""
    if not settings.prices:
        return price_list()
    try:
        return price_list(read_overrides(Path(settings.prices).read_text("utf-8"), settings.prices))
    except (OSError, UnicodeDecodeError, PriceFileError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        logging.getLogger("livemeter").warning(
            "LIVEMETER_PRICES is not used (%s): %s; published prices hold", settings.prices, reason
        )
        return price_list()
