"""A table that fits its screen: on a narrow one whole columns leave, ids and numbers never break. Pure.

Everything that came from outside is made printable here, so that no close reason or user id can move the
cursor of whoever looks at it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from livemeter_collector.show.values import printable

_GAP = 2
_NARROWEST_PROSE = 32

Cell = str | Text
"""What a cell shows. A string is foreign text; a Text is our own, with a style or several lines."""


@dataclass(frozen=True, slots=True)
class Column:
    """How a column is shown."""

    heading: str
    right: bool = False
    """Numbers stand to the right."""
    prose: bool = False
    """Sentences: wrapped between words. Everything else stays on its line."""
    leaves: int = 0
    """On a narrow screen the column with the highest number leaves first; 0 never leaves."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Columns and rows, one cell a column; ``total`` is a last row that sums them up."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    total: Sequence[Cell] | None = None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render as wide as ``options`` allows, and name the columns that had to leave."""
        places = self.fitting(options.max_width)
        width = max(options.max_width, self._width(places))
        yield from console.render(self._table(places), options.update(width=width))
        hidden = [column.heading for place, column in enumerate(self.columns) if place not in places]
        if hidden:
            yield Text(f"not shown for lack of width: {', '.join(hidden)}", style="dim")

    def fitting(self, width: int) -> list[int]:
        """Return the places of the columns that fit, in their order."""
        places = list(range(len(self.columns)))
        leaving = sorted((place for place in places if self.columns[place].leaves), key=self._leaves)
        while leaving and self._width(places) > width:
            places.remove(leaving.pop())
        return places

    def _leaves(self, place: int) -> int:
        return self.columns[place].leaves

    def _width(self, places: Sequence[int]) -> int:
        return sum(map(self._least_width, places)) + _GAP * (len(places) - 1)

    def _least_width(self, place: int) -> int:
        natural = max(cell_len(line) for cell in self._cells(place) for line in _lines(cell))
        return min(natural, _NARROWEST_PROSE) if self.columns[place].prose else natural

    def _cells(self, place: int) -> Iterator[Cell]:
        yield self.columns[place].heading
        for row in self._all_rows():
            yield row[place]

    def _all_rows(self) -> Sequence[Sequence[Cell]]:
        return [*self.rows, self.total] if self.total else self.rows

    def _table(self, places: Sequence[int]) -> Table:
        table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
        for place in places:
            column = self.columns[place]
            table.add_column(
                column.heading,
                justify="right" if column.right else "left",
                no_wrap=not column.prose,
                min_width=self._least_width(place),
            )
        for row in self._all_rows():
            style = "bold" if row is self.total else None
            table.add_row(*(_text(row[place]) for place in places), style=style)
        return table


def facts(pairs: Sequence[tuple[str, Cell]]) -> Table:
    """Return names and values beneath each other; a long value goes on in the next line."""
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), show_header=False)
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    for name, value in pairs:
        table.add_row(name, _text(value))
    return table


def _lines(cell: Cell) -> list[str]:
    return _text(cell).plain.splitlines() or [""]


def _text(cell: Cell) -> Text:
    return Text(printable(cell)) if isinstance(cell, str) else cell
