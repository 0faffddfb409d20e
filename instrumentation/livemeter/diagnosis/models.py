"""Which Live model name works on which backend, from ``models.toml``.

An explicit table: a name that is not in it raises nothing, whatever it looks like. Pure: the day's date
plays no part, so a name with an announced end counts as working until its end is in the table.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cache

from livemeter.diagnosis.packaged import DataError, Fields, packaged_text, parse_toml
from livemeter.vocabulary import Platform

_RESOURCE_PREFIX = re.compile(r"^(?:projects/[^/]+/locations/[^/]+/)?(?:publishers/google/)?models/")
_BACKENDS = {Platform.GEMINI_API: "the Gemini API", Platform.VERTEX_AI: "Vertex AI"}


class MismatchKind(StrEnum):
    """In which way a model name does not fit."""

    WRONG_PLATFORM = "wrong_platform"
    GONE = "gone"
    RETIRING = "retiring"


@dataclass(frozen=True, slots=True)
class ModelName:
    """One row of the table; see ``models.toml`` for what the fields mean."""

    name: str
    platforms: tuple[Platform, ...]
    counterpart: str
    retirement_date: date | None
    replaced_by: str


@dataclass(frozen=True, slots=True)
class ModelTable:
    """All known names. ``on_both`` is a current model that both backends serve under one name."""

    reviewed: date
    on_both: str
    models: Mapping[str, ModelName]


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A model name that cannot work where it was used, and the name to try.

    ``model`` is bare. ``platform`` is empty when it is not known. ``hint`` is one or two sentences that
    name the model, the backend in use and the name to try.
    """

    kind: MismatchKind
    model: str
    platform: str
    try_model: str
    hint: str


def bare_model(name: str) -> str:
    """Strip ``models/`` or ``projects/…/publishers/google/models/`` from a model name."""
    return _RESOURCE_PREFIX.sub("", name.strip())


def model_mismatch(model: str | None, platform: str | None) -> Mismatch | None:
    """Say why this model cannot work on this backend; None when it can, or when either is not known."""
    standing = model_standing(model, platform)
    return None if standing is None or standing.kind is MismatchKind.RETIRING else standing


def model_standing(model: str | None, platform: str | None) -> Mismatch | None:
    """Return what the table holds against the model, an announced retirement (``retiring``) included."""
    table = load_models()
    row = table.models.get(bare_model(model or "").lower())
    here = Platform(platform) if platform in _BACKENDS else None
    if row is None:
        return None
    if not row.platforms:
        return _gone(table, row, here)
    if here is None:
        return None
    if here not in row.platforms:
        return _wrong_platform(table, row, here)
    return _retiring(table, row, here) if row.retirement_date else None


def _wrong_platform(table: ModelTable, row: ModelName, here: Platform) -> Mismatch:
    other = _BACKENDS[row.platforms[0]]
    use = table.models[row.counterpart or _successor(table, row, here)]
    hint = f"`{row.name}` is a name of {other}, but this connection uses {_BACKENDS[here]}: "
    hint += f"use `{use.name}` here"
    hint += "." if row.retirement_date else f", or connect to {other}."
    if use.retirement_date:
        hint += f" The end of `{use.name}` was announced for {use.retirement_date}, "
        hint += f"in favour of `{_successor(table, use, here)}`."
    return Mismatch(MismatchKind.WRONG_PLATFORM, row.name, here, use.name, hint)


def _gone(table: ModelTable, row: ModelName, here: Platform | None) -> Mismatch:
    use = _successor(table, row, here)
    where = f" on {_BACKENDS[here]}" if here else ""
    since = f" since {row.retirement_date}" if row.retirement_date else ""
    hint = f"`{row.name}` is switched off for Live{since}: use `{use}`{where}."
    return Mismatch(MismatchKind.GONE, row.name, here or "", use, hint)


def _retiring(table: ModelTable, row: ModelName, here: Platform) -> Mismatch:
    use = _successor(table, row, here)
    hint = (
        f"The end of `{row.name}` was announced for {row.retirement_date}: use `{use}` on {_BACKENDS[here]}."
    )
    return Mismatch(MismatchKind.RETIRING, row.name, here, use, hint)


def _successor(table: ModelTable, row: ModelName, here: Platform | None) -> str:
    """Follow the replacements to the last one; where that does not work here, name the model for both."""
    while row.replaced_by:
        row = table.models[row.replaced_by]
    works = here in row.platforms if here else bool(row.platforms)
    return row.name if works else table.on_both


@cache
def load_models() -> ModelTable:
    """Return the packaged table, read once."""
    return parse_models(packaged_text("models.toml"), "models.toml")


def parse_models(text: str, name: str) -> ModelTable:
    """Read and check a table of model names; raises DataError."""
    fields = parse_toml(text, name)
    rows = fields.table("models")
    table = ModelTable(
        reviewed=fields.required("reviewed", date),
        on_both=fields.required("on_both", str),
        models={model: _model(model, rows.table(model)) for model in rows.names()},
    )
    fields.done()
    _check(table, name)
    return table


def _model(name: str, fields: Fields) -> ModelName:
    platforms = fields.many("platforms", str)
    unknown = set(platforms) - set(_BACKENDS)
    if unknown:
        raise DataError(f"{fields.where}: unknown platform `{min(unknown)}`; allowed: {', '.join(_BACKENDS)}")
    row = ModelName(
        name=name,
        platforms=tuple(Platform(platform) for platform in platforms),
        counterpart=fields.optional("counterpart", str) or "",
        retirement_date=fields.optional("retirement_date", date),
        replaced_by=fields.optional("replaced_by", str) or "",
    )
    fields.done()
    return row


def _check(table: ModelTable, name: str) -> None:
    """Check what holds between rows: names exist, counterparts are mutual, replacements come to an end."""
    both = table.models.get(table.on_both)
    if both is None or len(both.platforms) != len(_BACKENDS):
        raise DataError(f"{name}: on_both `{table.on_both}` must be a model that works on every platform")
    for row in table.models.values():
        _check_row(table, row, f"{name}: {row.name}")


def _check_row(table: ModelTable, row: ModelName, where: str) -> None:
    for key, other in (("counterpart", row.counterpart), ("replaced_by", row.replaced_by)):
        if other and other not in table.models:
            raise DataError(f"{where}: {key} `{other}` is not in the table; add it")
    if row.counterpart and table.models[row.counterpart].counterpart != row.name:
        raise DataError(f"{where}: `{row.counterpart}` must name it as its counterpart too")
    if row.counterpart and set(table.models[row.counterpart].platforms) & set(row.platforms):
        raise DataError(f"{where}: its counterpart must be on the other platform")
    if not row.platforms and not row.replaced_by:
        raise DataError(f"{where}: a model that is gone needs `replaced_by`")
    seen = {row.name}
    while row.replaced_by:
        row = table.models.get(row.replaced_by, row)
        if row.name in seen:
            raise DataError(f"{where}: its replacements go round in a circle")
        seen.add(row.name)
