"""``livemeter dead-letters``: requests that were accepted and that the store could not read."""

import argparse
import base64
import http.client
import os
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError

from livemeter.cli.errors import CommandError
from livemeter_collector.access import read_token
from livemeter_collector.commands.options import DATA_DIRECTORY
from livemeter_collector.commands.printing import note, show, write
from livemeter_collector.ingest.request import RefusedError
from livemeter_collector.journal.dead_letters import (
    DIRECTORY,
    RETRY_HEADER,
    DamagedLetterError,
    DeadLetter,
    DeadLetters,
    Envelope,
    UnknownLetterError,
)
from livemeter_collector.receive.decode import PROTOBUF
from livemeter_collector.receive.rpc_status import status
from livemeter_collector.receive.schema import REQUESTS
from livemeter_collector.show.output import Form, as_json
from livemeter_collector.show.table import Column, Grid, facts
from livemeter_collector.show.values import moment, number, printable, text
from livemeter_collector.store.contract import Table
from livemeter_collector.store.lock import running_collector

_SHOWN_CHARACTERS = 8_000
_ANSWER_TIMEOUT_S = 60
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_COLUMNS = ("id", "signal", "records", "bytes", "reason", "received_at", "set_aside_at")
# OTLP's JSON has these in hex, where protobuf's own has base64.
_HEX_KEYS = frozenset({"traceId", "spanId", "parentSpanId"})

AddAction = Callable[..., argparse.ArgumentParser]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's actions and their options."""
    parser.set_defaults(do=_list)
    _add_data(parser, DATA_DIRECTORY)
    _add_form(parser, Form.TABLE)
    add_action = parser.add_subparsers(title="actions", metavar="ACTION").add_parser
    _add_list(add_action)
    _add_show(add_action)
    _add_retry(add_action)
    _add_drop(add_action)


def run(arguments: argparse.Namespace) -> int:
    """Do what was asked for; without an action, list the letters.

    Raises:
        CommandError: there is no such data directory or letter, or it cannot be read or written.
    """
    if not arguments.data.is_dir():
        raise CommandError(
            f"no livemeter data in {arguments.data}: run `livemeter up` first,"
            " or name another directory with --data"
        )
    try:
        result: int = arguments.do(DeadLetters(arguments.data / DIRECTORY), arguments)
    except (UnknownLetterError, DamagedLetterError) as error:
        raise CommandError(f"{error}: livemeter dead-letters lists them") from error
    except OSError as error:
        raise CommandError(f"{error.filename or arguments.data}: {error.strerror}") from error
    return result


def _add_list(add_action: AddAction) -> None:
    words = "list them, the oldest first (the default)"
    parser = add_action("list", help=words, **_described(words, "livemeter dead-letters list --json"))
    parser.set_defaults(do=_list)
    # What was given before the action stays.
    _add_form(parser, argparse.SUPPRESS)
    _add_data(parser, argparse.SUPPRESS)


def _add_show(add_action: AddAction) -> None:
    words = "one of them, with its request as OTLP JSON"
    examples = ("livemeter dead-letters show logs-1f0c", "livemeter dead-letters show 1f0c --raw request.pb")
    parser = add_action("show", help=words, **_described(words, *examples))
    parser.set_defaults(do=_show)
    parser.add_argument("id", metavar="ID", help="its id, or what the id begins with")
    parser.add_argument("--json", action="store_true", help="write JSON, with all of the request")
    parser.add_argument("--raw", metavar="FILE", type=Path, help="write the protobuf bytes into this file")
    _add_data(parser, argparse.SUPPRESS)


def _add_retry(add_action: AddAction) -> None:
    words = "send them to the running collector again; what it accepts is no dead letter any more"
    examples = ("livemeter dead-letters retry logs-1f0c", "livemeter dead-letters retry --all")
    parser = add_action("retry", help=words, **_described(words, *examples))
    parser.set_defaults(do=_retry)
    _add_which(parser)


def _add_drop(add_action: AddAction) -> None:
    words = "remove them for good"
    examples = ("livemeter dead-letters drop logs-1f0c", "livemeter dead-letters drop --all --yes")
    parser = add_action("drop", help=words, **_described(words, *examples))
    parser.set_defaults(do=_drop)
    _add_which(parser)
    parser.add_argument("--yes", action="store_true", help="do not ask")


