"""Forgetting a person in a data directory that a running collector has: asked for over its socket.

The answer is a line of JSON a step: what is kept, how far the deletion is, and at its end that it is done or
what went wrong.
"""

import asyncio
import contextlib
import http.client
import json
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from livemeter_collector.forgetting import Kept, Progress, Step, forgetting, settled_by_collector
from livemeter_collector.store.contract import Store, StoreError

PATH = "/forget"

_TYPE = "application/jsonl"
_STOPPING = "the collector is stopping: forget again when it runs"


class ForgetEndpoint:
    """``POST /forget`` with ``{"user": "...", "dry_run": false}``; one at a time.

    200 with the steps; 409 while another deletion runs; 400 for another body; 500 with one line if nothing
    was begun.
    """

    def __init__(self, store: Store, data_dir: Path, stopping: asyncio.Event) -> None:
        self._store = store
        self._data_dir = data_dir
        self._stopping = stopping
        self._running = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if self._running.locked():
            answer: Response = PlainTextResponse(
                "somebody is being forgotten: try again when that is done\n", 409
            )
            await answer(scope, receive, send)
            return
        async with self._running:
            answer = await self._answer(await Request(scope, receive).body())
            await answer(scope, receive, send)

    async def _answer(self, body: bytes) -> Response:
        try:
            asked: dict[str, Any] = json.loads(body)
            user, dry_run = str(asked["user"]), bool(asked["dry_run"])
        except (ValueError, KeyError, TypeError):
            return PlainTextResponse("say whom, and whether it is a dry run\n", 400)
        steps = forgetting(self._store, self._data_dir, user, self._settle, dry_run=dry_run)
        try:
            first = await asyncio.to_thread(next, steps)
        except StoreError as error:
            return PlainTextResponse(f"{' '.join(str(error).split())}\n", 500)
        return StreamingResponse(self._lines(first, steps), media_type=_TYPE)

    def _settle(self) -> int:
        return settled_by_collector(self._data_dir, self._stopping.is_set)

    async def _lines(self, first: Step, steps: Generator[Step]) -> AsyncIterator[str]:
        yield _line(first)
        try:
            while not self._stopping.is_set():
                step = await asyncio.to_thread(next, steps, None)
                if step is None:
                    yield _line_of({"ended": True})
                    return
                yield _line(step)
            yield _line_of({"error": _STOPPING})
        except StoreError as error:
            yield _line_of({"error": " ".join(str(error).split())})


def ask_to_forget(collector: http.client.HTTPConnection, user: str, *, dry_run: bool) -> Generator[Step]:
    """Ask a running collector to forget, and close the connection in the end.

    Raises:
        StoreError: it cannot, or it ended before that was done.
    """
    with contextlib.closing(collector):
        try:
            collector.request("POST", PATH, json.dumps({"user": user, "dry_run": dry_run}))
            answer = collector.getresponse()
            if answer.status == 404:
                raise StoreError("the collector that runs is of an older version: restart it")
            if answer.status != 200:
                raise StoreError(answer.read().decode(errors="replace").strip())
            yield from _steps(answer)
        except (http.client.HTTPException, ConnectionError) as error:
            raise StoreError(_BROKEN) from error


_BROKEN = "the collector ended before it had forgotten everything: forget again when it runs"


def _steps(answer: http.client.HTTPResponse) -> Iterator[Step]:
    for line in answer:
        said: dict[str, Any] = json.loads(line)
        if "ended" in said:
            return
        if "error" in said:
            raise StoreError(str(said["error"]))
        yield Progress(**said["progress"]) if "progress" in said else Kept(**said["kept"])
    raise StoreError(_BROKEN)


def _line(step: Step) -> str:
    if isinstance(step, Kept):
        return _line_of({"kept": step.as_message()})
    return _line_of({"progress": {"done": step.done, "total": step.total}})


def _line_of(message: dict[str, Any]) -> str:
    return json.dumps(message) + "\n"
