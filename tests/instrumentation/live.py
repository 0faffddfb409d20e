"""Real google-genai sessions against the fake Live server, for tests of what leaves the process."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from google.genai import Client, types

from livemeter.testing import FakeLiveServer

MODEL = "gemini-3.8-live"


@asynccontextmanager
async def client_of(
    server: FakeLiveServer, *, api_key: str = "any", api_version: str = "v1beta"
) -> AsyncGenerator[Client]:
    """A client of the Developer API, closed in the end so that no socket outlives its test."""
    options: Any = {"base_url": server.url, "async_client_args": {"ssl": server.ssl_context()}}
    client = Client(api_key=api_key, http_options=types.HttpOptions(api_version=api_version, **options))
    try:
        yield client
    finally:
        await client.aio.aclose()
        client.close()


async def ask(session: Any, text: str) -> list[types.LiveServerMessage]:
    """Say something and return what came until the turn was complete."""
    content = types.Content(role="user", parts=[types.Part(text=text)])
    await session.send_client_content(turns=content, turn_complete=True)
    return [message async for message in session.receive()]