def _described(words: str, *examples: str) -> dict[str, Any]:
    return {
        "description": f"{words[0].upper()}{words[1:]}.",
        "epilog": "examples:\n" + "".join(f"  {example}\n" for example in examples),
        "formatter_class": argparse.RawDescriptionHelpFormatter,
    }


def _add_data(parser: argparse.ArgumentParser, default: Path | str) -> None:
    words = f"the collector's data directory (default: ./{DATA_DIRECTORY})"
    parser.add_argument("--data", metavar="DIR", type=Path, default=default, help=words)


def _add_form(parser: argparse.ArgumentParser, default: Form | str) -> None:
    form = parser.add_mutually_exclusive_group()
    for option, constant in (("--json", Form.JSON), ("--csv", Form.CSV)):
        words = f"write {constant.value.upper()}: times in UTC"
        form.add_argument(
            option, dest="form", action="store_const", const=constant, default=default, help=words
        )


def _add_which(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("ids", metavar="ID", nargs="*", help="an id, or what it begins with")
    parser.add_argument("--all", action="store_true", help="all there are")
    _add_data(parser, argparse.SUPPRESS)


def _list(letters: DeadLetters, arguments: argparse.Namespace) -> int:
    listing = letters.list()
    if listing.letters or arguments.form is not Form.TABLE:
        rows = [_row(letter) for letter in listing.letters]
        table = Table(_COLUMNS, tuple(tuple(row.values()) for row in rows))
        show(arguments.form, [_grid(listing.letters)], rows, table)
    else:
        note("no dead letters: the store could read every request")
    if listing.strangers:
        named = ", ".join(map(printable, listing.strangers[:5]))
        more = ", ..." if len(listing.strangers) > 5 else ""
        note(f"not letters, or damaged, in {arguments.data / DIRECTORY}: {named}{more}")
    return 0


def _show(letters: DeadLetters, arguments: argparse.Namespace) -> int:
    envelope, letter = letters.find(arguments.id), letters.get(arguments.id)
    if arguments.raw:
        arguments.raw.write_bytes(letter.body)
        write(f"{len(letter.body):,} bytes in {arguments.raw}\n")
        return 0
    request = otlp_json(letter)
    if arguments.json:
        write(as_json({**_row(envelope), "request": request}))
        return 0
    show(Form.TABLE, [facts(_facts(envelope))], (), Table((), ()))
    write("\n")
    _write_request(letter, request)
    return 0


def _write_request(letter: DeadLetter, request: dict[str, Any] | None) -> None:
    if request is None:
        name = REQUESTS[letter.signal].DESCRIPTOR.name
        note(f"the bytes are no {name}: --raw FILE writes them as they are")
        return
    # No line feed is lost by this: within strings JSON escapes them.
    lines = "".join(f"{printable(line)}\n" for line in as_json(request).splitlines())
    if len(lines) <= _SHOWN_CHARACTERS:
        write(lines)
        return
    shown = lines[: lines.rfind("\n", 0, _SHOWN_CHARACTERS) + 1]
    write(f"{shown}...\n")
    note(f"{len(lines) - len(shown):,} more characters of the request: --json writes all of it")


def otlp_json(letter: DeadLetter) -> dict[str, Any] | None:
    """Return a letter's request in OTLP's JSON form; None when its bytes are no request of its signal."""
    try:
        request = REQUESTS[letter.signal].FromString(letter.body)
    except DecodeError:
        return None
    return cast(dict[str, Any], _with_hex_ids(MessageToDict(request, use_integers_for_enums=True)))


def _with_hex_ids(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_hex_ids(each) for each in cast(list[object], value)]
    if not isinstance(value, dict):
        return value
    return {
        key: base64.b64decode(held).hex() if key in _HEX_KEYS else _with_hex_ids(held)
        for key, held in cast(dict[str, Any], value).items()
    }


def _retry(letters: DeadLetters, arguments: argparse.Namespace) -> int:
    chosen = _chosen(letters, arguments)
    collector = running_collector(arguments.data)
    if collector is None or not collector.otlp_http:
        raise CommandError(
            f"no collector runs on {arguments.data}: start it with"
            f" `livemeter up --data {arguments.data}`, and try again"
        )
    accepted: list[Envelope] = []
    for envelope in chosen:
        refusal = _send_again(letters, envelope, collector.otlp_http)
        if refusal:
            note(f"{envelope.id} stays: {refusal}")
        else:
            accepted.append(envelope)
    write(
        f"{len(accepted):,} of {len(chosen):,} requests were accepted again ({_records(accepted)});"
        " one that the store still cannot read becomes a dead letter again\n"
    )
    return 0 if len(accepted) == len(chosen) else 1


def _send_again(letters: DeadLetters, envelope: Envelope, url: str) -> str:
    """Send one request; return why it was not accepted, or nothing.

    Raises:
        CommandError: the collector does not answer; the letter stays.
    """
    attempt = letters.begin_retry(envelope.key)
    try:
        refusal = _post(url, attempt.letter)
        if not refusal:
            attempt.accepted()
        return refusal
    finally:
        # Also when interrupted; without effect on a letter that was accepted.
        attempt.put_back()


def _post(url: str, letter: DeadLetter) -> str:
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.netloc, timeout=_ANSWER_TIMEOUT_S)
    token = read_token(os.environ, None)
    headers = {"Content-Type": PROTOBUF, RETRY_HEADER: "1"}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    try:
        connection.request("POST", f"/v1/{letter.signal}", letter.body, headers)
        answer = connection.getresponse()
        body = answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise CommandError(
            f"the collector at {url} does not answer ({error}); {letter.id} and what was not sent yet stay"
        ) from error
    finally:
        connection.close()
    return "" if answer.status == 200 else f"HTTP {answer.status}: {_reason(body)}"


