"""ClickHouse's answers over HTTP: headers, chunks, and its way of saying what went wrong. Knows no store."""

import re
import secrets
import uuid
from collections.abc import Callable, Coroutine
from typing import Any

from starlette.responses import PlainTextResponse, Response
from starlette.types import Send

from livemeter_collector.query.formats import content_type
from livemeter_collector.query.http_status import status_of
from livemeter_collector.store.contract import StoreError

_MOST_EXCEPTION_BYTES = 16 * 1024
_PLAIN_ID = re.compile(r"[A-Za-z0-9_.:-]{1,100}")
_UNKNOWN_EXCEPTION = 1002


class Reply:
    """One HTTP response, begun only when there is something to answer."""

    def __init__(self, send: Send, query_id: str | None) -> None:
        self._send = send
        self._query_id = query_id if query_id and _PLAIN_ID.fullmatch(query_id) else str(uuid.uuid4())
        self._exception_tag = secrets.token_hex(8)
        self.begun = False
        """Whether the client has seen a status; then it is too late for another."""

    async def send_all(
        self, output_format: str, next_chunk: Callable[[], Coroutine[Any, Any, bytes | None]]
    ) -> None:
        """Send chunk after chunk; a failure before the first is raised, a later one written into the body."""
        chunk = await next_chunk()
        await self._begin(output_format)
        try:
            while chunk is not None:
                await self._body(chunk, more=True)
                chunk = await next_chunk()
        except StoreError as error:
            await self._body(self._exception(error), more=False)
        else:
            await self._body(b"", more=False)

    async def _begin(self, output_format: str) -> None:
        headers = {
            "content-type": content_type(output_format),
            "x-clickhouse-format": output_format,
            "x-clickhouse-query-id": self._query_id,
            "x-clickhouse-timezone": "UTC",
            "x-clickhouse-exception-tag": self._exception_tag,
        }
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        self.begun = True
        await self._send({"type": "http.response.start", "status": 200, "headers": raw})

    async def _body(self, data: bytes, *, more: bool) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": more})

    def _exception(self, error: StoreError) -> bytes:
        """Return the block that ClickHouse ends a broken answer with; clients look for the tag."""
        mark, tag = "\r\n__exception__\r\n", self._exception_tag
        message = message_of(error).encode()[:_MOST_EXCEPTION_BYTES]
        return b"".join((f"{mark}{tag}\r\n".encode(), message, f"\n{len(message)} {tag}{mark}".encode()))


def error_response(error: StoreError) -> Response:
    """Return the whole answer for a query that brought nothing."""
    headers = {"X-ClickHouse-Exception-Code": str(_code(error))}
    return PlainTextResponse(f"{message_of(error)}\n", status_of(error), headers)


def message_of(error: StoreError) -> str:
    """Return the error as ClickHouse writes it; clients read the code from it."""
    return f"Code: {_code(error)}. DB::Exception: {error}"


def _code(error: StoreError) -> int:
    return _UNKNOWN_EXCEPTION if error.code is None else error.code
