"""``livemeter up``: run the collector until it is told to stop."""

import argparse
import asyncio
import ipaddress
import logging
import os
import signal
import sys
from pathlib import Path
from urllib.parse import urlsplit

from livemeter import __version__
from livemeter.cli.errors import CommandError
from livemeter_collector.listen import ListenError
from livemeter_collector.service import Addresses, Service, Settings
from livemeter_collector.store.contract import StoreError

_DEFAULTS = Settings()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``livemeter up``."""
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--data",
        type=Path,
        default=_DEFAULTS.data_dir,
        metavar="DIR",
        help="directory of the embedded ClickHouse (default: ./%(default)s)",
    )
    where.add_argument("--clickhouse", metavar="URL", help="store in this ClickHouse server instead")
    parser.add_argument("--host", default=_DEFAULTS.host, help="loopback address (default: %(default)s)")
    for option, default, what in (
        ("--otlp-grpc-port", _DEFAULTS.otlp_grpc_port, "OTLP over gRPC"),
        ("--otlp-http-port", _DEFAULTS.otlp_http_port, "OTLP over HTTP"),
        ("--sql-port", _DEFAULTS.sql_port, "SQL over ClickHouse's HTTP protocol"),
    ):
        parser.add_argument(
            option,
            type=_port,
            default=default,
            metavar="PORT",
            help=f"{what}; 0 takes a free port (default: %(default)s)",
        )


def run(arguments: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM.

    Raises:
        CommandError: a port, the directory or the server cannot be had; one line says which and what to do.
    """
    settings = Settings(
        data_dir=arguments.data.resolve(),
        clickhouse_url=arguments.clickhouse,
        host=_loopback(arguments.host),
        otlp_grpc_port=arguments.otlp_grpc_port,
        otlp_http_port=arguments.otlp_http_port,
        sql_port=arguments.sql_port,
    )
    # The client library also logs what it raises; one line is enough.
    logging.getLogger("clickhouse_connect").addHandler(logging.NullHandler())
    try:
        asyncio.run(_serve(settings))
    except (ListenError, StoreError) as error:
        raise CommandError(str(error)) from error
    return 0


async def _serve(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        stop.set()
        # A second signal ends the process at once, as if nobody handled it.
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal)
    in_order = await Service(settings).run(stop, lambda addresses: _say_ready(settings, addresses))
    if not in_order:
        sys.stderr.write(
            "livemeter: the store was still busy ten seconds after the signal; what it had not finished was"
            " not acknowledged and will be sent again\n"
        )
        sys.stderr.flush()
        # The busy thread cannot be interrupted, and the interpreter would wait for it.
        os._exit(1)


def _say_ready(settings: Settings, addresses: Addresses) -> None:
    lines = (
        f"livemeter {__version__} is ready",
        f"  OTLP/gRPC   {addresses.otlp_grpc}",
        f"  OTLP/HTTP   http://{addresses.otlp_http}",
        f"  SQL         http://{addresses.sql}",
        f"  data        {_where(settings)}",
        "to instrument an application, set",
        f"  LIVEMETER_ENDPOINT=http://{addresses.otlp_http}",
        "and put this line before it uses google-genai:",
        "  import livemeter.auto",
        "Ctrl-C stops the collector",
    )
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def _where(settings: Settings) -> str:
    """Name the store without the user name and password that a URL may carry."""
    if settings.clickhouse_url is None:
        return str(settings.data_dir)
    url = urlsplit(settings.clickhouse_url)
    return f"{url.scheme}://{url.netloc.rpartition('@')[2]}"


def _port(text: str) -> int:
    port = int(text) if text.isascii() and text.isdigit() else -1
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: use a number from 0 to 65535")
    return port


def _loopback(host: str) -> str:
    address = "127.0.0.1" if host == "localhost" else host
    try:
        loopback = ipaddress.ip_address(address).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise CommandError(
            f"--host {host} is not a loopback address: this version has no access tokens and listens on"
            " this machine only (127.0.0.1 or ::1)"
        )
    return address
