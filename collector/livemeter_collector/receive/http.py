"""OTLP over HTTP: three paths, protobuf and JSON, each answer in the form of its request.

A thin shell around ``door.take``: it reads a body, and turns the outcome into a status and a message.
"""

from collections.abc import Awaitable, Callable, Mapping

from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from livemeter_collector.access import Access, Doorkeeper, Refusal
from livemeter_collector.ingest.request import (
    RefusedError,
    RequestError,
    TooLargeError,
    UnsupportedTypeError,
)
from livemeter_collector.journal.dead_letters import RETRY_HEADER
from livemeter_collector.receive.decode import JSON, LIMIT_BYTES, PROTOBUF, media_type
from livemeter_collector.receive.door import Acceptor, take
from livemeter_collector.receive.room import HELD_BYTES, Room
from livemeter_collector.receive.rpc_status import Code, problem, status
from livemeter_collector.receive.schema import RESPONSES
from livemeter_collector.store.contract import Signal

Endpoint = Callable[[HttpRequest], Awaitable[Response]]
_NOBODY_ELSE = Access()


def create_otlp_app(
    acceptor: Acceptor,
    limit_bytes: int = LIMIT_BYTES,
    access: Access = _NOBODY_ELSE,
    held_bytes: int = HELD_BYTES,
) -> Starlette:
    """Build the application that answers ``POST /v1/logs``, ``/v1/traces`` and ``/v1/metrics``.

    Args:
        acceptor: where requests go.
        limit_bytes: bound on one request after decompression.
        access: what callers have to show, on every path but ``access.OPEN_PATHS``.
        held_bytes: bound on all bodies that are being read at one time.
    """
    room = Room(held_bytes)
    app = Starlette(
        routes=[
            Route(f"/v1/{signal}", _endpoint(acceptor, signal, limit_bytes, room), methods=["POST"])
            for signal in Signal
        ],
        middleware=[Middleware(Doorkeeper, access=access, answer=_turn_away)],
        exception_handlers={404: _not_found},
    )
    # A client that is redirected would send its telemetry twice; a wrong path is simply not found.
    app.router.redirect_slashes = False
    return app


def _endpoint(acceptor: Acceptor, signal: Signal, limit_bytes: int, room: Room) -> Endpoint:
    async def export(request: HttpRequest) -> Response:
        content_type = request.headers.get("content-type", "")
        try:
            body = await _read(request, limit_bytes, room)
            encoding = request.headers.get("content-encoding", "")
            again = request.headers.get(RETRY_HEADER) == "1"
            await take(acceptor, signal, content_type, encoding, body, limit_bytes, again=again)
        except ClientDisconnect:
            # Nobody reads this answer; without one the server would report an error that is none.
            return Response(status_code=400)
        except RequestError as error:
            return _refusal(error, content_type)
        return _message(RESPONSES[signal](), 200, content_type)

    return export


async def _read(request: HttpRequest, limit_bytes: int, room: Room) -> bytes:
    """Read a body; stops at the limits, so that neither one sender nor many can fill the memory."""
    pieces: list[bytes] = []
    size = 0
    try:
        async for piece in request.stream():
            if size + len(piece) > limit_bytes:
                raise TooLargeError(f"the request is over {limit_bytes} bytes: send smaller batches")
            room.take(len(piece))
            size += len(piece)
            pieces.append(piece)
        return b"".join(pieces)
    finally:
        room.give_back(size)


def _refusal(error: RequestError, content_type: str) -> Response:
    http_status = _http_status(error)
    if http_status == 415:
        return PlainTextResponse(f"{error}\n", http_status)
    if not _has_message(content_type):
        return PlainTextResponse(f"{error}\n", http_status)
    headers = {"Retry-After": str(error.retry_after_s)} if isinstance(error, RefusedError) else {}
    return _message(status(error), http_status, content_type, headers)


def _http_status(error: RequestError) -> int:
    if isinstance(error, RefusedError):
        # Never 429: exporters of the Python SDK before 1.45 take it for final and lose the batch.
        return 503
    if isinstance(error, TooLargeError):
        return 413
    return 415 if isinstance(error, UnsupportedTypeError) else 400


def _turn_away(refusal: Refusal, request: HttpRequest) -> Response:
    if refusal is Refusal.ANOTHER_HOST:
        return _problem(request, 421, Code.PERMISSION_DENIED, refusal.value)
    challenge = {"WWW-Authenticate": 'Bearer realm="livemeter"'}
    return _problem(request, 401, Code.UNAUTHENTICATED, refusal.value, challenge)


def _not_found(request: HttpRequest, _: Exception) -> Response:
    paths = ", ".join(f"/v1/{signal}" for signal in Signal)
    return _problem(request, 404, Code.NOT_FOUND, f"nothing is here: OTLP is taken at {paths}")


def _problem(
    request: HttpRequest, http_status: int, code: Code, text: str, headers: Mapping[str, str] | None = None
) -> Response:
    """Answer in the form of the request, and in plain text to who speaks no OTLP."""
    content_type = request.headers.get("content-type", "")
    if not _has_message(content_type):
        return PlainTextResponse(f"{text}\n", http_status, headers)
    return _message(problem(code, text), http_status, content_type, headers)


def _has_message(content_type: str) -> bool:
    return media_type(content_type) in {PROTOBUF, JSON}


def _message(
    message: Message, http_status: int, content_type: str, headers: Mapping[str, str] | None = None
) -> Response:
    if media_type(content_type) == JSON:
        body = MessageToJson(message, indent=None).encode()
        return Response(body, http_status, headers, media_type=JSON)
    return Response(message.SerializeToString(), http_status, headers, media_type=PROTOBUF)
