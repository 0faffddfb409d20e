"""The collector itself, as ``livemeter up`` runs it: in a process under a supervisor, or alone."""

import argparse
import asyncio
import logging
import os
import re
import signal
import sys
from dataclasses import fields, replace
from urllib.parse import urlsplit

from livemeter import __version__
from livemeter.cli.errors import CommandError
from livemeter_collector.access import Access, AccessError, read_token
from livemeter_collector.journal.journal import Limits as JournalLimits
from livemeter_collector.listen import ListenError
from livemeter_collector.prices.overrides import file_of
from livemeter_collector.servers import Addresses
from livemeter_collector.service import Service, Settings
from livemeter_collector.store.contract import StoreError
from livemeter_collector.store.retention import Retention
from livemeter_collector.supervise import NotSupervisedError, Parent

_SIZE = re.compile(r"(\d+)\s*(MB|GB)", re.IGNORECASE)


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
        CommandError: an option's value cannot be used; one line says why.
    """
    host = "127.0.0.1" if arguments.host == "localhost" else arguments.host
    return Settings(
        data_dir=arguments.data.resolve(),
        clickhouse_url=arguments.clickhouse,
        host=host,
        journal=JournalLimits(size_bytes=_size_bytes(arguments.journal_limit)),
        retention=_retention(arguments.keep),
        access=_access(arguments, host),
        after_crash=arguments.after_crash,
        prices=file_of(arguments.prices, os.environ),
        otlp_grpc_port=arguments.otlp_grpc_port,
        otlp_http_port=arguments.otlp_http_port,
        sql_port=arguments.sql_port,
    )


def _run(settings: Settings, parent: Parent | None) -> None:
    # The client library also logs what it raises; one line is enough.
    logging.getLogger("clickhouse_connect").addHandler(logging.NullHandler())
    try:
        asyncio.run(_serve(settings, parent))
    except (AccessError, ListenError, StoreError) as error:
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
    scheme = "https" if settings.access.is_tls else "http"
    lines = [
        f"livemeter {__version__} is ready",
        f"  OTLP/gRPC   {addresses.otlp_grpc}",
        f"  OTLP/HTTP   {scheme}://{addresses.otlp_http}",
        f"  SQL         {scheme}://{addresses.sql}",
        f"  data        {_where(settings)}",
        "to instrument an application, set",
        f"  LIVEMETER_ENDPOINT={scheme}://{addresses.otlp_http}",
        *(["  LIVEMETER_HEADERS=authorization=Bearer%20TOKEN"] if settings.access.token else []),
        "and put this line before it uses google-genai:",
        "  import livemeter.auto",
        "Ctrl-C stops the collector",
    ]
    if settings.access.in_the_clear:
        lines.append("the token and all telemetry cross the network in the clear: see --tls-cert")
    return "\n".join(lines)


def _where(settings: Settings) -> str:
    """Name the store without the user name and password that a URL may carry."""
    if settings.clickhouse_url is None:
        return str(settings.data_dir)
    url = urlsplit(settings.clickhouse_url)
    return f"{url.scheme}://{url.netloc.rpartition('@')[2]}"


def _access(arguments: argparse.Namespace, host: str) -> Access:
    try:
        return Access(
            host,
            read_token(os.environ, arguments.token_file),
            arguments.tls_cert,
            arguments.tls_key,
            arguments.tls_client_ca,
        )
    except AccessError as error:
        raise CommandError(str(error)) from error


def _size_bytes(text: str) -> int:
    found = _SIZE.fullmatch(text.strip())
    if found is None or not int(found[1]):
        raise CommandError(f"--journal-limit {text!r} is no size: write 500MB or 2GB")
    return int(found[1]) * (1024**3 if found[2].upper() == "GB" else 1024**2)


def _retention(text: str) -> Retention:
    kinds = {field.name for field in fields(Retention)}
    days: dict[str, int | None] = {}
    for word in text.split(","):
        kind, _, value = (part.strip() for part in word.partition("="))
        if kind not in kinds or not (value == "forever" or value.isdecimal()):
            known = ", ".join(sorted(kinds))
            raise CommandError(f"--keep {word.strip()!r} is not KIND=DAYS or KIND=forever: kinds are {known}")
        days[kind] = None if value == "forever" else int(value)
    try:
        return replace(Retention(), **days)
    except ValueError as error:
        raise CommandError(f"--keep {error}") from error
