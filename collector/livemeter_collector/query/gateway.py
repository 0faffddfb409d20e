"""The reading part of ClickHouse's HTTP interface, in front of a store: curl, clickhouse-connect, Grafana.

A thin shell: it reads the request, waits for a place at the gate, moves the store's chunks from a thread to
the socket, and gives the place back when the answer, the time or the client has ended. What may be read at
all is the store's decision.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from livemeter_collector.access import (
    OPEN_PATHS,
    Access,
    Doorkeeper,
    Refusal,
    basic_password,
    bearer_tokens,
)
from livemeter_collector.query.formats import may_have_clause, split_plain_clause, split_written_clause
from livemeter_collector.query.gate import Gate, GateFullError
from livemeter_collector.query.reply import Reply, error_response
from livemeter_collector.query.sql_request import QueryLimits, SqlRequest, read_request
from livemeter_collector.store.contract import ByteStream, Store, StoreError, StoreUnavailableError

READERS = 2
"""Queries that run at once."""
WAITING = 64
"""Queries that wait for a place; more are turned away."""
MOST_QUERY_BYTES = 1024 * 1024

_SENDING_S = 30.0
"""For a client to take what the query found, beyond the time that the query may take."""
_AUTHENTICATION_FAILED = 516
_REQUIRED_PASSWORD = 194
_QUERY_IS_TOO_LARGE = 229
_TIMEOUT_EXCEEDED = 159
_TOO_MANY_SIMULTANEOUS_QUERIES = 202

_Result = TypeVar("_Result")


_NOBODY_ELSE = Access()


def create_sql_app(
    store: Store, limits: QueryLimits | None = None, readers: int = READERS, access: Access = _NOBODY_ELSE
) -> Starlette:
    """Return an ASGI app that answers SELECT and its kin from the store.

    ``GET /ping`` and a ``GET /`` without a query answer ``Ok.``. Formats, error codes and their HTTP status
    are ClickHouse's. A token is a password, whoever the user says to be; without one, whoever reaches this
    app from the same machine may read.
    """
    endpoint = _SqlEndpoint(store, limits or QueryLimits(), readers)
    doorkeeper = Middleware(
        Doorkeeper, access=access, answer=_turn_away, tokens=_passwords, open_paths=OPEN_PATHS | {"/ping"}
    )
    return Starlette(
        routes=[Route("/ping", _ok), Route("/", endpoint, methods=["GET", "POST"])], middleware=[doorkeeper]
    )


def _passwords(request: Request) -> Iterator[str]:
    """Find passwords where ClickHouse's clients put them."""
    yield from bearer_tokens(request)
    yield from map(basic_password, request.headers.getlist("authorization"))
    yield from request.headers.getlist("x-clickhouse-key")
    yield from request.query_params.getlist("password")


def _turn_away(refusal: Refusal, _: Request) -> Response:
    """Answer as ClickHouse does: 401 to who showed nothing, 403 to who showed something wrong."""
    if refusal is Refusal.ANOTHER_HOST:
        return PlainTextResponse(f"{refusal.value}\n", 421)
    if refusal is Refusal.WRONG_TOKEN:
        return _unknown(
            "the password is not the collector's token (AUTHENTICATION_FAILED)", _AUTHENTICATION_FAILED, 403
        )
    response = _unknown(
        "the collector's token is required as password: livemeter's commands take it from LIVEMETER_TOKEN"
        " (REQUIRED_PASSWORD)",
        _REQUIRED_PASSWORD,
        401,
    )
    response.headers["WWW-Authenticate"] = 'Basic realm="livemeter", Bearer realm="livemeter"'
    return response


def _unknown(text: str, code: int, http_status: int) -> Response:
    response = error_response(StoreError(text, code))
    response.status_code = http_status
    return response


async def _ok(_: Request) -> Response:
    return PlainTextResponse("Ok.\n")


