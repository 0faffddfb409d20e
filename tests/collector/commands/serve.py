"""A collector in a process of its own, over a store whose prices and sessions are the tests' and no others.

Run as ``python -m tests.collector.commands.serve DIR [seeded]``; it says "ready" and ends with its stdin.
"""

import asyncio
import sys
from pathlib import Path

from livemeter_collector.servers import Addresses
from livemeter_collector.service import Service, Settings
from livemeter_collector.store.contract import Store
from livemeter_collector.store.migrate import migrate
from livemeter_collector.store.open import open_embedded
from tests.collector.commands.seed import seed


def open_seeded(settings: Settings) -> Store:
    """Open the store without loading the published prices, which change with every release of theirs."""
    store = open_embedded(settings.data_dir)
    migrate(store)
    if "seeded" in sys.argv:
        seed(store)
    return store


def say_ready(_: Addresses) -> None:
    sys.stdout.write("ready\n")
    sys.stdout.flush()


async def serve(data_dir: Path) -> None:
    until = asyncio.Event()
    # Published prices would take the place of the tests' own.
    never_s = 86_400.0
    settings = Settings(
        data_dir=data_dir, otlp_grpc_port=0, otlp_http_port=0, sql_port=0, prices_every_s=never_s
    )
    service = asyncio.create_task(Service(settings, open_seeded).run(until, say_ready))
    await asyncio.to_thread(sys.stdin.read)
    until.set()
    await service


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
