"""Frameworks, told by stacks and loaded modules: small packages with the names of the real ones, on disk."""

import asyncio
import importlib
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from livemeter.hooks import framework
from livemeter.hooks.framework import MAX_FRAMES, Framework, framework_in_play

DIALS = """
import asyncio

def call(function):
    return function()

async def dial(connect):
    return await connect()

async def dial_in_a_task(connect):
    return await asyncio.create_task(connect())
"""
LIVE_MODULES = {
    "ag2": ("ag2.live.gemini", "ag2", "1.2.1"),
    "genai-processors": ("genai_processors.core.live_model", "genai_processors", "2.0.3"),
    "google-adk": ("google.adk.models.google_llm", "google_adk", "2.13.0"),
    "livekit-plugins-google": (
        "livekit.plugins.google.realtime.realtime_api",
        "livekit_plugins_google",
        "1.8.9",
    ),
    "pipecat-ai": ("pipecat.services.google.gemini_live.llm", "pipecat_ai", "1.14.0"),
    "pydantic-ai": ("pydantic_ai.realtime.google", "pydantic_ai_slim", "2.62.0"),
    "strands-agents": ("strands.bidi.models.google", "strands_agents", "1.62.0"),
    "videosdk-plugins-google": ("videosdk.plugins.google.live_api", "videosdk_plugins_google", "1.0.30"),
    "vision-agents": ("vision_agents.plugins.gemini.gemini_realtime", "vision_agents", "0.6.9"),
}

Install = Callable[..., Any]


async def connect() -> Framework | None:
    """Stand where the hook stands when a connection is dialled."""
    return framework_in_play()


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Put a module with a distribution on the path, and import it."""
    before = set(sys.modules)
    framework._version.cache_clear()
    monkeypatch.syspath_prepend(tmp_path)

    def install(module: str, distribution: str = "", version: str = "") -> Any:
        path = tmp_path.joinpath(*module.split(".")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(DIALS)
        if distribution:
            info = tmp_path / f"{distribution}-{version}.dist-info"
            info.mkdir()
            (info / "METADATA").write_text(
                f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n"
            )
        importlib.invalidate_caches()
        return importlib.import_module(module)

    yield install
    for name in set(sys.modules) - before:
        del sys.modules[name]
    framework._version.cache_clear()


@pytest.mark.parametrize("name", LIVE_MODULES)
async def test_a_framework_is_seen_in_the_stack_of_its_dial(name: str, install: Install) -> None:
    module = install(*LIVE_MODULES[name])
    # Others that are loaded as well are not asked.
    for other in ("ag2", "pipecat-ai", "google-adk"):
        if other != name:
            install(LIVE_MODULES[other][0])

    assert await module.dial(connect) == Framework(name, LIVE_MODULES[name][2])


@pytest.mark.parametrize("name", LIVE_MODULES)
async def test_a_framework_that_dials_in_a_bare_task_is_known_by_being_the_only_one(
    name: str, install: Install
) -> None:
    module = install(*LIVE_MODULES[name])

    assert await module.dial_in_a_task(connect) == Framework(name, LIVE_MODULES[name][2])


async def test_two_that_are_loaded_and_none_in_the_stack_is_not_known(install: Install) -> None:
    module = install(*LIVE_MODULES["ag2"])
    install(*LIVE_MODULES["pipecat-ai"])

    assert await module.dial_in_a_task(connect) is None


async def test_a_framework_that_is_loaded_without_its_live_part_is_not_in_play(install: Install) -> None:
    install("pydantic_ai.agent", "pydantic_ai_slim", "2.62.0")
    install("langchain.agents", "langchain", "1.0")

    assert await connect() is None


async def test_the_innermost_framework_is_the_one_that_dials(install: Install) -> None:
    inner, outer = install(*LIVE_MODULES["google-adk"]), install("langchain.agents", "langchain", "1.0")

    async def through_the_inner() -> Any:
        return await inner.dial(connect)

    assert await outer.dial(through_the_inner) == Framework("google-adk", "2.13.0")
    assert await outer.dial(connect) == Framework("langchain", "1.0")


async def test_a_name_that_only_begins_alike_is_another_package(install: Install) -> None:
    for name in ("pipecat_clone.dialler", "google.adk_clone.dialler", "livekit.plugins.other"):
        assert await install(name).dial(connect) is None


async def test_a_framework_without_a_distribution_has_no_version(install: Install) -> None:
    assert await install("strands.bidi.models.google").dial(connect) == Framework("strands-agents", "")


async def test_without_a_framework_there_is_none() -> None:
    assert await connect() is None
    assert await asyncio.create_task(connect()) is None


def test_a_deep_stack_is_not_searched_without_end(install: Install) -> None:
    module = install("langchain.agents", "langchain", "1.0")

    def at_depth(frames: int) -> Framework | None:
        return at_depth(frames - 1) if frames else framework_in_play()

    assert module.call(lambda: at_depth(10)) == Framework("langchain", "1.0")
    assert module.call(lambda: at_depth(MAX_FRAMES)) is None


async def test_nothing_is_imported() -> None:
    before = set(sys.modules)
    waiting: Awaitable[Framework | None] = connect()
    await waiting

    assert set(sys.modules) == before
