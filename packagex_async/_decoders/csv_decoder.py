"""Decodes the blocks of a CSV file to rows, exactly as `csv.reader(strict=True)` decodes the whole file.

A block may end within a record, and a record may contain line breaks. The decoder selects a line break that
probably ends a record, and parses the text before it with `csv.reader`. If `csv.reader` accepts the text, the
line break ends a record, because a strict reader refuses incomplete records. Otherwise the decoder uses its
own parser, which is slower and has no limit for the length of a cell.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterable, Iterator
from itertools import repeat
from typing import Any

from packagex_async._decoders.csv_records import Records, parse_records
from packagex_async._decoders.header import duplicates, unique_names
from packagex_async._decoders.remainder import Remainder
from packagex_async._decoders.row_error import NOT_UTF_8, RowError

_BYTE_ORDER_MARK = "\ufeff"

_OTHER_LINE_BREAKS = "\v\f\x1c\x1d\x1e\x85\u2028\u2029"
"""Characters that end a line for `str.splitlines`, but not in a CSV file."""

_MAX_STEPS = 64
"""Maximum number of steps in the search for the end of a record. Each step moves to an earlier quote."""


class CsvDecoder:
    """Decodes a CSV file, block by block. Blank lines are skipped, also before the header.

    Attributes:
        header: The cells of the header, or `None` before it was decoded.
        names: The names of the columns, each different.
        duplicates: The names that occur more than once in the header.
        count: The number of rows so far.
        error: The error of the next row, or `None`. No row is decoded after it.
    """

    def __init__(self) -> None:
        self.header: list[str] | None = None
        self.names: list[str] = []
        self.duplicates: list[str] = []
        self.count: int = 0
        self.error: RowError | None = None
        self._decode_text = codecs.getincrementaldecoder("utf-8")().decode
        self._at_start = True
        self._remainder: Remainder[str] = Remainder("".join)
        self._text_error = False

    @property
    def pending(self) -> int:
        """The number of characters that were received, but not decoded to rows."""
        return self._remainder.size

    def feed(self, block: bytes, *, final: bool = False) -> list[list[str]]:
        """Return the cells of the rows that `block` completes, up to the row of `error`.

        Args:
            block: The next bytes of the file.
            final: Whether the file ends with this block.
        """
        if self.error is not None:
            return []
        self._remainder.add(self._text(block, final))
        final = final or self._text_error
        if not (final or self._remainder.is_due()):
            return []
        text = self._remainder.take()
        records = _parse(text, final=final and not self._text_error)
        self._remainder.put_back(text[records.end :], decoded=records.end > 0)
        rows = self._rows(records)
        if self._text_error and self.error is None:
            self._set_error(NOT_UTF_8)
        return rows

    def _text(self, block: bytes, final: bool) -> str:
        try:
            text = self._decode_text(block, final)
        except UnicodeDecodeError as error:
            self._text_error = True
            text = error.object[: error.start].decode()
        if self._at_start and text:
            self._at_start = False
            return text.removeprefix(_BYTE_ORDER_MARK)
        return text

    def _rows(self, records: Records) -> list[list[str]]:
        """Return the rows among `records`, up to the first one with a wrong number of cells."""
        rows = list(filter(None, records.rows))
        if self.header is None and rows:
            self.header = rows.pop(0)
            self.names, self.duplicates = unique_names(self.header), duplicates(self.header)
        width = len(self.names)
        if not {width}.issuperset(map(len, rows)):
            place = next(place for place, row in enumerate(rows) if len(row) != width)
            cells = len(rows[place])
            del rows[place:]
            self.count += len(rows)
            self._set_error(f"it has {_cells(cells)}, and the header has {width}")
            return rows
        self.count += len(rows)
        if records.reason is not None:
            self._set_error(records.reason)
        return rows

    def _set_error(self, reason: str) -> None:
        if self.header is None:
            self.error = RowError(None, f"header: {reason}")
        else:
            self.error = RowError(self.count + 1, reason)


class CsvDictDecoder(CsvDecoder):
    """Decodes a CSV file to dicts, with the names of the columns as keys."""

    def feed(self, block: bytes, *, final: bool = False) -> list[Any]:
        """Return the rows that `block` completes."""
        rows = super().feed(block, final=final)
        # `map` is faster than a comprehension. All rows have as many cells as there are names.
        return list(map(dict, map(zip, repeat(self.names), rows)))


def _parse(text: str, *, final: bool) -> Records:
    """Parse the complete records of `text`."""
    for end in (len(text),) if final else _possible_ends(text):
        try:
            return Records(list(csv.reader(_lines(text[:end]), strict=True)), end)
        except csv.Error:
            continue
    return parse_records(text, final=final)


def _possible_ends(text: str) -> Iterator[int]:
    """Yield positions in `text` that are probably the end of a record."""
    last = _line_end(text, len(text) - 1 if text.endswith("\r") else len(text))
    if not last:
        return
    likely = _end_outside_quotes(text, last)
    if likely:
        yield likely
    if likely != last:
        yield last


def _end_outside_quotes(text: str, end: int) -> int:
    """Return the last line end at or before `end` with an even number of quotes before it, or 0."""
    is_even = text.count('"', 0, end) % 2 == 0
    for _ in range(_MAX_STEPS):
        if is_even or not end:
            return end
        earlier = _line_end(text, text.rfind('"', 0, end))
        is_even = text.count('"', earlier, end) % 2 == 1
        end = earlier
    return 0


def _line_end(text: str, end: int) -> int:
    """Return the position after the last line break before `end`, or 0 if there is none."""
    return max(text.rfind("\n", 0, end), text.rfind("\r", 0, end)) + 1


def _lines(text: str) -> Iterable[str]:
    """Return the lines of `text` with their line breaks: line feed, carriage return, or both."""
    if any(char in text for char in _OTHER_LINE_BREAKS):
        return io.StringIO(text, newline="")
    return text.splitlines(keepends=True)


def _cells(count: int) -> str:
    return "1 cell" if count == 1 else f"{count} cells"
