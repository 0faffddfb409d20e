"""Loading prices into ClickHouse: the table is replaced as one, then the dictionaries told to reload."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from livemeter.accounts.rates import Price
from livemeter_collector.prices.rows import known_models, price_rows
from livemeter_collector.store.contract import Store

DICTIONARIES = ("model_price", "price_by_key")
"""What answers for a price: by its five names, with its source, and by one number, for sums."""

_COLUMNS = "model, platform, tier, direction, modality, usd_per_mtok, valid_from, valid_to, source"


@dataclass(frozen=True, slots=True)
class Loaded:
    """What ``model_prices`` has now, and what of it is new."""

    rows: int
    added: Sequence[Price] = ()
    changed: Sequence[tuple[Price, Price]] = ()
    """Before and after: another price, end or source from the same time on."""
    removed: Sequence[Price] = ()


def load_prices(store: Store, overrides: Iterable[Price] = (), *, reload: bool = False) -> Loaded:
    """Bring ``model_prices`` up to date, and with it the dictionaries that figures are priced by.

    Models that were seen in the data are priced beside the ones we know of. Nothing is written when
    nothing changed, so that a start costs two SELECTs.

    Args:
        store: whose prices they are.
        overrides: what wins over the published prices.
        reload: load the dictionaries again though nothing changed: somebody else may have written the table.
    """
    seen = {str(model) for (model,) in store.query("SELECT DISTINCT model FROM livemeter.usage").rows}
    rows = price_rows(known_models() | seen, overrides)
    stored = _stored(store)
    if rows != stored:
        _replace(store, rows)
    if rows != stored or reload:
        for dictionary in DICTIONARIES:
            store.command(f"SYSTEM RELOAD DICTIONARY livemeter.{dictionary}")
    return compared(stored, rows)


def compared(before: Iterable[Price], after: Sequence[Price]) -> Loaded:
    """Say what is new. Pure."""
    old, new = ({_key(row): row for row in rows} for rows in (before, after))
    return Loaded(
        rows=len(after),
        added=[row for key, row in new.items() if key not in old],
        changed=[(old[key], row) for key, row in new.items() if key in old and old[key] != row],
        removed=[row for key, row in old.items() if key not in new],
    )


def _key(row: Price) -> tuple[object, ...]:
    return row.model, row.platform, row.tier, row.direction, row.modality, row.valid_from


def _stored(store: Store) -> list[Price]:
    answer = store.query(
        "SELECT model, platform, tier, direction, modality, toString(usd_per_mtok),"
        " toString(toUnixTimestamp(valid_from)), toString(toUnixTimestamp(valid_to)), source"
        " FROM livemeter.model_prices"
    )
    return sorted(_row(*map(str, row)) for row in answer.rows)


def _row(*words: str) -> Price:
    model, platform, tier, direction, modality, usd, valid_from, valid_to, source = words
    start, end = (datetime.fromtimestamp(int(edge), UTC) for edge in (valid_from, valid_to))
    return Price(model, platform, tier, direction, modality, Decimal(usd), start, end, source)


def _replace(store: Store, rows: Iterable[Price]) -> None:
    # A staging table and REPLACE PARTITION: a reader sees the old prices or the new, never none.
    store.command("CREATE OR REPLACE TABLE livemeter.model_prices_staging AS livemeter.model_prices")
    values = ", ".join(_literal(row) for row in rows)
    store.command(f"INSERT INTO livemeter.model_prices_staging ({_COLUMNS}) VALUES {values}")  # noqa: S608
    store.command(
        "ALTER TABLE livemeter.model_prices REPLACE PARTITION tuple() FROM livemeter.model_prices_staging"
    )
    store.command("DROP TABLE livemeter.model_prices_staging")


def _literal(row: Price) -> str:
    words = (row.model, row.platform, row.tier, row.direction, row.modality)
    texts = ", ".join(_quoted(word) for word in words)
    times = f"toDateTime({int(row.valid_from.timestamp())}), toDateTime({int(row.valid_to.timestamp())})"
    return f"({texts}, toDecimal128('{row.usd_per_mtok:f}', 18), {times}, {_quoted(row.source)})"


def _quoted(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
