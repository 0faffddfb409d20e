"""Livemeter: what every Gemini Live session cost, and why its connection closed.

``import livemeter.auto`` is all that an application needs; the names below are for those who want to
say more. They load when first used, so that ``import livemeter`` alone costs nothing.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from livemeter.app.closes import Advice, diagnose
    from livemeter.app.session import Session, current, session
    from livemeter.emit.loss import LossCountingExporter
    from livemeter.instrumentation import flush, instrument, observe, on_budget, uninstrument

__version__ = "0.1.0"

__all__ = [
    "Advice",
    "LossCountingExporter",
    "Session",
    "__version__",
    "current",
    "diagnose",
    "flush",
    "instrument",
    "observe",
    "on_budget",
    "session",
    "uninstrument",
]

_HOMES = {
    "Advice": "livemeter.app.closes",
    "LossCountingExporter": "livemeter.emit.loss",
    "Session": "livemeter.app.session",
    "current": "livemeter.app.session",
    "diagnose": "livemeter.app.closes",
    "flush": "livemeter.instrumentation",
    "instrument": "livemeter.instrumentation",
    "observe": "livemeter.instrumentation",
    "on_budget": "livemeter.instrumentation",
    "session": "livemeter.app.session",
    "uninstrument": "livemeter.instrumentation",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib  # noqa: PLC0415 - only when a name is asked for

    return getattr(importlib.import_module(_HOMES[name]), name)
