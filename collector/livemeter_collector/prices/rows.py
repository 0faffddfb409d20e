"""Published prices to rows: genai-prices, our own small table for what it lacks, and a user's over both.

Pure. genai-prices names a price by unit (``input_audio_mtok``); accounting needs direction and modality.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, time
from decimal import Decimal
from functools import cache
from importlib import metadata, resources

from genai_prices.data import providers
from genai_prices.types import ConditionalPrice, ModelInfo, ModelPrice, StartDateConstraint

from livemeter.accounts.price_file import read_overrides
from livemeter.accounts.prices import with_overrides
from livemeter.accounts.rates import ALWAYS_FROM, ALWAYS_TO, Price, Tier
from livemeter.diagnosis import bare_model
from livemeter.diagnosis.models import load_models
from livemeter.vocabulary import Platform

_UNITS = {
    "input_mtok": ("input", "TEXT"),
    "input_audio_mtok": ("input", "AUDIO"),
    "input_image_mtok": ("input", "IMAGE"),
    "input_video_mtok": ("input", "VIDEO"),
    "output_mtok": ("output", "TEXT"),
    "output_audio_mtok": ("output", "AUDIO"),
    "output_image_mtok": ("output", "IMAGE"),
    "output_video_mtok": ("output", "VIDEO"),
    "cache_read_mtok": ("cached_input", "TEXT"),
    "cache_audio_read_mtok": ("cached_input", "AUDIO"),
    "web_searches_kcount": ("grounding", "QUERY"),
}
_PER_MILLION = {"web_searches_kcount": 1000}
_OWN_TABLE = "published.toml"


def known_models() -> set[str]:
    """Return every Live model name that is priced without having been seen: our tables' names."""
    return {*load_models().models, *(row.model for row in _own_table())}


def price_rows(models: Iterable[str], overrides: Iterable[Price] = ()) -> list[Price]:
    """Return the rows of these models and of those that the overrides name, sorted.

    A model that nobody has a price for has none. A name with ``models/`` or a publisher's path before it is
    priced as its bare name, under the name as it was written.
    """
    names = set(models)
    published = [row for name in names for row in _published(name)]
    return with_overrides(published, _also_as_written(overrides, names))


def _also_as_written(rows: Iterable[Price], names: Iterable[str]) -> Iterator[Price]:
    """Yield a user's prices, and again for every longer way in which their models were written."""
    longer = [(name, bare_model(name)) for name in names if bare_model(name) != name]
    for row in rows:
        yield row
        yield from (replace(row, model=name) for name, bare in longer if bare == row.model)


def _published(name: str) -> list[Price]:
    bare = bare_model(name)
    info = _find(bare)
    own = [row for row in _own_table() if row.model == bare]
    if info and not own:
        # A variant that genai-prices knows by how its name begins has what its family has.
        own = [row for row in _own_table() if row.model == info.id]
    ours = (replace(row, model=name) for row in own)
    return with_overrides(ours, _rows_of(info, name) if info else ())


def _rows_of(info: ModelInfo, name: str) -> Iterator[Price]:
    source = f"genai-prices {metadata.version('genai-prices')}"
    for prices, valid_from, valid_to in _periods(info):
        for unit, (direction, modality) in _UNITS.items():
            usd = getattr(prices, unit, None)
            # Tiered by prompt size: no Live model is; a row that holds only sometimes would be wrong.
            if not isinstance(usd, Decimal):
                continue
            usd *= _PER_MILLION.get(unit, 1)
            for on in Platform:
                yield Price(
                    name, on.value, Tier.STANDARD, direction, modality, usd, valid_from, valid_to, source
                )


def _find(model: str) -> ModelInfo | None:
    google = next(provider for provider in providers if provider.id == "google")
    return next((info for info in google.models if info.match.is_match(model)), None)


def _periods(info: ModelInfo) -> Iterator[tuple[ModelPrice, datetime, datetime]]:
    """Yield each period's prices; a later start ends the period before it."""
    if isinstance(info.prices, ModelPrice):
        yield info.prices, ALWAYS_FROM, ALWAYS_TO
        return
    dated = sorted((start, price.prices) for price in info.prices if (start := _start(price)) is not None)
    ends = [*(start for start, _ in dated[1:]), ALWAYS_TO]
    for (start, prices), end in zip(dated, ends, strict=True):
        yield prices, start, end


def _start(price: ConditionalPrice) -> datetime | None:
    if price.constraint is None:
        return ALWAYS_FROM
    if isinstance(price.constraint, StartDateConstraint):
        return datetime.combine(price.constraint.start_date, time(), tzinfo=UTC)
    return None  # Prices by the hour of the day: no Live model has them.


@cache
def _own_table() -> tuple[Price, ...]:
    text = resources.files(__package__ or "").joinpath(_OWN_TABLE).read_text("utf-8")
    return read_overrides(text, _OWN_TABLE)
