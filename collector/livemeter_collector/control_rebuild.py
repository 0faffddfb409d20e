"""Making the roll-ups anew in a data directory that a running collector has: asked for over its socket.

The answer is a line of JSON a piece, and at its end what is remembered now or what went wrong.
"""

import asyncio
import contextlib
import http.client
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict, dataclass
from typing import Any

from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from livemeter_collector.store.check import state
from livemeter_collector.store.contract import Store, StoreError
from livemeter_collector.store.settle import rebuild

PATH = "/rebuild"

_TYPE = "application/jsonl"
_BROKEN = "the collector ended before everything was settled: it goes on with that when it runs"

Report = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What is remembered afterwards."""

    sessions: int
    turns: int


def rebuilt(store: Store, report: Report) -> Rebuilt:
    """Make the roll-ups anew; blocks. ``report`` is called with how many pieces are done, of how many.

    Raises:
        StoreError: what was not settled is computed when asked for.
    """
    rebuild(store, report=report)
    now = state(store)
    return Rebuilt(now.remembered_sessions, now.remembered_turns)


class RebuildEndpoint:
    """``POST /rebuild``; one at a time. 200 with the steps; 409 while another one runs."""

    def __init__(self, store: Store, stopping: asyncio.Event) -> None:
        self._store = store
        self._stopping = stopping
        self._running = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if self._running.locked():
            answer: Response = PlainTextResponse(
                "the roll-ups are being made anew: try again when that is done\n", 409
            )
            await answer(scope, receive, send)
            return
        async with self._running:
            await StreamingResponse(self._lines(), media_type=_TYPE)(scope, receive, send)

    async def _lines(self) -> AsyncIterator[str]:
        loop, steps = asyncio.get_running_loop(), asyncio.Queue[tuple[int, int] | None]()

        def report(done: int, of: int) -> None:
            if self._stopping.is_set():
                raise StoreError(_BROKEN)
            loop.call_soon_threadsafe(steps.put_nowait, (done, of))

        work = asyncio.ensure_future(asyncio.to_thread(rebuilt, self._store, report))
        work.add_done_callback(lambda _: steps.put_nowait(None))
        while (step := await steps.get()) is not None:
            yield _line({"progress": step})
        try:
            yield _line({"rebuilt": asdict(work.result())})
        except StoreError as error:
            yield _line({"error": " ".join(str(error).split())})


def ask_to_rebuild(collector: http.client.HTTPConnection, report: Report) -> Rebuilt:
    """Have a running collector make its roll-ups anew, and close the connection in the end.

    Raises:
        StoreError: it cannot, or it ended before that was done.
    """
    with contextlib.closing(collector):
        try:
            collector.request("POST", PATH)
            answer = collector.getresponse()
            if answer.status == 404:
                raise StoreError("the collector that runs is of an older version: restart it")
            if answer.status != 200:
                raise StoreError(answer.read().decode(errors="replace").strip())
            return _result(answer, report)
        except (http.client.HTTPException, ConnectionError) as error:
            raise StoreError(_BROKEN) from error


def _result(answer: http.client.HTTPResponse, report: Report) -> Rebuilt:
    for line in answer:
        said: dict[str, Any] = json.loads(line)
        if "error" in said:
            raise StoreError(str(said["error"]))
        if "rebuilt" in said:
            return Rebuilt(**said["rebuilt"])
        report(*said["progress"])
    raise StoreError(_BROKEN)


def _line(message: dict[str, Any]) -> str:
    return json.dumps(message) + "\n"
