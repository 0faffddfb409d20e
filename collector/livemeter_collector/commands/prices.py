"""``livemeter prices``: what tokens cost, how a session's sum comes about, and loading prices again."""

import argparse
import http.client
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, cast

from livemeter.accounts.price_file import PriceFileError
from livemeter.accounts.rates import Tier
from livemeter.cli.errors import CommandError
from livemeter.diagnosis import bare_model
from livemeter.vocabulary import Platform
from livemeter_collector.commands.options import add_form, add_store, since
from livemeter_collector.commands.printing import note, show, show_nothing, write
from livemeter_collector.commands.reading import reading
from livemeter_collector.commands.session import find_session
from livemeter_collector.control import Connection, connect
from livemeter_collector.prices.endpoint import PATH, answer_of
from livemeter_collector.prices.overrides import VARIABLE, file_of
from livemeter_collector.prices.refresh import PriceBook
from livemeter_collector.query import price_questions
from livemeter_collector.query.price_questions import Chosen
from livemeter_collector.query.questions import Row, rows_of
from livemeter_collector.show.output import Form, as_json
from livemeter_collector.show.prices import (
    by_price,
    changes_table,
    explain_page,
    explained,
    notes,
    prices_page,
)
from livemeter_collector.show.values import printable
from livemeter_collector.store.contract import Store, StoreError, Table
from livemeter_collector.store.migrate import check_schema
from livemeter_collector.store.open import ENGINE_DIRECTORY, open_embedded, open_server

_CHANGES = ("added", "changed", "removed")
_MOST_CHANGES = 40

AddAction = Callable[..., argparse.ArgumentParser]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's options and actions; without an action it lists."""
    parser.set_defaults(do=_list)
    parser.add_argument("--model", metavar="NAME", default="", help="only prices of exactly this model")
    parser.add_argument("--platform", choices=[*Platform], default="", help="only prices on this platform")
    parser.add_argument("--tier", choices=[*Tier], default="", help="only prices of this tier")
    parser.add_argument(
        "--at",
        dest="at_ms",
        metavar="TIME",
        type=since,
        help="prices in force then: 24h ago as 24h, or in UTC 2026-11-01 or 2026-11-01T14:00 (default: now)",
    )
    add_form(parser)
    add_store(parser)
    add_action = parser.add_subparsers(title="actions", metavar="ACTION").add_parser
    _add_explain(add_action)
    _add_refresh(add_action)


def run(arguments: argparse.Namespace) -> int:
    """Do what was asked for; without an action, list the prices."""
    result: int = arguments.do(arguments)
    return result


def _add_explain(add_action: AddAction) -> None:
    words = "every term of a session's sum: quantity, price, where the price is from and when it holds"
    parser = add_action("explain", help=words, description=f"{words[0].upper()}{words[1:]}.")
    parser.set_defaults(do=_explain)
    parser.add_argument("session", metavar="SESSION", help="a session's id, or a beginning that only it has")
    parser.add_argument("--all", action="store_true", help="each term by itself (default: summed by price)")
    add_form(parser, again=True)
    add_store(parser, again=True)


def _add_refresh(add_action: AddAction) -> None:
    words = "load prices again, in the running collector if there is one, and say what changed"
    parser = add_action("refresh", help=words, description=f"{words[0].upper()}{words[1:]}.")
    parser.set_defaults(do=_refresh)
    parser.add_argument(
        "--prices",
        metavar="FILE",
        type=Path,
        help=f"prices of your own, where no collector runs that has a file; else the variable {VARIABLE}",
    )
    add_form(parser, again=True)
    add_store(parser, again=True)


def _list(arguments: argparse.Namespace) -> int:
    at_s = int(time.time()) if arguments.at_ms is None else arguments.at_ms // 1000
    chosen = Chosen(at_s, bare_model(arguments.model), arguments.platform, arguments.tier)
    with reading(arguments) as reader:
        table = price_questions.prices(reader, chosen)
    rows = rows_of(table)
    if rows or arguments.form is not Form.TABLE:
        show(arguments.form, prices_page(rows), rows, table)
    if not rows:
        note("no such price: livemeter prices lists all of them")
    return 0


