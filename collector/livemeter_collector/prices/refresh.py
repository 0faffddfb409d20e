"""Pricing models as they turn up: a name that was not known at the start need not wait for the next one."""

import asyncio
from typing import NoReturn

from livemeter_collector.prices.load import load_prices
from livemeter_collector.store.contract import Store, StoreError

INTERVAL_S = 60.0
"""A look costs one SELECT; prices are written only when there is something new."""


async def keep_priced(store: Store, interval_s: float = INTERVAL_S) -> NoReturn:
    """Load prices again and again, until cancelled. A store that is away now is asked again later."""
    while True:
        await asyncio.sleep(interval_s)
        try:
            await asyncio.to_thread(load_prices, store)
        except StoreError:
            continue
