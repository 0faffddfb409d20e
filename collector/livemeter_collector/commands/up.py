"""``livemeter up``: run the collector until it is told to stop, and start it again when it dies.

The parent of the collector imports next to nothing: it stays small, and starts its worker without delay.
"""

import argparse
import importlib.util
import os
import sys
from pathlib import Path

from livemeter.cli.errors import CommandError
from livemeter_collector.supervise import AFTER_CRASH, supervise

for _name in ("clickhouse_connect", "google.protobuf", "grpc", "starlette", "uvicorn"):
    if importlib.util.find_spec(_name) is None:
        # The worker is another process; this one says so before it is started.
        raise ModuleNotFoundError(f"No module named {_name!r}", name=_name)

_PORTS = (
    ("--otlp-grpc-port", 4317, "OTLP over gRPC"),
    ("--otlp-http-port", 4318, "OTLP over HTTP"),
    ("--sql-port", 8123, "SQL over ClickHouse's HTTP protocol"),
)
_ACCESS = (
    ("--token-file", "the token that callers must show; else the variable LIVEMETER_TOKEN"),
    ("--tls-cert", "certificate of the three ports, PEM; with --tls-key"),
    ("--tls-key", "its private key, PEM, without a passphrase"),
    ("--tls-client-ca", "authorities of clients, PEM: clients need a certificate of theirs"),
)
_DATA = Path("livemeter-data")
_OWN = ("supervisor", "worker")
"""The options that are not the worker's, by their place in the namespace."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``livemeter up``; their defaults are those of ``service.Settings``."""
    parser.add_argument(
        "--data",
        type=Path,
        default=_DATA,
        metavar="DIR",
        help="directory of the journal and of the embedded ClickHouse (default: ./%(default)s)",
    )
    parser.add_argument("--clickhouse", metavar="URL", help="store in this ClickHouse server instead")
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on; any but a loopback address needs a token (default: %(default)s)",
    )
    for option, default, what in _PORTS:
        parser.add_argument(
            option,
            type=_port,
            default=default,
            metavar="PORT",
            help=f"{what}; 0 takes a free port (default: %(default)s)",
        )
    for option, what in _ACCESS:
        parser.add_argument(option, type=Path, metavar="FILE", help=what)
    parser.add_argument(
        "--journal-limit",
        default="2GB",
        metavar="SIZE",
        help="what the journal may hold before requests are refused, in MB or GB (default: %(default)s)",
    )
    parser.add_argument(
        "--keep",
        default="frames=30,logs=30,traces=30,metrics=90,facts=forever",
        metavar="KIND=DAYS,...",
        help="how many days data of a kind is kept, or 'forever' (default: %(default)s)",
    )
    parser.add_argument(
        "--prices",
        type=Path,
        metavar="FILE",
        help="prices of your own, which win over the published ones; else the variable LIVEMETER_PRICES",
    )
    parser.add_argument(
        "--no-supervisor",
        dest="supervisor",
        action="store_false",
        help="one process, which nobody starts again when it dies: for containers, whose orchestrator does",
    )
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument(AFTER_CRASH, action="store_true", help=argparse.SUPPRESS)


def run(arguments: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM.

    Raises:
        CommandError: a port, the directory or the server cannot be had; one line says which and what to do.
            Under a supervisor it is the worker that says so, and its exit code is returned.
    """
    if not arguments.worker:
        _check_prices(arguments)
    if not arguments.worker and arguments.supervisor:
        _check_engine(arguments)
        # Without -P the working directory would be searched for modules before everything else.
        return supervise(
            [sys.executable, "-P", "-m", "livemeter.cli", "up", "--worker", *worker_words(arguments)]
        )
    # Forty megabytes of servers, for the process that serves.
    from livemeter_collector.commands.worker import run_alone, run_supervised  # noqa: PLC0415

    return run_supervised(arguments) if arguments.worker else run_alone(arguments)


def worker_words(arguments: argparse.Namespace) -> list[str]:
    """Return the options that give a worker the same arguments.

    Any option passes whose value is None, true, or reads the same when it is written by ``str``, and whose
    name is that of its place in the namespace.
    """
    words: list[str] = []
    for name, value in vars(arguments).items():
        option = f"--{name.replace('_', '-')}"
        # The default directory is not named: beside --clickhouse no directory may be.
        if name in _OWN or value is None or value is False or value == _DATA:
            continue
        words.append(option if value is True else f"{option}={value}")
    return words


def _check_prices(arguments: argparse.Namespace) -> None:
    """Refuse to start with a wrong file. One that becomes wrong later costs a warning, no more."""
    if arguments.prices is None and not os.environ.get("LIVEMETER_PRICES"):
        return
    # What prices are, for those who have some.
    from livemeter.accounts.price_file import PriceFileError  # noqa: PLC0415
    from livemeter_collector.prices.overrides import file_of, read_file  # noqa: PLC0415

    try:
        read_file(file_of(arguments.prices, os.environ))
    except PriceFileError as error:
        raise CommandError(str(error)) from error


def _check_engine(arguments: argparse.Namespace) -> None:
    if arguments.clickhouse is None and importlib.util.find_spec("chdb") is None:
        raise CommandError(
            "the embedded engine is missing: pip install 'livemeter[embedded]', or use --clickhouse URL"
        )


def _port(text: str) -> int:
    port = int(text) if text.isascii() and text.isdigit() else -1
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: use a number from 0 to 65535")
    return port