def _reason(body: bytes) -> str:
    """Read the collector's own words out of a ``google.rpc.Status``."""
    said = status(RefusedError(""))
    try:
        said.ParseFromString(body)
    except DecodeError:
        return "no reason given"
    return printable(str(MessageToDict(said).get("message", "no reason given")))


def _drop(letters: DeadLetters, arguments: argparse.Namespace) -> int:
    chosen = _chosen(letters, arguments)
    if chosen and not arguments.yes and not _agreed(chosen):
        note("nothing was dropped")
        return 1
    dropped = letters.drop(*(envelope.key for envelope in chosen))
    write(f"{dropped:,} dead letters were dropped ({_records(chosen)})\n")
    return 0


def _agreed(chosen: Sequence[Envelope]) -> bool:
    if not sys.stdin.isatty():
        raise CommandError("what is dropped cannot be had back: say --yes where nobody can be asked")
    sys.stderr.write(f"drop {len(chosen):,} dead letters ({_records(chosen)}) for good? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def _chosen(letters: DeadLetters, arguments: argparse.Namespace) -> Sequence[Envelope]:
    """Return the letters that are named, each once.

    Raises:
        CommandError: none is named, or both some and all.
        UnknownLetterError: a name is none.
    """
    if bool(arguments.ids) == arguments.all:
        raise CommandError("say which: one or several ids, or --all", exit_code=2)
    if arguments.all:
        return letters.list().letters
    return list({(found := letters.find(each)).key: found for each in arguments.ids}.values())


def _grid(letters: Sequence[Envelope]) -> Grid:
    columns = (
        Column("id"),
        Column("set aside (UTC)", leaves=1),
        Column("accepted (UTC)", leaves=3),
        Column("records", right=True),
        Column("bytes", right=True, leaves=2),
        Column("reason", prose=True),
    )
    lines = [
        (
            letter.id,
            moment(_time(letter.set_aside_at_ns)),
            moment(_time(letter.received_at_ns)),
            number(letter.records),
            number(letter.bytes),
            text(letter.reason),
        )
        for letter in letters
    ]
    records, size = (sum(letter.records for letter in letters), sum(letter.bytes for letter in letters))
    return Grid(columns, lines, ("total", "", "", number(records), number(size), ""))


def _facts(letter: Envelope) -> list[tuple[str, str]]:
    return [
        ("id", letter.id),
        ("reason", text(letter.reason)),
        ("set aside (UTC)", moment(_time(letter.set_aside_at_ns))),
        ("accepted (UTC)", moment(_time(letter.received_at_ns))),
        ("signal", letter.signal.value),
        ("records", number(letter.records)),
        ("bytes", number(letter.bytes)),
    ]


def _row(letter: Envelope) -> dict[str, object]:
    values = (
        letter.id,
        letter.signal.value,
        letter.records,
        letter.bytes,
        letter.reason,
        _time(letter.received_at_ns),
        _time(letter.set_aside_at_ns),
    )
    return dict(zip(_COLUMNS, values, strict=True))


def _time(unix_ns: int) -> datetime:
    return _EPOCH + timedelta(microseconds=unix_ns // 1000)


def _records(letters: Sequence[Envelope]) -> str:
    return f"{sum(letter.records for letter in letters):,} records"
