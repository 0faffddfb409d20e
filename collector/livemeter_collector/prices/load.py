"""Loading prices into ClickHouse: the table is replaced as one, then the dictionary told to reload."""

from datetime import UTC, datetime
from decimal import Decimal

from livemeter_collector.prices.rows import PriceRow, known_models, price_rows
from livemeter_collector.store.contract import Store

_COLUMNS = "model, platform, tier, direction, modality, usd_per_mtok, valid_from, valid_to, source"


def load_prices(store: Store) -> int:
    """Bring ``model_prices`` up to date and return how many rows it has.

    Models that were seen in the data are priced beside the ones we know of. Nothing is written when
    nothing changed, so that a start costs one SELECT.
    """
    seen = {str(model) for (model,) in store.query("SELECT DISTINCT model FROM livemeter.usage").rows}
    rows = price_rows(known_models() | seen)
    if rows != _stored(store):
        _replace(store, rows)
        store.command("SYSTEM RELOAD DICTIONARY livemeter.model_price")
    return len(rows)


def _stored(store: Store) -> list[PriceRow]:
    answer = store.query(
        "SELECT model, platform, tier, direction, modality, toString(usd_per_mtok),"
        " toString(toUnixTimestamp(valid_from)), toString(toUnixTimestamp(valid_to)), source"
        " FROM livemeter.model_prices"
    )
    return sorted(_row(*map(str, row)) for row in answer.rows)


def _row(*words: str) -> PriceRow:
    model, platform, tier, direction, modality, usd, valid_from, valid_to, source = words
    start, end = (datetime.fromtimestamp(int(edge), UTC) for edge in (valid_from, valid_to))
    return PriceRow(model, platform, tier, direction, modality, Decimal(usd), start, end, source)


def _replace(store: Store, rows: list[PriceRow]) -> None:
    # A staging table and REPLACE PARTITION: a reader sees the old prices or the new, never none.
    store.command("CREATE OR REPLACE TABLE livemeter.model_prices_staging AS livemeter.model_prices")
    values = ", ".join(_literal(row) for row in rows)
    store.command(f"INSERT INTO livemeter.model_prices_staging ({_COLUMNS}) VALUES {values}")  # noqa: S608
    store.command(
        "ALTER TABLE livemeter.model_prices REPLACE PARTITION tuple() FROM livemeter.model_prices_staging"
    )
    store.command("DROP TABLE livemeter.model_prices_staging")


def _literal(row: PriceRow) -> str:
    words = (row.model, row.platform, row.tier, row.direction, row.modality)
    texts = ", ".join(_quoted(word) for word in words)
    times = f"toDateTime({int(row.valid_from.timestamp())}), toDateTime({int(row.valid_to.timestamp())})"
    return f"({texts}, toDecimal128('{row.usd_per_mtok:f}', 18), {times}, {_quoted(row.source)})"


def _quoted(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
