"""A collector in a process of its own, as ``livemeter up`` runs it, with limits that no command line sets.

Reads its options as JSON from the command line, prints its addresses as one line of JSON when it is ready,
and stops in order on SIGTERM. Exits 0 when everything ended in order, 1 when something was left behind.
"""

import asyncio
import json
import os
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from livemeter_collector.journal.journal import Limits
from livemeter_collector.servers import Addresses
from livemeter_collector.service import Service, Settings


def settings_of(options: dict[str, Any]) -> Settings:
    """Return the settings that a test asked for."""
    return Settings(
        data_dir=Path(options["data_dir"]),
        clickhouse_url=options.get("clickhouse_url"),
        otlp_grpc_port=0,
        otlp_http_port=options["otlp_http_port"],
        sql_port=0,
        journal=Limits(**options.get("journal", {"reserve_bytes": 0})),
    )


def say_ready(addresses: Addresses) -> None:
    """Print where the collector listens."""
    sys.stdout.write(json.dumps(asdict(addresses)) + "\n")
    sys.stdout.flush()


async def serve(settings: Settings) -> bool:
    """Run the service until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    return await Service(settings).run(stop, say_ready)


if __name__ == "__main__":
    in_order = asyncio.run(serve(settings_of(json.loads(sys.argv[1]))))
    # A thread that was left behind would keep the interpreter.
    os._exit(0 if in_order else 1)
