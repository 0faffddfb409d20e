"""The ``livemeter`` command: finds the verb, imports its module, turns known errors into one line.

A verb lives in the package that does its work and is imported only when it is asked for, so that the
base install answers ``--help`` without any extra. A verb's module has ``add_arguments(parser)`` and
``run(arguments) -> int``.
"""

import argparse
import importlib
import sys
from dataclasses import dataclass
from types import ModuleType

from livemeter import __version__
from livemeter.cli.errors import CommandError


@dataclass(frozen=True, slots=True)
class Verb:
    """One row of the command table: where a verb lives and which extra it needs."""

    name: str
    summary: str
    module: str
    extra: str
    examples: tuple[str, ...]


VERBS = (
    Verb(
        "demo",
        "run scripted Gemini Live sessions on this machine and show what they cost and why they closed",
        "livemeter_collector.commands.demo",
        "all",
        ("livemeter demo", "livemeter demo --keep ./demo-data", "livemeter demo --json"),
    ),
    Verb(
        "up",
        "run the collector until stopped: OTLP on 4317 and 4318, SQL on 8123",
        "livemeter_collector.commands.up",
        "collector",
        (
            "livemeter up",
            "livemeter up --data /var/lib/livemeter",
            "livemeter up --clickhouse http://127.0.0.1:8123",
        ),
    ),
    Verb(
        "sessions",
        "list sessions: duration, turns, tokens, cost with its range, coverage, close and cause",
        "livemeter_collector.commands.sessions",
        "collector",
        ("livemeter sessions", "livemeter sessions --since 24h --status failed", "livemeter sessions --json"),
    ),
    Verb(
        "session",
        "one session: its cost by direction and modality, turns, tool calls and closes",
        "livemeter_collector.commands.session",
        "collector",
        ("livemeter session 0199a7c2", "livemeter session 0199a7c2 --json"),
    ),
    Verb(
        "costs",
        "tokens and cost by model, direction and modality",
        "livemeter_collector.commands.costs",
        "collector",
        ("livemeter costs", "livemeter costs --by user --since 7d", "livemeter costs --csv"),
    ),
    Verb(
        "prices",
        "what tokens cost: list prices, explain a session's figure term by term, load them again",
        "livemeter_collector.commands.prices",
        "collector",
        (
            "livemeter prices",
            "livemeter prices --model gemini-3.8-live --at 2026-09-01",
            "livemeter prices explain 0199a7c2",
            "livemeter prices refresh",
        ),
    ),
    Verb(
        "what-if",
        "what sessions would have cost with a context-window compression of given trigger and target",
        "livemeter_collector.commands.what_if",
        "collector",
        (
            "livemeter what-if --trigger 25000 --target 8000",
            "livemeter what-if --trigger 25000 --since 7d --json",
        ),
    ),
    Verb(
        "reconcile",
        "compare a Cloud Billing export with what was recorded, by day and SKU",
        "livemeter_collector.commands.reconcile",
        "collector",
        ("livemeter reconcile billing.csv", "livemeter reconcile billing.csv --project my-project --json"),
    ),
    Verb(
        "forget",
        "delete everything that is kept of one user",
        "livemeter_collector.commands.forget",
        "collector",
        ("livemeter forget --user 4711", "livemeter forget --user 4711 --dry-run"),
    ),
    Verb(
        "check",
        "compare the roll-ups with the facts that they were made of",
        "livemeter_collector.commands.check",
        "collector",
        ("livemeter check", "livemeter check --since 7d --json"),
    ),
    Verb(
        "rebuild",
        "make the roll-ups anew from the facts",
        "livemeter_collector.commands.rebuild",
        "collector",
        ("livemeter rebuild", "livemeter rebuild --json"),
    ),
    Verb(
        "closes",
        "closed connections with their diagnosis and what to do",
        "livemeter_collector.commands.closes",
        "collector",
        ("livemeter closes", "livemeter closes --since 1h", "livemeter closes --json"),
    ),
    Verb(
        "sql",
        "run one SELECT over the tables and views",
        "livemeter_collector.commands.sql",
        "collector",
        (
            'livemeter sql "SELECT model, sum(usd) FROM live_costs GROUP BY model"',
            'livemeter sql --csv "SELECT * FROM live_turns"',
        ),
    ),
    Verb(
        "dead-letters",
        "requests that the store could not read: list, show, send again or drop them",
        "livemeter_collector.commands.dead_letters",
        "collector",
        (
            "livemeter dead-letters",
            "livemeter dead-letters show logs-1f0c",
            "livemeter dead-letters retry --all",
            "livemeter dead-letters drop logs-1f0c",
        ),
    ),
    Verb(
        "backup",
        "write the collector's data to a .tar, a .zip or a directory, also while it runs",
        "livemeter_collector.commands.backup",
        "collector",
        ("livemeter backup livemeter.tar", "livemeter backup /mnt/backups/monday --data /var/lib/livemeter"),
    ),
    Verb(
        "restore",
        "make a data directory of a backup",
        "livemeter_collector.commands.restore",
        "collector",
        ("livemeter restore livemeter.tar", "livemeter restore livemeter.tar --data /var/lib/livemeter"),
    ),
    Verb(
        "doctor",
        "say why a dashboard may be empty: versions, hook, settings, collector, what has arrived",
        "livemeter.doctor.command",
        "instruments",
        (
            "livemeter doctor",
            "OTEL_SERVICE_NAME=lessons livemeter doctor",
            "livemeter doctor --sql http://collector:8123 --json",
        ),
    ),
)


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return its exit code (2 for a command that was not understood)."""
    words = sys.argv[1:] if argv is None else argv
    if not words or words[0] in {"-h", "--help", "help"}:
        sys.stdout.write(_overview())
        return 0 if words else 2
    if words[0] in {"-V", "--version"}:
        sys.stdout.write(f"livemeter {__version__}\n")
        return 0
    try:
        return _run_verb(words[0], words[1:])
    except CommandError as error:
        sys.stderr.write(f"livemeter: {error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("livemeter: stopped\n")
        return 130
    except BrokenPipeError:
        # `livemeter sessions | head` is no error; stdout is gone, so nothing may be flushed into it.
        sys.stderr.close()
        return 0


def _run_verb(name: str, words: list[str]) -> int:
    verb = next((verb for verb in VERBS if verb.name == name), None)
    if verb is None:
        known = ", ".join(verb.name for verb in VERBS)
        raise CommandError(f"unknown command {name!r}: try one of {known}, or livemeter --help", exit_code=2)
    module = _import_verb(verb)
    parser = argparse.ArgumentParser(
        prog=f"livemeter {verb.name}",
        description=verb.summary[0].upper() + verb.summary[1:] + ".",
        epilog="examples:\n" + "".join(f"  {example}\n" for example in verb.examples),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    module.add_arguments(parser)
    result: int = module.run(parser.parse_args(words))
    return result


def _import_verb(verb: Verb) -> ModuleType:
    try:
        return importlib.import_module(verb.module)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] in {"livemeter", "livemeter_collector"}:
            raise
        raise CommandError(
            f"{verb.name} needs {error.name}, which is not installed: pip install 'livemeter[{verb.extra}]'"
        ) from error


def _overview() -> str:
    width = max(len(verb.name) for verb in VERBS)
    lines = [
        "livemeter: what every Gemini Live session cost, and why its connection closed.",
        "",
        "usage: livemeter COMMAND [OPTIONS]     (livemeter COMMAND --help for options and examples)",
        "",
        *(f"  {verb.name:<{width}}  {verb.summary}" for verb in VERBS),
        "",
        "An application is instrumented with one line: import livemeter.auto",
        "",
    ]
    return "\n".join(lines)
