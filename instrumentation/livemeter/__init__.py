"""Livemeter: what every Gemini Live session cost, and why its connection closed.

``import livemeter.auto`` is all that an application needs; the names below are for those who want to
say more. They load when first used, so that ``import livemeter`` alone costs nothing.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from livemeter.identity import session
    from livemeter.instrumentation import flush, instrument, uninstrument

__version__ = "0.1.0"

__all__ = ["__version__", "flush", "instrument", "session", "uninstrument"]

_HOMES = {
    "flush": "livemeter.instrumentation",
    "instrument": "livemeter.instrumentation",
    "session": "livemeter.identity",
    "uninstrument": "livemeter.instrumentation",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib  # noqa: PLC0415 - only when a name is asked for

    return getattr(importlib.import_module(_HOMES[name]), name)
