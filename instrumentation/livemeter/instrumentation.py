"""Turning observation on and off: hooks, observer and emitter wired together, once per process."""

import atexit
import threading
from dataclasses import dataclass

from opentelemetry import _logs, context, metrics, trace
from opentelemetry._logs import LoggerProvider
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import TracerProvider

from livemeter.emit.emitter import Emitter
from livemeter.emit.providers import Providers, private_providers
from livemeter.hooks.connection_id import new_connection_id
from livemeter.hooks.endpoint import read_endpoint
from livemeter.hooks.google_genai import GoogleGenAIHooks, NotInstalledError
from livemeter.hooks.tap import Tap, read_clocks
from livemeter.identity import current_identity
from livemeter.observer.connection import ConnectionObserver
from livemeter.observer.sessions import SessionDirectory
from livemeter.settings import Settings

__all__ = ["NotInstalledError", "flush", "instrument", "instrument_privately", "uninstrument"]


@dataclass(slots=True)
class _Active:
    hooks: GoogleGenAIHooks
    providers: Providers | None


_lock = threading.Lock()
_active: _Active | None = None


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
    _activate(emitter, settings, None)


def instrument_privately(settings: Settings | None = None) -> None:
    """Observe every Gemini Live connection and export to Livemeter's collector through own providers.

    The global providers stay as they are, so an application's own OpenTelemetry works as ever and
    frames do not flow to its back end by accident. What waits at a normal exit is exported first.

    Raises:
        NotInstalledError: google-genai is not installed or too old.
        SettingsError: an environment variable cannot be understood.
    """
    settings = settings or Settings.from_environment()
    if not settings.enabled or _active is not None:
        return
    providers = private_providers(settings)
    emitter = Emitter(providers.logger, providers.tracer, providers.meter, settings)
    _activate(emitter, settings, providers)
    atexit.register(uninstrument)


def uninstrument() -> None:
    """Stop observing, export what waits (within the shutdown time-out) and restore google-genai."""
    global _active
    with _lock:
        active, _active = _active, None
    if active is None:
        return
    active.hooks.uninstall()
    atexit.unregister(uninstrument)
    if active.providers is not None:
        active.providers.shutdown()


def flush(timeout_ms: int = 2000) -> bool:
    """Export what waits in the private providers; False when the time was not enough."""
    providers = _active.providers if _active is not None else None
    return providers is None or providers.force_flush(timeout_ms)


def _activate(emitter: Emitter, settings: Settings, providers: Providers | None) -> None:
    global _active  # noqa: PLW0603 - see uninstrument
    directory = SessionDirectory()

    def watch(uri: str) -> Tap:
        now = read_clocks()
        connection_id = new_connection_id(now.wall_ns)
        observer = ConnectionObserver(
            connection_id,
            directory,
            now,
            identity=current_identity(),
            frames_interval_ms=settings.frames_interval_ms,
        )
        sink = emitter.connection(
            connection_id, read_endpoint(uri), context.get_current(), opened_at_ns=now.wall_ns
        )
        return Tap(observer, sink, settings.frames_interval_ms)

    with _lock:
        if _active is not None:
            return
        hooks = GoogleGenAIHooks()
        hooks.install(watch)
        _active = _Active(hooks, providers)
