"""``POST /prices``, for the collector's own user: load the prices anew, and say what changed.

The answer is JSON with ``file``, ``rows``, ``added``, ``changed`` and ``removed``, money as strings. 422 with
one line when the user's file cannot be used, 503 when the store cannot.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import fields

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from livemeter.accounts.price_file import PriceFileError
from livemeter.accounts.rates import Price
from livemeter_collector.prices.load import Loaded
from livemeter_collector.prices.refresh import PriceBook
from livemeter_collector.store.contract import StoreError

PATH = "/prices"


def price_routes(book: PriceBook) -> list[Route]:
    """Return the route that loads the book's prices anew."""

    async def load(_: Request) -> Response:
        try:
            loaded = await asyncio.to_thread(book.load)
        except PriceFileError as error:
            return PlainTextResponse(f"{error}\n", 422)
        except StoreError as error:
            return PlainTextResponse(f"{' '.join(str(error).split())}\n", 503)
        return JSONResponse(answer_of(book, loaded))

    return [Route(PATH, load, methods=["POST"])]


def answer_of(book: PriceBook, loaded: Loaded) -> Mapping[str, object]:
    """Return what was loaded as JSON has it: rows as ``model_prices``, those that changed with ``before``."""
    return {
        "file": str(book.file) if book.file else None,
        "rows": loaded.rows,
        "added": [_plain(row) for row in loaded.added],
        "changed": [{**_plain(row), "before": _plain(before)} for before, row in loaded.changed],
        "removed": [_plain(row) for row in loaded.removed],
    }


def _plain(row: Price) -> dict[str, object]:
    values = {each.name: getattr(row, each.name) for each in fields(row)}
    times = {name: f"{values[name]:%Y-%m-%dT%H:%M:%SZ}" for name in ("valid_from", "valid_to")}
    return {**values, **times, "usd_per_mtok": _digits(f"{row.usd_per_mtok:f}")}


def _digits(number: str) -> str:
    return number.rstrip("0").rstrip(".") if "." in number else number
