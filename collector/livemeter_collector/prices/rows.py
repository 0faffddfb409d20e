"""Published prices to rows: genai-prices first, our own small table for what it lacks. Pure.

genai-prices names a price by unit (``input_audio_mtok``); accounting needs direction and modality.
"""

import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time
from decimal import Decimal
from importlib import metadata, resources

from genai_prices.data import providers
from genai_prices.types import ConditionalPrice, ModelInfo, ModelPrice, StartDateConstraint

from livemeter.diagnosis.models import load_models
from livemeter.vocabulary import Platform

ALWAYS_FROM = datetime(2020, 1, 1, tzinfo=UTC)
ALWAYS_TO = datetime(2100, 1, 1, tzinfo=UTC)
TIER = "standard"

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


@dataclass(frozen=True, slots=True, order=True)
class PriceRow:
    """One row of ``model_prices``. Grounding is in USD per million queries."""

    model: str
    platform: str
    tier: str
    direction: str
    modality: str
    usd_per_mtok: Decimal
    valid_from: datetime
    valid_to: datetime
    source: str


def known_models() -> set[str]:
    """Return every Live model name that is priced without having been seen: our tables' names."""
    return {*load_models().models, *(name for name, *_ in _own_table())}


def price_rows(models: Iterable[str]) -> list[PriceRow]:
    """Return the rows of these models, sorted; a model that nobody has a price for has none."""
    own = list(_own_table())
    rows = [row for model in models for row in _rows_of(model, own)]
    return sorted(rows)


def _rows_of(model: str, own: list[tuple[str, str, str, Decimal, str]]) -> Iterator[PriceRow]:
    terms = list(_published(model)) or [
        (direction, modality, usd, ALWAYS_FROM, ALWAYS_TO, source)
        for name, direction, modality, usd, source in own
        if name == model
    ]
    for direction, modality, usd, valid_from, valid_to, source in terms:
        for platform in Platform:
            yield PriceRow(
                model, platform.value, TIER, direction, modality, usd, valid_from, valid_to, source
            )


def _published(model: str) -> Iterator[tuple[str, str, Decimal, datetime, datetime, str]]:
    info = _find(model)
    if info is None:
        return
    source = f"genai-prices {metadata.version('genai-prices')}"
    for prices, valid_from, valid_to in _periods(info):
        for unit, (direction, modality) in _UNITS.items():
            usd = getattr(prices, unit, None)
            # Tiered by prompt size: no Live model is; a row that holds only sometimes would be wrong.
            if isinstance(usd, Decimal):
                yield direction, modality, usd * _PER_MILLION.get(unit, 1), valid_from, valid_to, source


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


def _own_table() -> Iterator[tuple[str, str, str, Decimal, str]]:
    text = resources.files(__package__ or "").joinpath("published.toml").read_text("utf-8")
    for entry in tomllib.loads(text)["model"]:
        source = f"{entry['source']}, {entry['as_of']}"
        for name in entry["names"]:
            for direction in ("input", "output"):
                for modality, usd in entry[direction].items():
                    yield name, direction, modality, Decimal(usd), source
