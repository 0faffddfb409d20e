"""A comparison as tables for people and as plain rows for programs. Pure.

What is shown adds up: costs down each column, gaps from the costs beside them, and the parts of the gap to
it, all after rounding.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal, localcontext

from livemeter_collector.reconcile.billing import EXACT, USD, Bill, Billed, Sku
from livemeter_collector.reconcile.compare import (
    Comparison,
    Doubt,
    Part,
    Row,
    sum_up,
    total,
    without_day,
)
from livemeter_collector.reconcile.recorded import Recorded
from livemeter_collector.reconcile.skus import NOT_GEMINI, Group
from livemeter_collector.show.money import (
    Cost,
    aligned,
    apportion,
    cost_cell,
    cost_cells,
    decimals_for,
    dollars,
)
from livemeter_collector.show.table import Cell, Column, Grid
from livemeter_collector.show.values import UNKNOWN, number, printable, text

BY = ("day", "sku")
"""What the comparison can be shown by."""

_WORDS: Mapping[Part, str] = {
    Part.NOT_RECORDED: "billed for models of which no application told anything in these days",
    Part.NOT_BILLED: "recorded of models without a SKU in the file: another account, or the free tier",
    Part.OUTSIDE: "recorded on these days before the file's first hour or after its last",
    Part.COVERAGE: "turns with output and without usage, by measured audio: the least that they cost",
    Part.CACHED: "cached tokens, recorded at their own price; the file has no SKU for them",
    Part.FREE: "billed at nothing, or queries at less than their price",
    Part.UNPRICED: "recorded without a price: what was billed for as many tokens",
    Part.PRICE: "what was billed, at the billed price and at ours",
    Part.UNEXPLAINED: "",
}
_DOUBT_WORDS: Mapping[Doubt, str] = {
    Doubt.UNATTRIBUTED: "no modality was told: recorded as text",
    Doubt.TRANSCRIPTION: "never reported: four bytes of text to a token",
    Doubt.DERIVED: "details were missing: 25 tokens to a second of audio",
    Doubt.REPEATS: "the same usage frame twice for one pass",
    Doubt.GROUNDING: "the first queries of a month may be free",
}
_MODEL_COLUMNS = ("platform", "model", "direction", "modality")
_Rows = Sequence[Mapping[str, object]]


@dataclass(frozen=True, slots=True)
class Report:
    """One reconciliation in all forms."""

    tables: Sequence[Grid]
    """For people; each after the first has a line above it."""
    titles: Sequence[str]
    answer: Mapping[str, object]
    """For programs."""
    columns: Sequence[str]
    """Of ``rows``, which are those of the first table."""
    rows: _Rows
    notes: Sequence[str]


def report(bill: Bill, told: Recorded, comparison: Comparison, by: Sequence[str]) -> Report:
    """Put a comparison into words and tables."""
    rows = _shown_rows(comparison.rows, by)
    whole = total(comparison.rows)
    decimals = decimals_for(
        [*(cost for row in [*rows, whole] for cost in (_billed(row), _recorded(row)))],
    )
    day = None if bill.by_day else str(bill.period)
    tables = {
        "": _compared(rows, whole, by, decimals, day),
        "the gap is made of": _parts(rows, whole, decimals),
    }
    if comparison.uncertain:
        tables["what was recorded may be wrong by"] = _doubts(comparison, decimals)
    if bill.labelled:
        tables["by label of the setup"] = _labels(_by_label(bill, told))
    if bill.not_compared:
        tables["in the file, and not compared"] = _not_compared(bill)
    plain = [_plain(row, by, day) for row in rows]
    return Report(
        list(tables.values()),
        list(tables),
        _answer(bill, told, comparison, plain, whole, by),
        list(plain[0]) if plain else [],
        plain,
        _notes(bill, told),
    )


def _shown_rows(rows: Sequence[Row], by: Sequence[str]) -> list[Row]:
    if set(by) == {"day"}:
        return sum_up(rows, lambda row: Row(row.day, Group("", "", "", "")))
    return sum_up(rows, without_day) if set(by) == {"sku"} else list(rows)


def _compared(rows: Sequence[Row], whole: Row, by: Sequence[str], decimals: int, period: str | None) -> Grid:
    billed, recorded = [_billed(row) for row in rows], [_recorded(row) for row in rows]
    billed_cells = aligned([*cost_cells(billed, decimals), cost_cell(_billed(whole), decimals)])
    recorded_cells = aligned([*cost_cells(recorded, decimals), cost_cell(_recorded(whole), decimals)])
    gaps = _gaps(rows, decimals)
    lines = [
        (
            *_keys(row, by, period),
            _amount(row.billed_quantity),
            billed_cell,
            number(row.recorded_quantity) if row.recorded_quantity else UNKNOWN,
            recorded_cell,
            signed(gap, decimals),
        )
        for row, billed_cell, recorded_cell, gap in zip(
            rows, billed_cells, recorded_cells, gaps, strict=False
        )
    ]
    keys = ("total", *[""] * (len(_headings(by)) - 1))
    last = (*keys, "", billed_cells[-1], "", recorded_cells[-1], signed(sum(gaps, Decimal(0)), decimals))
    columns = (
        *(Column(heading) for heading in _headings(by)),
        Column("tokens billed", right=True, leaves=2),
        Column("billed"),
        Column("tokens recorded", right=True, leaves=1),
        Column("recorded"),
        Column("gap", right=True),
    )
    return Grid(columns, lines, last)


def _gaps(rows: Sequence[Row], decimals: int) -> list[Decimal]:
    """Return the gaps between the costs as they are shown."""
    with localcontext(EXACT):
        billed = apportion([row.billed_usd or Decimal(0) for row in rows], decimals)
        recorded = apportion([row.recorded_usd or Decimal(0) for row in rows], decimals)
        return [one - other for one, other in zip(billed, recorded, strict=True)]


def _parts(rows: Sequence[Row], whole: Row, decimals: int) -> Grid:
    """Show the parts; what rounding leaves over goes to what is unexplained."""
    with localcontext(EXACT):
        gap = sum(_gaps(rows, decimals), Decimal(0))
        told = [part for part in Part if part is not Part.UNEXPLAINED and whole.parts.get(part)]
        shown = apportion([whole.parts[part] for part in told], decimals)
        left = gap - sum(shown, Decimal(0))
    lines = [
        (part.value, signed(usd, decimals), _WORDS[part])
        for part, usd in zip([*told, Part.UNEXPLAINED], [*shown, left], strict=True)
    ]
    columns = (Column("part"), Column("of the gap", right=True), Column("", prose=True))
    return Grid(columns, lines, ("total", signed(gap, decimals), ""))


def _doubts(comparison: Comparison, decimals: int) -> Grid:
    columns = (
        Column("because of"),
        Column("tokens", right=True, leaves=1),
        Column("recorded", right=True),
        Column("less", right=True),
        Column("more", right=True),
        Column("", prose=True),
    )
    amounts = [
        Cost(usd)
        for each in comparison.uncertain
        for usd in (each.recorded_usd, each.less_usd, each.more_usd)
        if usd
    ]
    decimals = max(decimals, decimals_for(amounts))
    lines = [
        (
            each.doubt.value,
            number(each.quantity),
            *(
                UNKNOWN if usd is None else cost_cell(Cost(usd), decimals)
                for usd in (each.recorded_usd, each.less_usd, each.more_usd)
            ),
            _DOUBT_WORDS[each.doubt],
        )
        for each in comparison.uncertain
    ]
    return Grid(columns, lines)


@dataclass(frozen=True, slots=True)
class _Label:
    key: str
    value: str
    billed_usd: Decimal | None
    recorded_usd: Decimal | None


def _labels(labels: Sequence[_Label]) -> Grid:
    decimals = decimals_for(Cost(usd) for each in labels for usd in (each.billed_usd, each.recorded_usd))
    lines = [
        (
            f"{printable(each.key)}={printable(each.value)}",
            cost_cell(Cost(each.billed_usd), decimals),
            cost_cell(Cost(each.recorded_usd), decimals),
        )
        for each in labels
    ]
    return Grid((Column("label"), Column("billed", right=True), Column("recorded", right=True)), lines)


def _by_label(bill: Bill, told: Recorded) -> list[_Label]:
    billed, recorded = bill.labelled, told.labelled or {}
    return [_Label(*label, billed.get(label), recorded.get(label)) for label in sorted({*billed, *recorded})]


def _not_compared(bill: Bill) -> Grid:
    """Show SKUs of Gemini one by one, and what is not of Gemini by service."""
    shown: dict[tuple[str, str, str, str], Billed] = defaultdict(Billed)
    for sku, billed in bill.not_compared.items():
        name = sku.description if sku.reason != NOT_GEMINI else ""
        shown[sku.reason, sku.service, name, sku.currency].add(billed)
    columns = (
        Column("service"),
        Column("SKU", prose=True),
        Column("why not", prose=True),
        Column("lines", right=True, leaves=1),
        Column("billed", right=True),
    )
    lines: list[Sequence[Cell]] = [
        (
            text(service),
            _sku_words(name, billed),
            reason,
            number(billed.lines),
            _in_currency(billed.cost, currency),
        )
        for (reason, service, name, currency), billed in sorted(shown.items())
    ]
    return Grid(columns, lines)


def _sku_words(name: str, billed: Billed) -> str:
    return printable(name) if name else f"{len(billed.skus):,} SKUs"


def _in_currency(amount: Decimal, currency: str) -> str:
    if currency == USD:
        return signed(amount, 4, plus="")
    return f"{amount:,.4f} {printable(currency)}"


def signed(usd: Decimal, decimals: int, plus: str = "+") -> str:
    """Return ``+$0.0123``, ``-$0.0012`` or ``$0``."""
    if not usd:
        return "$0"
    return ("-" if usd < 0 else plus) + dollars(abs(usd), decimals)


def _keys(row: Row, by: Sequence[str], period: str | None) -> tuple[str, ...]:
    group = row.group
    day = (period or str(row.day),) if "day" in by else ()
    sku = (group.platform, group.family, group.direction, group.modality) if "sku" in by else ()
    return (*day, *map(text, sku))


def _headings(by: Sequence[str]) -> tuple[str, ...]:
    return (*(("day",) if "day" in by else ()), *(_MODEL_COLUMNS if "sku" in by else ()))


def _billed(row: Row) -> Cost:
    return Cost(row.billed_usd)


def _recorded(row: Row) -> Cost:
    return Cost(
        row.recorded_usd, row.recorded_low_usd, row.recorded_high_usd, unpriced=bool(row.unpriced_quantity)
    )


def _amount(quantity: Decimal | None) -> str:
    if quantity is None:
        return UNKNOWN
    return f"{quantity:,.0f}" if quantity == quantity.to_integral_value() else f"{quantity:,f}"


def _plain(row: Row, by: Sequence[str], period: str | None) -> dict[str, object]:
    keys = dict(zip(_headings(by), _keys(row, by, period), strict=True))
    return {**keys, **_figures(row)}


def _figures(row: Row) -> dict[str, object]:
    return {
        "billed_quantity": row.billed_quantity,
        "billed_usd": row.billed_usd,
        "credits_usd": row.credits_usd,
        "recorded_quantity": row.recorded_quantity,
        "recorded_usd": row.recorded_usd,
        "recorded_low_usd": row.recorded_low_usd,
        "recorded_high_usd": row.recorded_high_usd,
        "unpriced_quantity": row.unpriced_quantity,
        "gap_quantity": row.gap_quantity,
        "gap_usd": row.gap_usd,
        **{_name(part): row.parts.get(part, Decimal(0)) for part in Part},
        "skus": sorted(row.skus),
    }


def _name(part: Part | Doubt) -> str:
    return f"{part.name.lower()}_usd" if isinstance(part, Part) else part.name.lower()


def _answer(
    bill: Bill, told: Recorded, comparison: Comparison, rows: _Rows, whole: Row, by: Sequence[str]
) -> dict[str, object]:
    figures = _figures(whole)
    # Tokens and queries do not add up.
    money = {name: figure for name, figure in figures.items() if name.endswith("_usd")}
    return {
        "from": bill.period.first,
        "to": bill.period.last,
        "by": list(by),
        "rows": rows,
        "total": {**money, "unpriced_quantity": whole.unpriced_quantity},
        "uncertain": [
            {
                "because_of": _name(each.doubt),
                "quantity": each.quantity,
                "recorded_usd": each.recorded_usd,
                "less_usd": each.less_usd,
                "more_usd": each.more_usd,
            }
            for each in comparison.uncertain
        ],
        "labels": [asdict(each) for each in _by_label(bill, told)],
        "not_compared": [_plain_sku(sku, billed) for sku, billed in _in_order(bill)],
        "lines": bill.lines,
        "skipped_lines": bill.skipped_lines,
        "sessions_begun_before": told.sessions_begun_before,
        "sessions_ended_after": told.sessions_ended_after,
    }


def _in_order(bill: Bill) -> list[tuple[Sku, Billed]]:
    return sorted(
        bill.not_compared.items(), key=lambda item: (item[0].reason, item[0].service, item[0].description)
    )


def _plain_sku(sku: Sku, billed: Billed) -> dict[str, object]:
    return {
        "why": sku.reason,
        "service": sku.service,
        "sku_id": sku.sku_id,
        "sku": sku.description,
        "lines": billed.lines,
        "quantity": billed.quantity,
        "cost": billed.cost,
        "credits": billed.credits,
        "currency": sku.currency,
    }


def _notes(bill: Bill, told: Recorded) -> list[str]:
    notes: list[str] = []
    credits_ = sum((billed.credits for billed in bill.compared.values()), Decimal(0))
    if credits_:
        notes.append(f"credits of {signed(credits_, 4)} are not in what was billed: records know list prices")
    if bill.skipped_lines:
        notes.append(f"{bill.skipped_lines:,} of {bill.lines:,} lines are of other projects or days")
    if bill.is_sign_alone:
        notes.append("the file says $ and no currency: taken for US dollars")
    if told.sessions_begun_before or told.sessions_ended_after:
        notes.append(
            f"{told.sessions_begun_before:,} sessions began before these days and"
            f" {told.sessions_ended_after:,} ended after them; of those only what was used within counts"
        )
    unknown = sorted({unit for billed in bill.compared.values() for unit in billed.unknown_units})
    if unknown:
        notes.append(f"no tokens are known of units that are not: {', '.join(map(repr, unknown))}")
    return notes
