"""Laying the hook for real in this process, without emitting anything, and removing it again."""

import sys

from livemeter.doctor.facts import Hook
from livemeter.guard import guarded
from livemeter.settings import Settings


def try_hook() -> Hook:
    """Instrument this process as an application would be, look whether that took, and undo it.

    Imports google-genai, which takes a second or two.
    """
    hook = None
    with guarded("lay the hook"):
        hook = _tried()
    return hook or Hook(error="something failed on the way; the line on stderr says where")


def _tried() -> Hook:
    if _is_ours(_dialler()):
        return Hook(is_laid=True, was_on=True)
    try:
        # May be what is broken in this environment.
        from livemeter.instrumentation import NotInstalledError  # noqa: PLC0415
    except ImportError as error:
        return Hook(error=_one_line(error))
    try:
        is_laid = _is_laid_for_a_moment()
    except NotInstalledError as error:
        return Hook(error=_one_line(error.__cause__ or error))
    return Hook(is_laid=is_laid, over=_dialler())


def _is_laid_for_a_moment() -> bool:
    from opentelemetry._logs import NoOpLoggerProvider  # noqa: PLC0415 - as above
    from opentelemetry.metrics import NoOpMeterProvider  # noqa: PLC0415
    from opentelemetry.trace import NoOpTracerProvider  # noqa: PLC0415

    from livemeter.instrumentation import instrument, uninstrument  # noqa: PLC0415

    try:
        instrument(
            tracer_provider=NoOpTracerProvider(),
            logger_provider=NoOpLoggerProvider(),
            meter_provider=NoOpMeterProvider(),
            settings=Settings(),
        )
        return _is_ours(_dialler())
    finally:
        uninstrument()


def _dialler() -> str:
    """Return the dotted name of what dials Live sockets now; empty before google-genai is imported."""
    connect = getattr(sys.modules.get("google.genai.live"), "ws_connect", None)
    module = getattr(connect, "__module__", "") or ""
    name = getattr(connect, "__qualname__", type(connect).__qualname__)
    return f"{module}.{name}" if connect is not None else ""


def _is_ours(dotted_name: str) -> bool:
    return dotted_name.startswith("livemeter.")


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
