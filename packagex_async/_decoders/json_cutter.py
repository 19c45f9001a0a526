"""Finds the ends of JSON records, so that many records are decoded in one call.

The cutter searches for the text between two earlier records: `},{"id":`, with the white space of the file. A
nested array may contain the same text. Therefore, the cutter decodes the data before the cut as an array. If
this data is a valid array, the cut is between two records.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from packagex_async._decoders.json_text import JsonText
from packagex_async._utils.json import loads

_SPACE = r"[ \t\n\r]*+"
_SEPARATOR = re.compile(rf'\}}{_SPACE},{_SPACE}(\{{){_SPACE}"[^"\\]*+"{_SPACE}:(?:{_SPACE}["{{\[])?')
_LINE_SPACE = b" \t\r"

Loads = Callable[[bytes], Any]

_MAX_STEPS = 64
"""Maximum number of separators that are examined before one is tried."""

_MAX_MISSES = 3
"""Maximum number of consecutive wrong cuts. After them, no more cuts are tried."""


class ItemCutter:
    """Cuts the items of an array.

    Args:
        loads: Decodes JSON.
    """

    def __init__(self, loads: Loads = loads) -> None:
        self._loads = loads
        self._separator: bytes | None = None
        self._next_item = 0
        self._misses = 0
        self._has_nested = False

    def learn(self, text: JsonText, end: int) -> bool:
        """Remember the separator after an object that ends at `end`; return whether there is one."""
        match = _SEPARATOR.match(text.text, end - 1)
        if match is None:
            return False
        self._separator = match.group().encode()
        self._next_item = match.start(1) - match.start()
        return True

    def cut(self, data: bytes) -> tuple[list[Any], int]:
        """Return the items before the last separator in `data`, and the position of the item after it.

        `data` starts at an item. The list is empty if no cut was found.
        """
        if self._separator is None or self._misses == _MAX_MISSES:
            return [], 0
        end = _outermost(data, self._separator) if self._has_nested else data.rfind(self._separator)
        if end < 0:
            return [], 0
        try:
            items = self._loads(b"[%b]" % data[: end + 1])
        except (ValueError, RecursionError):
            self._has_nested = True
            self._misses += 1
            return [], 0
        self._misses = 0
        return items, end + self._next_item


def _outermost(data: bytes, separator: bytes) -> int:
    """Return the position of the last separator that is probably not in a nested array, or -1."""
    last = end = data.rfind(separator)
    depth = _depth(data, 0, end)
    for _ in range(_MAX_STEPS):
        if depth == 0:
            return end
        start = data.rfind(separator, 0, end)
        if start < 0:
            break
        depth -= _depth(data, start, end)
        end = start
    # Some brackets may be in strings.
    return last


def _depth(data: bytes, start: int, end: int) -> int:
    """Return how many arrays begin between two positions and do not end there."""
    return data.count(b"[", start, end) - data.count(b"]", start, end) if end > start else 0


class LineCutter:
    """Cuts records that are on separate lines.

    Args:
        loads: Decodes JSON.
    """

    def __init__(self, loads: Loads = loads) -> None:
        self._loads = loads
        self._misses = 0

    def cut(self, data: bytes, *, at_line_start: bool) -> tuple[list[Any], int]:
        """Return the records in the complete lines of `data`, and the position after these lines.

        The list is empty if a line does not contain exactly one record.

        Args:
            data: The data. It starts after a record.
            at_line_start: Whether there was a line break after that record.
        """
        end = data.rfind(b"\n") + 1
        if not end or self._misses == _MAX_MISSES:
            return [], 0
        lines = [line.strip(_LINE_SPACE) for line in data[:end].split(b"\n")]
        if lines[0] and not at_line_start:
            return [], 0
        try:
            records = list(map(self._loads, filter(None, lines)))
        except (ValueError, RecursionError):
            records = [None]
        if not {dict}.issuperset(map(type, records)):
            self._misses += 1
            return [], 0
        self._misses = 0
        return records, end
