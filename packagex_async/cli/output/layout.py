"""Arrange records in columns: one line per record, or one block of lines per record."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from packagex_async.cli.output.cell_text import cell_width, pad, shorten

MIN_TABLE_WIDTH = 60
"""Cells of the narrowest terminal on which records are shown in columns."""

NO_VALUE = "-"
"""The text of a value that is `None`."""

_GAP = 2
"""Cells between two columns."""

Style = Callable[[str, str], str]
"""A function that returns a text (first argument) in a style (second argument)."""


@attrs.frozen
class Column:
    """A field of records, and its column in a table.

    Attributes:
        name: The name of the field, which is the heading of the column.
        format: A function that returns a value, which is not `None`, as text for a terminal.
        priority: The rank of the column; 0 is the most important one. The least important columns are dropped
            if the terminal is narrow. A column without priority is not shown on terminals.
        required: Shorten the column instead of dropping it.
        width: Cells that the column gets before less important columns get any. Default: enough for its
            longest value.
        min_width: Cells of the shortest form of the column. If there are fewer, it is dropped.
        cut_last: Shorten other columns first.
        keep_end: Cut the start of a long value instead of its end.
        right: Align the values to the right. Such a column contains numbers, so it is never shortened.
        styles: The style of some values.
    """

    name: str
    format: Callable[[Any], str] = str
    priority: int | None = attrs.field(default=None, kw_only=True)
    required: bool = attrs.field(default=False, kw_only=True)
    width: int | None = attrs.field(default=None, kw_only=True)
    min_width: int = attrs.field(default=6, kw_only=True)
    cut_last: bool = attrs.field(default=False, kw_only=True)
    keep_end: bool = attrs.field(default=False, kw_only=True)
    right: bool = attrs.field(default=False, kw_only=True)
    styles: Mapping[str, str] = attrs.field(factory=dict[str, str], kw_only=True)

    def text(self, value: object) -> str:
        """Return a value as text for a terminal."""
        return NO_VALUE if value is None else self.format(value)


def column_widths(columns: Sequence[Column], contents: Sequence[int], width: int) -> list[int | None]:
    """Distribute the width of a terminal.

    Args:
        columns: The columns, in the order in which they are shown.
        contents: The width of the longest cell of each column, in cells.
        width: The width of the terminal, in cells.

    Returns:
        The width of each column, or `None` if it is dropped.
    """
    contents = [min(content, width) for content in contents]
    order = sorted(range(len(columns)), key=lambda index: columns[index].priority or 0)
    widths = _required_widths(columns, contents, order, width)
    for index in order:
        if columns[index].required:
            continue
        room = _remaining(widths, width) - (_GAP if any(widths) else 0)
        wanted = min(contents[index], columns[index].width or width)
        if room < _least_width(columns[index], wanted):
            continue
        widths[index] = min(wanted, room)
    for index in order:
        current = widths[index]
        if current is not None:
            widths[index] = min(contents[index], current + _remaining(widths, width))
    return widths


def _required_widths(
    columns: Sequence[Column], contents: Sequence[int], order: Sequence[int], width: int
) -> list[int | None]:
    required = [index for index in order if columns[index].required]
    least = [_least_width(column, content) for column, content in zip(columns, contents, strict=True)]
    while sum(least[index] + _GAP for index in required) - _GAP > width:
        required.pop()
    wanted = [
        min(content, column.width or content) for column, content in zip(columns, contents, strict=True)
    ]
    widths: list[int | None] = [wanted[index] if index in required else None for index in range(len(columns))]
    while _remaining(widths, width) < 0:
        # Shorten the widest column.
        widest = max(
            (index for index in required if (widths[index] or 0) > least[index]),
            key=lambda index: (not columns[index].cut_last, widths[index] or 0),
        )
        widths[widest] = (widths[widest] or 0) - 1
    return widths


def _least_width(column: Column, content: int) -> int:
    return content if column.right else min(content, column.min_width)


def _remaining(widths: Sequence[int | None], width: int) -> int:
    used = [column for column in widths if column is not None]
    return width - sum(used) - _GAP * max(len(used) - 1, 0)


def format_table(
    columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int, *, ellipsis: str, style: Style
) -> list[str]:
    """Return the lines of a table: one for the headings, and one for each row.

    Args:
        columns: The columns.
        rows: The cells, one for each column.
        width: The width of the terminal, in cells.
        ellipsis: The mark of a shortened cell.
        style: Applies the styles of the columns.
    """
    names = [column.name for column in columns]
    contents = [max(map(cell_width, cells)) for cells in zip(names, *rows, strict=True)]
    widths = column_widths(columns, contents, width)
    shown = [(index, size) for index, size in enumerate(widths) if size is not None]

    def line(cells: Sequence[str], styles: Sequence[str | None]) -> str:
        parts = []
        for index, size in shown:
            column = columns[index]
            text = shorten(cells[index], size, ellipsis=ellipsis, keep_end=column.keep_end)
            is_last = index == shown[-1][0]
            padded = text if is_last and not column.right else pad(text, size, right=column.right)
            parts.append(_apply(style, padded, styles[index]))
        return (" " * _GAP).join(parts).rstrip()

    headings = line(names, ["bold"] * len(columns))
    return [headings, *(line(row, _styles(columns, row)) for row in rows)]


def format_blocks(
    columns: Sequence[Column],
    rows: Sequence[Sequence[str]],
    width: int | None,
    *,
    ellipsis: str,
    style: Style,
) -> list[str]:
    """Return the lines of one block per row, each of the form `name: value`. An empty line separates blocks.

    Args:
        columns: The columns.
        rows: The cells, one for each column.
        width: The number of cells to which lines are shortened, or `None` if they are complete.
        ellipsis: The mark of a shortened value.
        style: Applies the styles of the columns.
    """
    lines: list[str] = []
    for row in rows:
        lines += [""] if lines else []
        for column, cell, cell_style in zip(columns, row, _styles(columns, row), strict=True):
            room = None if width is None else max(width - len(column.name) - 2, 1)
            text = cell if room is None else shorten(cell, room, ellipsis=ellipsis, keep_end=column.keep_end)
            lines.append(f"{style(f'{column.name}:', 'bold')} {_apply(style, text, cell_style)}")
    return lines


def _styles(columns: Sequence[Column], cells: Sequence[str]) -> list[str | None]:
    return [column.styles.get(cell) for column, cell in zip(columns, cells, strict=True)]


def _apply(style: Style, text: str, name: str | None) -> str:
    return text if name is None else style(text, name)
