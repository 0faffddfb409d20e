"""``/metrics``, ``/healthz`` and ``/readyz``: a thin shell around what the writer counts."""

import time
from collections.abc import Mapping
from typing import Protocol

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from livemeter import __version__
from livemeter_collector.ingest.counters import JournalState, SignalState
from livemeter_collector.store.contract import Signal
from livemeter_collector.telemetry.exposition import CONTENT_TYPE
from livemeter_collector.telemetry.exposition import render as render_families
from livemeter_collector.telemetry.health import reasons_not_ready
from livemeter_collector.telemetry.metrics import render
from livemeter_collector.telemetry.process import process_families


class Acceptor(Protocol):
    """Whoever takes requests and can say how it goes: the writer."""

    def state(self) -> Mapping[Signal, SignalState]:
        """Return each signal's counters."""
        ...

    def journal_state(self) -> JournalState:
        """Return the journal as a whole."""
        ...


def telemetry_routes(acceptor: Acceptor) -> list[Route]:
    """Return the routes, for an application that has others beside them."""
    endpoints = _Endpoints(acceptor)
    return [
        Route("/metrics", endpoints.metrics, methods=["GET"]),
        Route("/healthz", endpoints.alive, methods=["GET"]),
        Route("/readyz", endpoints.ready, methods=["GET"]),
    ]


def create_telemetry_app(acceptor: Acceptor) -> Starlette:
    """Build an application of these routes alone.

    ``GET /metrics`` is Prometheus' text format. ``GET /healthz`` answers 200 while the event loop turns.
    ``GET /readyz`` answers 200, or 503 with the reasons, a line each. With ``Accept: application/json`` the
    last two answer ``{"status": ..., "reasons": [...]}``.
    """
    return Starlette(routes=telemetry_routes(acceptor))


class _Endpoints:
    def __init__(self, acceptor: Acceptor) -> None:
        self._acceptor = acceptor
        self._started_at = time.time()

    async def metrics(self, _: Request) -> Response:
        ours = render(self._acceptor.state(), self._acceptor.journal_state(), self._started_at, __version__)
        return PlainTextResponse(
            ours + render_families(process_families()), headers={"Content-Type": CONTENT_TYPE}
        )

    async def alive(self, request: Request) -> Response:
        return _answer(request, 200, "alive", [])

    async def ready(self, request: Request) -> Response:
        reasons = reasons_not_ready(self._acceptor.state(), self._acceptor.journal_state())
        return _answer(request, 503, "not ready", reasons) if reasons else _answer(request, 200, "ready", [])


def _answer(request: Request, http_status: int, status: str, reasons: list[str]) -> Response:
    # Probes look at what is now, whatever stands between.
    headers = {"Cache-Control": "no-store"}
    if "application/json" in request.headers.get("accept", ""):
        return JSONResponse({"status": status, "reasons": reasons}, http_status, headers)
    return PlainTextResponse("".join(f"{line}\n" for line in reasons or [status]), http_status, headers)
