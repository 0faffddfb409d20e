"""The collector itself, as ``livemeter up`` runs it: in a process under a supervisor, or alone."""

import argparse
import asyncio
import ipaddress
import logging
import os
import signal
import sys
from urllib.parse import urlsplit

from livemeter import __version__
from livemeter.cli.errors import CommandError
from livemeter_collector.listen import ListenError
from livemeter_collector.service import Addresses, Service, Settings
from livemeter_collector.store.contract import StoreError
from livemeter_collector.supervise import NotSupervisedError, Parent


def run_alone(arguments: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM.

    Raises:
        CommandError: a port, the directory or the server cannot be had; one line says which and what to do.
    """
    _run(settings_of(arguments), None)
    return 0


def run_supervised(arguments: argparse.Namespace) -> int:
    """Serve until the parent says stop or is gone, or until SIGINT or SIGTERM.

    Raises:
        CommandError: as above, and the parent knows; or there is no parent.
    """
    try:
        parent = Parent()
    except NotSupervisedError as error:
        raise CommandError(f"--worker is for livemeter itself: {error}") from error
    try:
        _run(settings_of(arguments), parent)
    except CommandError:
        parent.say_refused()
        raise
    return 0


def settings_of(arguments: argparse.Namespace) -> Settings:
    """Return the service's settings by the options of ``livemeter up``.

    Raises:
        CommandError: the host is not a loopback address.
    """
    return Settings(
        data_dir=arguments.data.resolve(),
        clickhouse_url=arguments.clickhouse,
        host=_loopback(arguments.host),
        otlp_grpc_port=arguments.otlp_grpc_port,
        otlp_http_port=arguments.otlp_http_port,
        sql_port=arguments.sql_port,
    )


def _run(settings: Settings, parent: Parent | None) -> None:
    # The client library also logs what it raises; one line is enough.
    logging.getLogger("clickhouse_connect").addHandler(logging.NullHandler())
    try:
        asyncio.run(_serve(settings, parent))
    except (ListenError, StoreError) as error:
        raise CommandError(str(error)) from error


async def _serve(settings: Settings, parent: Parent | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        stop.set()
        # A second signal ends the process at once, as if nobody handled it.
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal)
    if parent:
        parent.stops(stop)
    in_order = await Service(settings).run(stop, lambda addresses: _say_ready(settings, addresses, parent))
    if not in_order:
        sys.stderr.write(
            "livemeter: the store was still busy ten seconds after the signal; what it had not finished is"
            " not acknowledged and will be sent again\n"
        )
        sys.stderr.flush()
        # The busy thread cannot be interrupted, and the interpreter would wait for it.
        os._exit(1)


def _say_ready(settings: Settings, addresses: Addresses, parent: Parent | None) -> None:
    text = _ready_text(settings, addresses)
    if parent is None:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
        return
    ports = {
        "--otlp-grpc-port": addresses.otlp_grpc,
        "--otlp-http-port": addresses.otlp_http,
        "--sql-port": addresses.sql,
    }
    parent.say_ready(
        text, settings.host, {option: int(each.rpartition(":")[2]) for option, each in ports.items()}
    )


def _ready_text(settings: Settings, addresses: Addresses) -> str:
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
    return "\n".join(lines)


def _where(settings: Settings) -> str:
    """Name the store without the user name and password that a URL may carry."""
    if settings.clickhouse_url is None:
        return str(settings.data_dir)
    url = urlsplit(settings.clickhouse_url)
    return f"{url.scheme}://{url.netloc.rpartition('@')[2]}"


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
