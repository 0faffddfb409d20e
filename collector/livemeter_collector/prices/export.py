"""Writes the prices that applications carry: ``python -m livemeter_collector.prices.export [--check]``.

The file is committed. It holds the rows of every known model, so that an application's running figures and
SQL price alike; a model that only turns up in the data is priced by SQL alone.
"""

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import livemeter.accounts
from livemeter.accounts.price_file import GROUNDING_RATES, MODALITIES, TOKEN_RATES
from livemeter.accounts.rates import ALWAYS_FROM, ALWAYS_TO, Price, Rate, Tier
from livemeter.vocabulary import Platform
from livemeter_collector.prices.rows import known_models, price_rows

FILE = Path(livemeter.accounts.__file__).with_name("prices.toml")
"""The file that applications carry."""

_COMMAND = "python -m livemeter_collector.prices.export"
_HEADING = f"""\
# Made by `{_COMMAND}`; not to be edited. USD per million tokens, and
# per 1,000 queries. The format is described in price_file.py; a file of your own wins over this one.
"""

_Amounts = tuple[tuple[str, str, Decimal], ...]


class _Terms(NamedTuple):
    """Everything about an entry but the models it is for. ``platform`` is empty for all of them."""

    platform: str
    tier: str
    valid_from: datetime
    valid_to: datetime
    source: str
    amounts: _Amounts


def price_file(rows: Iterable[Price]) -> str:
    """Return the rows as TOML: an entry for all models and platforms that share their prices."""
    models: dict[_Terms, set[str]] = defaultdict(set)
    for (model, terms), platforms in _by_terms(rows).items():
        shared = len(platforms) == len(Platform)
        for platform in [""] if shared else platforms:
            models[terms._replace(platform=platform)].add(model)
    entries = sorted((sorted(names), terms) for terms, names in models.items())
    return "\n".join([_HEADING, *(_entry(names, terms) for names, terms in entries)])


def _by_terms(rows: Iterable[Price]) -> Mapping[tuple[str, _Terms], set[str]]:
    amounts: dict[tuple[str, _Terms], list[tuple[str, str, Decimal]]] = defaultdict(list)
    for row in sorted(rows):
        terms = _Terms(row.platform, row.tier, row.valid_from, row.valid_to, row.source, ())
        amounts[row.model, terms].append((row.direction, row.modality, row.usd_per_mtok))
    platforms: dict[tuple[str, _Terms], set[str]] = defaultdict(set)
    for (model, terms), priced in amounts.items():
        platforms[model, terms._replace(platform="", amounts=tuple(priced))].add(terms.platform)
    return platforms


def _entry(models: Sequence[str], terms: _Terms) -> str:
    lines = ["[[price]]", *_models(models)]
    lines += [f"platform = {_text(terms.platform)}"] if terms.platform else []
    lines += [f"tier = {_text(terms.tier)}"] if terms.tier != Tier.STANDARD else []
    lines += [f"valid_from = {_time(terms.valid_from)}"] if terms.valid_from != ALWAYS_FROM else []
    lines += [f"valid_to = {_time(terms.valid_to)}"] if terms.valid_to != ALWAYS_TO else []
    lines += [f"source = {_text(terms.source)}", *_prices(terms.amounts)]
    return "\n".join(lines) + "\n"


def _models(models: Sequence[str]) -> list[str]:
    if len(models) == 1:
        return [f"models = [{_text(models[0])}]"]
    return ["models = [", *(f"  {_text(model)}," for model in models), "]"]


def _prices(amounts: _Amounts) -> Iterable[str]:
    usd = {(direction, modality): number for direction, modality, number in amounts}
    for rate in TOKEN_RATES:
        pairs = [f"{name} = {_number(usd[rate, name])}" for name in MODALITIES if (rate, name) in usd]
        if pairs:
            yield f"{rate} = {{ {', '.join(pairs)} }}"
    for key, query in GROUNDING_RATES.items():
        if (Rate.GROUNDING, query) in usd:
            yield f"{key} = {_number(usd[Rate.GROUNDING, query] / 1000)}"


def _number(usd: Decimal) -> str:
    digits = f"{usd:f}"
    return digits.rstrip("0").rstrip(".") if "." in digits else digits


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _text(words: str) -> str:
    # JSON's strings are strings of TOML.
    return json.dumps(words, ensure_ascii=False)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the file, or compare it with ``--check``; return the exit code."""
    parser = argparse.ArgumentParser(prog=_COMMAND, description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare only; exit 1 if out of date")
    parser.add_argument("--file", type=Path, default=FILE, help="the file")
    options = parser.parse_args(arguments)
    made = price_file(price_rows(known_models()))
    if not options.check:
        options.file.write_text(made, encoding="utf-8")
        return 0
    if options.file.exists() and options.file.read_text(encoding="utf-8") == made:
        return 0
    sys.stderr.write(f"{options.file.name} is out of date: run {_COMMAND} and commit it\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
