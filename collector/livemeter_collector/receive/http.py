"""OTLP over HTTP: three paths, protobuf and JSON, each answer in the form of its request.

A thin shell around ``door.take``: it reads a body, and turns the outcome into a status and a message.
"""

from collections.abc import Awaitable, Callable, Mapping

from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from livemeter_collector.ingest.request import (
    RefusedError,
    RequestError,
    TooLargeError,
    UnsupportedTypeError,
)
from livemeter_collector.ingest.writer import Writer
from livemeter_collector.receive.decode import JSON, LIMIT_BYTES, PROTOBUF, media_type
from livemeter_collector.receive.door import take
from livemeter_collector.receive.rpc_status import status
from livemeter_collector.receive.schema import RESPONSES
from livemeter_collector.store.contract import Signal

Endpoint = Callable[[HttpRequest], Awaitable[Response]]


def create_otlp_app(writer: Writer, limit_bytes: int = LIMIT_BYTES) -> Starlette:
    """Build the application that answers ``POST /v1/logs``, ``/v1/traces`` and ``/v1/metrics``."""
    app = Starlette(
        routes=[
            Route(f"/v1/{signal}", _endpoint(writer, signal, limit_bytes), methods=["POST"])
            for signal in Signal
        ]
    )
    # A client that is redirected would send its telemetry twice; a wrong path is simply not found.
    app.router.redirect_slashes = False
    return app


def _endpoint(writer: Writer, signal: Signal, limit_bytes: int) -> Endpoint:
    async def export(request: HttpRequest) -> Response:
        content_type = request.headers.get("content-type", "")
        try:
            body = await _read(request, limit_bytes)
            encoding = request.headers.get("content-encoding", "")
            await take(writer, signal, content_type, encoding, body, limit_bytes)
        except ClientDisconnect:
            # Nobody reads this answer; without one the server would report an error that is none.
            return Response(status_code=400)
        except RequestError as error:
            return _refusal(error, content_type)
        return _message(RESPONSES[signal](), 200, content_type)

    return export


async def _read(request: HttpRequest, limit_bytes: int) -> bytes:
    """Read a body; stops at the limit, so that a sender cannot fill the memory."""
    pieces: list[bytes] = []
    size = 0
    async for piece in request.stream():
        size += len(piece)
        if size > limit_bytes:
            raise TooLargeError(f"the request is over {limit_bytes} bytes: send smaller batches")
        pieces.append(piece)
    return b"".join(pieces)


def _refusal(error: RequestError, content_type: str) -> Response:
    http_status = _http_status(error)
    if media_type(content_type) not in {PROTOBUF, JSON}:
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


def _message(
    message: Message, http_status: int, content_type: str, headers: Mapping[str, str] | None = None
) -> Response:
    if media_type(content_type) == JSON:
        body = MessageToJson(message, indent=None).encode()
        return Response(body, http_status, headers, media_type=JSON)
    return Response(message.SerializeToString(), http_status, headers, media_type=PROTOBUF)
