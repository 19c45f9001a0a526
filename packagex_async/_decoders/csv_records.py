"""An exact CSV parser in Python, for the few records that the standard library's parser cannot decode.

It accepts the same files as `csv.reader(strict=True)`, but has no limit for the length of a cell. It can also
stop at the end of incomplete data.
"""

from __future__ import annotations

import re
from typing import NamedTuple

UNCLOSED_QUOTE = "a quoted cell is not closed before the end of the file"
TEXT_AFTER_QUOTE = "a quoted cell is followed by text instead of a comma or the end of the line"

_UNQUOTED = re.compile(r"[^,\r\n]*+")


class Records(NamedTuple):
    """Records at the start of a text.

    Attributes:
        rows: The cells of each record; a blank line has none.
        end: The position after the last record.
        reason: The reason why the next record is malformed, or `None` if it is valid or incomplete.
    """

    rows: list[list[str]]
    end: int
    reason: str | None = None


def parse_records(text: str, *, final: bool) -> Records:
    """Parse the complete records of `text`, which starts at a record.

    Args:
        text: The text.
        final: Whether the text ends at the end of the file.
    """
    rows: list[list[str]] = []
    end = 0
    try:
        while end < len(text):
            cells, end = _parse_record(text, end, final)
            rows.append(cells)
    except _IncompleteError:
        return Records(rows, end, UNCLOSED_QUOTE if final else None)
    except _InvalidError:
        return Records(rows, end, TEXT_AFTER_QUOTE)
    return Records(rows, end)


class _IncompleteError(Exception):
    """The record is longer than the text."""


class _InvalidError(Exception):
    """The record is not valid."""


def _parse_record(text: str, position: int, final: bool) -> tuple[list[str], int]:
    """Return the cells of the record at `position`, and the position after its line break."""
    cells: list[str] = []
    if line_break := _line_break(text, position, final):
        return cells, position + line_break
    while True:
        cell, position = _parse_cell(text, position)
        cells.append(cell)
        if position == len(text):
            if not final:
                raise _IncompleteError
            return cells, position
        if line_break := _line_break(text, position, final):
            return cells, position + line_break
        if text[position] != ",":
            raise _InvalidError
        position += 1


def _parse_cell(text: str, position: int) -> tuple[str, int]:
    """Return the cell at `position`, and the position after it."""
    if not text.startswith('"', position):
        end = _end_of_unquoted(text, position)
        return text[position:end], end
    start = position + 1
    end = text.find('"', start)
    doubled = False
    while text.startswith('""', end) and end >= 0:
        doubled = True
        end = text.find('"', end + 2)
    if end < 0:
        raise _IncompleteError
    cell = text[start:end]
    return cell.replace('""', '"') if doubled else cell, end + 1


def _end_of_unquoted(text: str, position: int) -> int:
    match = _UNQUOTED.match(text, position)
    assert match is not None  # noqa: S101  # the pattern matches an empty text
    return match.end()


def _line_break(text: str, position: int, final: bool) -> int:
    """Return the length of the line break at `position`, or 0 if there is none."""
    if text.startswith("\n", position):
        return 1
    if not text.startswith("\r", position):
        return 0
    if position + 1 == len(text) and not final:
        raise _IncompleteError  # a line feed may follow
    return 2 if text.startswith("\n", position + 1) else 1
