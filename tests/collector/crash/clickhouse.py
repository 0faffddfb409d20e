"""ClickHouse's HTTP interface, reading and writing, in front of an engine in a process of its own.

Stands for a server where none is installed: queries are answered by the collector's own endpoint,
statements run on the engine, and inserts of OTLP with the settings and the schema that came with them. Prints
its port as JSON when it is ready; runs until it is killed.
"""

import json
import re
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import chdb
import uvicorn
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Message, Receive, Scope, Send

from livemeter_collector.query.gateway import create_sql_app
from livemeter_collector.store.contract import EscapedText, StoreError
from livemeter_collector.store.embedded import EmbeddedStore

WRITES = re.compile(rb"(?:\s|--[^\n]*\n)*(?:ALTER|CREATE|DROP|INSERT|SYSTEM|TRUNCATE)\b", re.IGNORECASE)
_connect = cast("Callable[[str], Any]", chdb.connect)  # pyright: ignore[reportUnknownMemberType]
TRANSPORT = {"database", "query_id", "session_id", "wait_end_of_query", "query"}


class Server:
    """An ASGI app on an engine that nobody else uses."""

    def __init__(self, engine: Path, schemas: Path) -> None:
        self._engine = engine
        self._store = EmbeddedStore(engine)
        self._reading = create_sql_app(self._store)
        self._schemas = schemas

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        body = await request.body()
        url = dict(request.query_params)
        statement = url.get("query", "").encode() or body
        if WRITES.match(statement):
            answer = await run_in_threadpool(self._write, url, body)
            await answer(scope, receive, send)
            return
        if b"FROM system.settings" in body:
            # To a reader every setting is fixed; to whoever may write, none is.
            body = body.replace(b"readonly", b"toUInt8(0) AS readonly")
        messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def again() -> Message:
            return messages.pop() if messages else await receive()

        await self._reading(scope, again, send)

    def _write(self, url: Mapping[str, str], body: bytes) -> Response:
        try:
            if b"FORMAT ProtobufSingle\n" in body[:1000]:
                self._insert(url, body)
            else:
                parameters = {
                    name.removeprefix("param_"): EscapedText(value)
                    for name, value in url.items()
                    if name.startswith("param_")
                }
                self._store.command(url.get("query") or body.decode(), parameters)
        except StoreError as error:
            return failed(str(error), error.code or 0)
        except RuntimeError as error:
            text = str(error).partition("failed: ")[2] or str(error)
            return failed(text, int(text.split()[1].rstrip(".")))
        return PlainTextResponse("")

    def _insert(self, url: Mapping[str, str], body: bytes) -> None:
        head, _, data = body.partition(b"\n")
        statement, _, output_format = head.decode().rpartition(" FORMAT ")
        settings = self._with_schema_file({k: v for k, v in url.items() if k not in TRANSPORT})
        assigned = ", ".join(f"{name} = {quoted(value)}" for name, value in settings.items())
        connection = _connect(str(self._engine))
        try:
            with connection.send_insert(f"{statement} SETTINGS {assigned}", output_format) as insert:
                insert.append(data)
                insert.finish()
        finally:
            connection.close()

    def _with_schema_file(self, settings: dict[str, str]) -> dict[str, str]:
        assert settings.pop("format_schema_source") == "string"
        message = settings.pop("format_schema_message_name")
        schema = self._schemas / f"{message}.proto"
        if not schema.exists():
            schema.write_text(settings["format_schema"])
        return settings | {"format_schema": f"{schema}:{message}"}


def quoted(value: str) -> str:
    """Write a text as SQL."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def failed(text: str, code: int) -> Response:
    """Answer as a server does to a statement that failed."""
    return PlainTextResponse(
        f"Code: {code}. DB::Exception: {text}", 500, {"X-ClickHouse-Exception-Code": str(code)}
    )


def main() -> None:
    """Serve an engine's directory on a free port."""
    with tempfile.TemporaryDirectory() as schemas:
        server = Server(Path(sys.argv[1]), Path(schemas))
        config = uvicorn.Config(server, port=0, log_config=None, lifespan="off", ws="none")
        listener = config.bind_socket()
        listener.listen()
        sys.stdout.write(json.dumps({"port": listener.getsockname()[1]}) + "\n")
        sys.stdout.flush()
        uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
