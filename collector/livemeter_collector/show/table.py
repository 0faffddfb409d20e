"""A table that fits its screen: on a narrow one whole columns leave, ids and numbers never break. Pure.

Everything that came from outside is made printable here, so that no close reason or user id can move the
cursor of whoever looks at it. rich's own tables take a second for ten thousand rows, and break ids.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.style import Style
from rich.table import Table
from rich.text import Text

from livemeter_collector.show.values import printable

_GAP = 2
_NARROWEST_PROSE = 32

Cell = str | Text
"""What a cell shows. A string is foreign text; a Text is our own, in one style, perhaps of several lines."""


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
        """Render the lines for a screen as wide as ``options`` says."""
        for line in self.lines(options.max_width):
            yield from line
            yield Segment.line()

    def lines(self, width: int) -> Iterator[list[Segment]]:
        """Yield the lines of the table and, if columns had to leave, what they were."""
        least = [self._least_width(place) for place in range(len(self.columns))]
        places = self._fitting(least, width)
        widths = self._widths(places, least, width)
        bold = Style(bold=True)
        yield from self._row_lines([column.heading for column in self.columns], widths, bold)
        for row in self.rows:
            yield from self._row_lines(row, widths, Style.null())
        if self.total:
            yield from self._row_lines(self.total, widths, bold)
        hidden = [column.heading for place, column in enumerate(self.columns) if place not in widths]
        if hidden:
            words = f"not shown for lack of width: {', '.join(hidden)}"
            yield from ([Segment(line, Style(dim=True))] for line in _wrapped(words, width))

    def fitting(self, width: int) -> list[int]:
        """Return the places of the columns that fit, in their order."""
        return self._fitting([self._least_width(place) for place in range(len(self.columns))], width)

    def _fitting(self, least: Sequence[int], width: int) -> list[int]:
        places = list(range(len(self.columns)))
        leaving = sorted(
            (place for place in places if self.columns[place].leaves),
            key=lambda place: self.columns[place].leaves,
        )
        while leaving and _table_width([least[place] for place in places]) > width:
            places.remove(leaving.pop())
        return places

    def _widths(self, places: Sequence[int], least: Sequence[int], width: int) -> dict[int, int]:
        """Map the places shown to their widths: prose takes what room there is, up to what it needs."""
        widths = {place: least[place] for place in places}
        for place in places:
            if self.columns[place].prose:
                room = max(0, width - _table_width(widths.values()))
                widths[place] = min(self._natural_width(place), widths[place] + room)
        return widths

    def _least_width(self, place: int) -> int:
        natural = self._natural_width(place)
        return min(natural, _NARROWEST_PROSE) if self.columns[place].prose else natural

    def _natural_width(self, place: int) -> int:
        rows = [*self.rows, self.total] if self.total else self.rows
        cells = (line for row in rows for line in _cell_lines(row[place]))
        return max(cell_len(self.columns[place].heading), max(map(cell_len, cells), default=0))

    def _row_lines(
        self, row: Sequence[Cell], widths: dict[int, int], style: Style
    ) -> Iterator[list[Segment]]:
        """Yield the lines of a row: as many as its highest cell has."""
        blocks = [self._block(place, row[place], width) for place, width in widths.items()]
        styles = [style + _style(row[place]) for place in widths]
        blanks = [" " * width for width in widths.values()]
        gap = " " * _GAP
        for number in range(max(map(len, blocks), default=0)):
            line: list[Segment] = []
            for block, blank, cell_style in zip(blocks, blanks, styles, strict=True):
                line.append(Segment(block[number] if number < len(block) else blank, cell_style))
                line.append(Segment(gap))
            yield line[:-1]

    def _block(self, place: int, cell: Cell, width: int) -> list[str]:
        """Return a cell's lines, each exactly so wide."""
        column, lines = self.columns[place], _cell_lines(cell)
        if column.prose:
            lines = [part for line in lines for part in _wrapped(line, width)]
        padded = ((line, " " * (width - cell_len(line))) for line in lines)
        return [pad + line if column.right else line + pad for line, pad in padded]


def facts(pairs: Sequence[tuple[str, Cell]]) -> Table:
    """Return names and values beneath each other; a long value goes on in the next line."""
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), show_header=False)
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    for name, value in pairs:
        table.add_row(name, Text(printable(value)) if isinstance(value, str) else value)
    return table


def _table_width(widths: Collection[int]) -> int:
    return sum(widths) + _GAP * (len(widths) - 1)


def _cell_lines(cell: Cell) -> list[str]:
    return [printable(cell)] if isinstance(cell, str) else cell.plain.split("\n")


def _style(cell: Cell) -> Style:
    if isinstance(cell, str) or not cell.style:
        return Style.null()
    return Style.parse(cell.style) if isinstance(cell.style, str) else cell.style


def _wrapped(words: str, width: int) -> list[str]:
    """Break a line between words; a word that is wider than a line stands out rather than break."""
    lines: list[str] = []
    for word in words.split(" "):
        if lines and cell_len(lines[-1]) + 1 + cell_len(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines
