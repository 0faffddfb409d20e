"""Which agent framework opened a connection: looked up where it is, in the stack and among loaded modules.

Nothing is imported. A table names the frameworks, because what a framework is cannot be seen from outside.
"""

import importlib.metadata
import inspect
import sys
from dataclasses import dataclass
from functools import lru_cache

MAX_FRAMES = 100
"""Frames of the stack that are looked at, from the dial outwards. Tasks are shallow: 10 to 40 are usual."""


@dataclass(frozen=True, slots=True)
class Framework:
    """A framework as its package index calls it. ``version`` is empty when no distribution says it."""

    name: str
    version: str


@dataclass(frozen=True, slots=True)
class _Known:
    """One row of the table.

    ``package`` holds the code that is found in the stack. ``live`` are the modules that dial Gemini Live: a
    framework that is loaded without them may be there for something else. ``distribution`` has the version.
    """

    name: str
    package: str
    live: tuple[str, ...] = ()
    distribution: str = ""


_KNOWN = (
    _Known("ag2", "ag2", ("ag2.live.gemini",)),
    _Known("genai-processors", "genai_processors", ("genai_processors.core.live_model",)),
    _Known("google-adk", "google.adk", ("google.adk.models.google_llm", "google.adk.live._gemini_stt")),
    _Known("langchain", "langchain"),
    _Known("langgraph", "langgraph"),
    _Known(
        "livekit-plugins-google",
        "livekit.plugins.google",
        ("livekit.plugins.google.realtime.realtime_api",),
    ),
    _Known(
        "pipecat-ai",
        "pipecat",
        ("pipecat.services.google.gemini_live.llm", "pipecat.services.google.gemini_live.stt"),
    ),
    # The full distribution is a shell around the slim one, which alone may be installed.
    _Known("pydantic-ai", "pydantic_ai", ("pydantic_ai.realtime.google",), "pydantic-ai-slim"),
    _Known("strands-agents", "strands", ("strands.bidi.models.google",)),
    _Known("videosdk-plugins-google", "videosdk.plugins.google", ("videosdk.plugins.google.live_api",)),
    _Known("vision-agents", "vision_agents", ("vision_agents.plugins.gemini.gemini_realtime",)),
)
_BY_ROOT = {row.package.partition(".")[0]: row for row in _KNOWN}


def framework_in_play() -> Framework | None:
    """Return the framework that is dialling now; None when there is none, or more than one could be.

    The innermost one in the stack, because that is the one that dials. A framework that dials in a task of
    its own is not in that task's stack: then the only one whose Live modules are loaded, if there is one.
    """
    row = _in_stack() or _only_one_loaded()
    return Framework(row.name, _version(row.distribution or row.name)) if row is not None else None


def _in_stack() -> _Known | None:
    frame = inspect.currentframe()
    for _ in range(MAX_FRAMES):
        if frame is None:
            return None
        row = _of_module(frame.f_globals.get("__name__", ""))
        if row is not None:
            return row
        frame = frame.f_back
    return None


def _of_module(module: str) -> _Known | None:
    row = _BY_ROOT.get(module.partition(".")[0])
    return row if row is not None and f"{module}.".startswith(f"{row.package}.") else None


def _only_one_loaded() -> _Known | None:
    loaded = [row for row in _KNOWN if any(module in sys.modules for module in row.live)]
    return loaded[0] if len(loaded) == 1 else None


@lru_cache(maxsize=len(_KNOWN))
def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ""