def _explain(arguments: argparse.Namespace) -> int:
    with reading(arguments) as reader:
        session_id = find_session(reader, arguments.session)
        terms = rows_of(answer := price_questions.terms(reader, session_id))
        found = rows_of(price_questions.session_sum(reader, session_id))
        if not found:
            return show_nothing(arguments.form, reader, answer, {})
    session = explained(found[0], terms)
    rows: Sequence[Mapping[str, object]] = terms if arguments.all else by_price(terms)
    columns = tuple(rows[0]) if rows else answer.columns
    table = Table(columns, tuple(tuple(row.values()) for row in rows))
    name = "terms" if arguments.all else "prices"
    show(
        arguments.form,
        explain_page(session, terms, rows),
        {**session, name: rows, "notes": notes(terms)},
        table,
    )
    return 0


def _refresh(arguments: argparse.Namespace) -> int:
    try:
        answer = _loaded(arguments)
    except (StoreError, PriceFileError) as error:
        raise CommandError(printable(" ".join(str(error).split()))) from error
    changes = {name: cast(Sequence[Row], answer[name]) for name in _CHANGES}
    if arguments.form is Form.JSON:
        write(as_json(answer))
        return 0
    rows = [{"what": name, **row} for name in _CHANGES for row in changes[name]]
    columns = ("what", "model", "platform", "tier", "direction", "modality", "usd_per_mtok")
    table = Table(columns, tuple(tuple(row[each] for each in columns) for row in rows))
    counts = ", ".join(f"{len(changes[name]):,} {name}" for name in _CHANGES)
    note(f"{answer['rows']:,} prices: {counts}; {_said_of(answer['file'])}")
    if rows or arguments.form is Form.CSV:
        show(arguments.form, [changes_table(rows[:_MOST_CHANGES])], rows, table)
    if arguments.form is Form.TABLE and len(rows) > _MOST_CHANGES:
        note(f"these are the first {_MOST_CHANGES} of {len(rows):,} changes: --json or --csv has all")
    return 0


def _said_of(file: object) -> str:
    return (
        f"those of {printable(str(file))} win over the published ones" if file else "published prices alone"
    )


def _loaded(arguments: argparse.Namespace) -> Mapping[str, Any]:
    """Load prices where they are kept, and return what ``answer_of`` says of it.

    Raises:
        PriceFileError: the file cannot be used.
        StoreError: the store, or the collector that has it, cannot be asked.
    """
    if arguments.clickhouse:
        return _load_into(open_server(arguments.clickhouse), arguments)
    collector = connect(arguments.data)
    if collector:
        if arguments.prices:
            raise CommandError("a collector is running: name its file where it starts, livemeter up --prices")
        return _ask(collector)
    if not (arguments.data / ENGINE_DIRECTORY).is_dir():
        raise CommandError(
            f"no livemeter data in {arguments.data}: run `livemeter up` first,"
            " or name another directory with --data"
        )
    return _load_into(open_embedded(arguments.data), arguments)


def _load_into(store: Store, arguments: argparse.Namespace) -> Mapping[str, Any]:
    with closing(store):
        check_schema(store)
        book = PriceBook(store, file_of(arguments.prices, os.environ))
        return answer_of(book, book.load())


def _ask(collector: Connection) -> Mapping[str, Any]:
    with closing(collector):
        try:
            collector.request("POST", PATH)
            reply = collector.getresponse()
            said = reply.read().decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            raise StoreError(f"the collector ended before it had answered: {error}") from error
    if reply.status != 200:
        raise StoreError(said.strip())
    return cast(Mapping[str, Any], json.loads(said))
