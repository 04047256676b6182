"""Tables and consoles for terminals, pipes and batch logs: numbers and headers are never cut,
whatever the width.

Where there is no room, names take two lines or are shortened in the middle, sentences wrap between
words, and then columns move to a table of their own below; where not even that fits, each row
becomes lines of `header: value`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import zip_longest

from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from snap_al.names import in_terminal

GAP = 2
"""Number of blanks between columns."""
MIN_NAME, GOOD_NAME, MIN_TEXT, MAX_TEXT = 16, 24, 24, 60
"""Cells: the least that a name is shortened to, what it gets before headers are written on one
line; the least and the most of a column of sentences."""
UNLIMITED = 10_000
"""Width of a console that writes to a file or a pipe: nothing is wrapped there."""


class Content(Enum):
    """What is in a column, which says what may be done with it."""

    NUMBER = "never broken"
    NAME = "two lines, or shortened in the middle"
    TEXT = "wrapped between words"


@dataclass(frozen=True)
class Column:
    """A column of a table."""

    header: str
    """Text above its cells."""
    content: Content = Content.NUMBER
    """How its cells may be broken or shortened."""


@dataclass(frozen=True)
class TextTable:
    """A table for a terminal."""

    title: str
    """Text above the table."""
    columns: tuple[Column, ...]
    """The columns. The first one names the rows, and is repeated where the others go into several
    tables."""
    rows: tuple[tuple[str, ...], ...]
    """A text for each column of each row."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for line, bold in self._styled_lines(options.max_width):
            yield Text(line, style="bold" if bold else "", no_wrap=True, overflow="ignore")

    def lines(self, width: int) -> list[str]:
        """The lines of the text at this width."""
        return [line for line, _ in self._styled_lines(width)]

    def _styled_lines(self, width: int) -> list[tuple[str, bool]]:
        rows = [[in_terminal(cell) for cell in row] for row in self.rows]
        title = wrapped(in_terminal(self.title), width) if self.title else []
        out = [(line, True) for line in title]
        parts = _parts(self.columns, rows, width)
        if parts is None:
            return out + [(line, False) for line in _records(self.columns, rows, width)]
        for number, (chosen, widths) in enumerate(parts):
            if number:
                out.append(("", False))
            cells = [[row[k] for k in chosen] for row in rows]
            out += _table_lines([self.columns[k] for k in chosen], cells, widths)
        return out


def make_console(*, stderr: bool = False, quiet: bool = False) -> Console:
    """A console that shows text as it is, without markup. It is as wide as the terminal or as
    COLUMNS says; a pipe or a file has no width."""
    console = Console(stderr=stderr, quiet=quiet, markup=False, emoji=False, highlight=False)
    if not console.is_terminal and not os.environ.get("COLUMNS", "").isdigit():
        console.width = UNLIMITED
    return console


def shortened(name: str, width: int) -> str:
    """The text with at most this number of cells, with … in place of its middle."""
    if cell_len(name) <= width:
        return name
    right = (width - 1) // 2
    end = name
    while cell_len(end) > right:
        end = end[1:]
    start = name
    while cell_len(start) > width - 1 - cell_len(end):
        start = start[:-1]
    return f"{start}…{end}"


def wrapped(text: str, width: int) -> list[str]:
    """Lines of at most so many cells, broken between words; a word that is longer is broken
    within."""
    lines, line = [], ""
    for word in text.split(" "):
        if line and cell_len(line) + 1 + cell_len(word) <= width:
            line += f" {word}"
            continue
        if line:
            lines.append(line)
        *full, line = _pieces(word, width)
        lines += full
    return [*lines, line]


def _pieces(word: str, width: int) -> list[str]:
    """Pieces of a word with at most this number of cells, but at least one character."""
    pieces = [""]
    for character in word:
        if pieces[-1] and cell_len(pieces[-1]) + cell_len(character) > width:
            pieces.append("")
        pieces[-1] += character
    return pieces


def _longest(texts: Iterable[str]) -> int:
    return max((cell_len(text) for text in texts), default=0)


