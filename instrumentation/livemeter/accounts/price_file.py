"""Reading prices from TOML: the packaged ``prices.toml``, and a user's file, which wins over it. Pure.

Each ``[[price]]`` is for one or more models. Everything but ``models`` and one price may be left out::

    [[price]]
    models = ["gemini-3.8-live"]            # bare names, without models/
    platform = "vertex_ai"                  # or "gemini_api"; both, if it is not given
    tier = "standard"                       # or "priority", "flex", "provisioned"; standard
    valid_from = 2026-12-01T00:00:00Z       # on whole hours; since ever
    valid_to = 2027-12-01                   # a date is its start in UTC; for ever
    input = { TEXT = 0.70, AUDIO = 2.80 }   # USD per million tokens: TEXT, AUDIO, IMAGE, VIDEO
    output = { TEXT = 4.20, AUDIO = 11 }
    cached_input = { TEXT = 0.07 }          # the input prices hold where there is none
    grounding_per_1000_queries = 12         # USD; of the tier standard alone
    grounding_per_1000_first_queries = 0    # within a month's allowance: the least that a query costs
    source = "contract of 2026-11"          # where the prices are from; the file's name

A price wins for what it names, and the published one holds for the rest: with ``input = { AUDIO = 2.80 }``
alone, text costs what it always did. Where periods meet or overlap, the one that starts later holds. Numbers
are read as they are written, with up to 12 decimals; 0 is a price, and what has none is unpriced.
"""

import tomllib
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import StrEnum
from itertools import product
from typing import TypeGuard, TypeVar, cast

from livemeter.accounts.rates import ALWAYS_FROM, ALWAYS_TO, FIRST_QUERY, QUERY, Price, Rate, Tier
from livemeter.vocabulary import Platform

MODALITIES = ("TEXT", "AUDIO", "IMAGE", "VIDEO")
"""What tokens are priced by."""
TOKEN_RATES = (Rate.INPUT, Rate.OUTPUT, Rate.CACHED_INPUT)
"""The tables of prices by modality."""
GROUNDING = "grounding_per_1000_queries"
"""The price of grounding."""
GROUNDING_RATES = {GROUNDING: QUERY, "grounding_per_1000_first_queries": FIRST_QUERY}
"""The prices of grounding, each by what stands in the place of a modality."""

_KEYS = ("models", "platform", "tier", "valid_from", "valid_to", *TOKEN_RATES, *GROUNDING_RATES, "source")

_MAX_DECIMALS = 12
_MAX_USD = 1_000_000

_Table = Mapping[str, object]
_Word = TypeVar("_Word", bound=StrEnum)


class PriceFileError(ValueError):
    """A file of prices cannot be used. The message is one line: which file and entry, what, what to do."""


def read_overrides(text: str, name: str) -> tuple[Price, ...]:
    """Return the prices of a file in the format above, in its order.

    Args:
        text: the file's contents.
        name: what messages call it, and the source of prices that name none.

    Raises:
        PriceFileError: it is not TOML, or not in the format.
    """
    try:
        # Decimals from their digits: a price never becomes a float.
        document = tomllib.loads(text, parse_float=Decimal)
    except ValueError as error:
        raise PriceFileError(f"{name}: not valid TOML: {error}") from None
    _reject_unknown(document, ("price",), name)
    entries = document.get("price", [])
    if not _is_list(entries):
        raise PriceFileError(f"{name}: every price must begin with [[price]]")
    numbered = [
        (number, row)
        for number, entry in enumerate(entries, start=1)
        for row in _entry(entry, f"{name}: price {number}", name)
    ]
    _reject_repeated(numbered, name)
    return tuple(row for _, row in numbered)


def _reject_repeated(numbered: list[tuple[int, Price]], name: str) -> None:
    first: dict[tuple[object, ...], int] = {}
    for number, row in numbered:
        key = (row.model, row.platform, row.tier, row.direction, row.modality, row.valid_from)
        if first.setdefault(key, number) != number:
            raise PriceFileError(
                f"{name}: price {number} ({row.model}): price {first[key]} has its {row.direction} of"
                f" {row.modality} on {row.platform} from the same time on; keep one of them"
            )


def _entry(entry: object, where: str, name: str) -> Iterator[Price]:
    """Yield one entry's prices, for each of its models on each of its platforms."""
    if not _is_table(entry):
        raise PriceFileError(f"{where}: must be a table that begins with [[price]]")
    models = _models(entry, where)
    where = f"{where} ({models[0]})"
    _reject_unknown(entry, _KEYS, where)
    platform = _word(entry, "platform", Platform, where)
    tier = _word(entry, "tier", Tier, where) or Tier.STANDARD
    valid_from, valid_to = _period(entry, where)
    source = _text(entry, "source", where) or name
    amounts = [*_token_amounts(entry, where), *_grounding_amounts(entry, tier, where)]
    if not amounts:
        raise PriceFileError(f"{where}: has no price; give {', '.join(TOKEN_RATES)} or {GROUNDING}")
    for model, on, (rate, modality, usd) in product(models, [platform] if platform else Platform, amounts):
        yield Price(model, on.value, tier.value, rate.value, modality, usd, valid_from, valid_to, source)


def _models(entry: _Table, where: str) -> list[str]:
    models = entry.get("models")
    if not (_is_list(models) and models and all(isinstance(model, str) and model for model in models)):
        raise PriceFileError(f'{where}: models must be a list of names, such as ["gemini-3.8-live"]')
    names = cast("list[str]", models)
    for model in names:
        if "/" in model or not model.isprintable():
            raise PriceFileError(f"{where}: models must hold bare names, not {model!r}")
        if names.count(model) > 1:
            raise PriceFileError(f"{where}: models has {model} twice")
    return names


def _text(entry: _Table, key: str, where: str) -> str:
    value = entry.get(key, "")
    if not isinstance(value, str):
        raise PriceFileError(f"{where}: {key} must be a text")
    return value


def _word(entry: _Table, key: str, words: type[_Word], where: str) -> _Word | None:
    word = _text(entry, key, where)
    if key in entry and word not in set(words):
        raise PriceFileError(f"{where}: {key} must be one of {', '.join(words)}, not {word!r}")
    return words(word) if word else None


def _period(entry: _Table, where: str) -> tuple[datetime, datetime]:
    valid_from = _moment(entry, "valid_from", ALWAYS_FROM, where)
    valid_to = _moment(entry, "valid_to", ALWAYS_TO, where)
    if valid_from >= valid_to:
        raise PriceFileError(f"{where}: valid_to must be later than valid_from")
    return valid_from, valid_to


def _moment(entry: _Table, key: str, otherwise: datetime, where: str) -> datetime:
    moment = entry.get(key, otherwise)
    if isinstance(moment, date) and not isinstance(moment, datetime):
        moment = datetime.combine(moment, time(), tzinfo=UTC)
    if not (isinstance(moment, datetime) and moment.tzinfo):
        raise PriceFileError(f"{where}: {key} must be a time in UTC, such as 2026-12-01T00:00:00Z")
    if not ALWAYS_FROM <= moment <= ALWAYS_TO:
        raise PriceFileError(
            f"{where}: {key} must be between the years {ALWAYS_FROM.year} and {ALWAYS_TO.year}"
        )
    moment = moment.astimezone(UTC)
    if (moment.minute, moment.second, moment.microsecond) != (0, 0, 0):
        raise PriceFileError(f"{where}: {key} must be on a whole hour of UTC")
    return moment


def _token_amounts(entry: _Table, where: str) -> Iterator[tuple[Rate, str, Decimal]]:
    for rate in TOKEN_RATES:
        table = entry.get(rate.value, {})
        if not _is_table(table):
            raise PriceFileError(f"{where}: {rate} must be a table by modality, such as {{ TEXT = 0.75 }}")
        _reject_unknown(table, MODALITIES, f"{where}: {rate}")
        for modality, number in table.items():
            yield rate, modality, _usd(number, f"{where}: {rate}.{modality}")


def _grounding_amounts(entry: _Table, tier: Tier, where: str) -> Iterator[tuple[Rate, str, Decimal]]:
    for key, query in GROUNDING_RATES.items():
        if key not in entry:
            continue
        if tier is not Tier.STANDARD:
            raise PriceFileError(f"{where}: {key} is of the tier standard alone; make it a price of its own")
        sign, digits, exponent = _usd(entry[key], f"{where}: {key}").as_tuple()
        # Times a thousand by its exponent: arithmetic would round to the application's decimal context.
        yield Rate.GROUNDING, query, Decimal((sign, digits, cast("int", exponent) + 3))


def _usd(number: object, where: str) -> Decimal:
    if type(number) is int:
        number = Decimal(number)
    if not (isinstance(number, Decimal) and number.is_finite()):
        raise PriceFileError(f"{where} must be a number, such as 0.75")
    if not 0 <= number <= _MAX_USD:
        raise PriceFileError(f"{where} must be from 0 to {_MAX_USD} USD")
    if cast("int", number.as_tuple().exponent) < -_MAX_DECIMALS:
        raise PriceFileError(f"{where} must have at most {_MAX_DECIMALS} decimals")
    return number


def _reject_unknown(table: _Table, known: Collection[str], where: str) -> None:
    for key in table:
        if key not in known:
            raise PriceFileError(f"{where}: unknown key {key!r}; known are {', '.join(known)}")


def _is_table(value: object) -> TypeGuard[_Table]:
    return isinstance(value, dict)


def _is_list(value: object) -> TypeGuard[list[object]]:
    return isinstance(value, list)