class _SqlEndpoint:
    """An ASGI app with the gate and the threads that its queries share."""

    def __init__(self, store: Store, limits: QueryLimits, readers: int) -> None:
        self._store = store
        self._limits = limits
        self._gate = Gate(readers, WAITING)
        # Beside a thread for each reader one to end its query, while the first is stuck in it.
        self._threads = ThreadPoolExecutor(2 * readers, thread_name_prefix="livemeter-sql")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        if request.method != "POST" and "query" not in request.query_params:
            await PlainTextResponse("Ok.\n")(scope, receive, send)
            return
        try:
            asked = read_request(request.query_params, request.headers, await _body(request))
            settings = self._limits.settings(asked.asked_limits)
            await _until_client_leaves(receive, self._answer(asked, settings, send))
        except StoreError as error:
            await error_response(error)(scope, receive, send)
        except ClientDisconnect:
            return

    async def _answer(self, asked: SqlRequest, settings: dict[str, str], send: Send) -> None:
        """Send the answer; raises StoreError while nothing was sent yet."""
        reply = Reply(send, asked.query_id)
        timeout_s = float(settings.get("max_execution_time", "inf")) + _SENDING_S
        try:
            async with asyncio.timeout(timeout_s), self._gate.place():
                sql, output_format = await _in_thread(self._threads, self._without_format, asked)
                chosen = {"database": asked.database, "log_comment": asked.log_comment}
                settings |= {name: value for name, value in chosen.items() if value}
                stream = self._store.stream(sql, output_format, asked.parameters, settings)
                async with _closing(self._threads, stream):
                    await reply.send_all(output_format, lambda: _in_thread(self._threads, _next, stream))
        except GateFullError as error:
            message = "Too many simultaneous queries: try again (TOO_MANY_SIMULTANEOUS_QUERIES)"
            raise StoreUnavailableError(message, _TOO_MANY_SIMULTANEOUS_QUERIES) from error
        except TimeoutError as error:
            # Once begun, an answer that stays unfinished says the same.
            if not reply.begun:
                raise StoreError("Timeout exceeded (TIMEOUT_EXCEEDED)", _TIMEOUT_EXCEEDED) from error

    def _without_format(self, asked: SqlRequest) -> tuple[str, str]:
        """Take the FORMAT clause off the statement, because the store wants to know it apart."""
        if not may_have_clause(asked.sql):
            return asked.sql, asked.default_format
        if plain := split_plain_clause(asked.sql):
            return plain
        try:
            answer = self._store.query("SELECT formatQuerySingleLine({sql:String})", {"sql": asked.sql})
        except StoreError:
            # Nothing the engine can parse; it will say so when it is asked.
            return asked.sql, asked.default_format
        sql, output_format = split_written_clause(str(answer.rows[0][0]))
        return sql, output_format or asked.default_format


async def _until_client_leaves(receive: Receive, answer: Coroutine[Any, Any, None]) -> None:
    """Run the answer, and cancel it when the client hangs up."""
    work = asyncio.ensure_future(answer)
    gone = asyncio.ensure_future(_disconnected(receive))
    try:
        await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            work.result()
    finally:
        gone.cancel()
        work.cancel()
        # The place at the gate is free when the query has ended, not before.
        await asyncio.wait({work})


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _body(request: Request) -> bytes:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_QUERY_BYTES:
            raise StoreError(f"the statement is longer than {MOST_QUERY_BYTES} bytes", _QUERY_IS_TOO_LARGE)
    return body


async def _in_thread(threads: Executor, function: Callable[..., _Result], *arguments: object) -> _Result:
    future = asyncio.get_running_loop().run_in_executor(threads, lambda: function(*arguments))
    # Whoever stops waiting leaves the thread to its work; how that ended interests nobody then.
    future.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
    return await asyncio.shield(future)


@asynccontextmanager
async def _closing(threads: Executor, stream: ByteStream) -> AsyncGenerator[None]:
    try:
        yield
    finally:
        await _in_thread(threads, stream.close)


def _next(stream: ByteStream) -> bytes | None:
    return next(stream, None)