Columns = Sequence[Column]
Rows = Sequence[Sequence[str]]
Part = tuple[list[int], list[int]]
"""A table of some of the columns: their numbers and their widths."""


def _parts(columns: Columns, rows: Rows, width: int) -> list[Part] | None:
    """The smallest number of tables that fit. None where a column does not fit beside the first."""

    def fitted(chosen: list[int]) -> Part | None:
        cells = [[row[k] for k in chosen] for row in rows]
        widths = _widths([columns[k] for k in chosen], cells, width)
        return None if widths is None else (chosen, widths)

    parts: list[Part] = []
    for number in range(len(columns)):
        if larger := fitted([*parts[-1][0], number] if parts else [number]):
            parts[-1:] = [larger]
        elif parts and (another := fitted([0, number])):
            parts.append(another)
        else:
            return None
    return parts


def _widths(columns: Columns, rows: Rows, width: int) -> list[int] | None:
    """Width of each column; None where they do not fit."""
    natural = [_longest(row[k] for row in rows) for k in range(len(columns))]
    for k, column in enumerate(columns):
        if column.content is Content.TEXT:
            natural[k] = min(natural[k], MAX_TEXT)
    limits = {Content.NUMBER: UNLIMITED, Content.NAME: MIN_NAME, Content.TEXT: MIN_TEXT}
    least = [min(n, limits[c.content]) for c, n in zip(columns, natural, strict=True)]
    widths = [max(_longest(c.header.split(" ")), n) for c, n in zip(columns, least, strict=True)]
    spare = width - sum(widths) - GAP * (len(columns) - 1)
    if spare < 0:
        return None
    names = [c.content is Content.NAME for c in columns]
    headers = [max(cell_len(c.header), f) for c, f in zip(columns, widths, strict=True)]
    wishes = [
        [min(n, GOOD_NAME) if name else 0 for name, n in zip(names, natural, strict=True)],
        headers if sum(headers) - sum(widths) <= spare else widths,
        [n if name else 0 for name, n in zip(names, natural, strict=True)],
        natural,
    ]
    for wish in wishes:
        for k, wanted in enumerate(wish):
            more = min(max(wanted - widths[k], 0), spare)
            widths[k] += more
            spare -= more
    return widths


def _table_lines(columns: Columns, rows: Rows, widths: Sequence[int]) -> list[tuple[str, bool]]:
    headers = [wrapped(c.header, w) for c, w in zip(columns, widths, strict=True)]
    height = max(map(len, headers))
    headers = [[""] * (height - len(h)) + h for h in headers]
    out = [(line, True) for line in _joined(columns, headers, widths)]
    out.append(((" " * GAP).join("-" * w for w in widths), False))
    for row in rows:
        cells = [
            _name_lines(cell, w) if c.content is Content.NAME else wrapped(cell, w)
            for c, cell, w in zip(columns, row, widths, strict=True)
        ]
        out += [(line, False) for line in _joined(columns, cells, widths)]
    return out


def _name_lines(name: str, width: int) -> list[str]:
    """Two lines when the words allow it, otherwise one that is shortened."""
    lines = wrapped(name, width)
    whole = " ".join(lines) == name and len(lines) <= 2
    return lines if whole else [shortened(name, width)]


def _joined(columns: Columns, cells: Rows, widths: Sequence[int]) -> list[str]:
    """The lines of a row whose cells have several lines each."""
    out = []
    for parts in zip_longest(*cells, fillvalue=""):
        padded = [_padded(*item) for item in zip(columns, parts, widths, strict=True)]
        out.append((" " * GAP).join(padded).rstrip())
    return out


def _padded(column: Column, part: str, width: int) -> str:
    if column.content is Content.NUMBER:
        return " " * (width - cell_len(part)) + part
    return set_cell_size(part, width)


def _records(columns: Columns, rows: Rows, width: int) -> list[str]:
    out = []
    for first, *others in rows:
        out.append(shortened(first, width))
        for column, cell in zip(columns[1:], others, strict=True):
            if cell:
                lines = wrapped(f"{column.header}: {cell}", max(width - 2, 1))
                out += [f"  {line}" for line in lines]
    return out
