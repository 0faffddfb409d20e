"""A store behind HTTP: against the collector's own endpoint, and against one that writes as a server does."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import chdb
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from livemeter_collector.query.gateway import create_sql_app
from livemeter_collector.store.contract import PoisonError, Signal, Store, StoreError, StoreUnavailableError
from livemeter_collector.store.insert import INSERT_SETTINGS
from livemeter_collector.store.open import ENGINE_DIRECTORY, open_server
from tests.collector.otlp_messages import logs_request
from tests.collector.serving import serving


class WritableServer:
    """The writing half of ClickHouse's HTTP interface, as far as inserts go, over the engine of this process."""

    def __init__(self, store: Store, engine: Path) -> None:
        self._reading = create_sql_app(store).routes
        self._engine = str(engine)
        self.answer_next: Response | None = None
        self.inserts: list[dict[str, str]] = []
        self.app = Starlette(routes=[Route("/", self.post, methods=["POST"]), *self._reading])

    async def post(self, request: Request) -> Response:
        body = await request.body()
        if not body.startswith(b"INSERT") and not body.startswith(b"CREATE"):
            return await self._read(request)
        if self.answer_next is not None:
            answer, self.answer_next = self.answer_next, None
            return answer
        head, _, data = body.partition(b"\n")
        settings = dict(request.query_params)
        self.inserts.append(settings)
        connection = chdb.connect(self._engine)
        try:
            self._insert(connection, head.decode(), data, settings)
        except RuntimeError as error:
            text = str(error).partition("failed: ")[2]
            return PlainTextResponse(text, 400, {"X-ClickHouse-Exception-Code": text.split()[1].rstrip(".")})
        finally:
            connection.close()
        return PlainTextResponse("")

    def _insert(self, connection: object, head: str, data: bytes, settings: dict[str, str]) -> None:
        statement, _, output_format = head.rpartition(" FORMAT ")
        transport = {"database", "query_id", "session_id", "wait_end_of_query", "query"}
        assigned = ", ".join(
            "{} = '{}'".format(name, value.replace("\\", "\\\\").replace("'", "\\'"))
            for name, value in settings.items()
            if name not in transport
        )
        insert = connection.send_insert(f"{statement} SETTINGS {assigned}", output_format)  # type: ignore[attr-defined]
        with insert:
            insert.append(data)
            insert.finish()

    async def _read(self, request: Request) -> Response:
        chunks: list[bytes] = []
        started: dict[str, object] = {}

        async def send(message: dict[str, object]) -> None:
            if message["type"] == "http.response.start":
                started.update(message)
            else:
                chunks.append(bytes(message["body"]))  # type: ignore[arg-type]

        async def receive() -> dict[str, object]:
            return {"type": "http.request", "body": await request.body(), "more_body": False}

        endpoint = next(route for route in self._reading if getattr(route, "path", "") == "/")
        await endpoint.handle(request.scope, receive, send)  # type: ignore[arg-type]
        headers = {name.decode(): value.decode() for name, value in started["headers"]}  # type: ignore[attr-defined]
        return Response(b"".join(chunks), int(str(started["status"])), headers)
