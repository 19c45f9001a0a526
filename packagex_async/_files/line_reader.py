"""Read the lines of a file to which lines are appended, in bounded memory and linear time for any content."""

from __future__ import annotations

from collections.abc import Iterator
from io import FileIO
from typing import NamedTuple

MAX_LINE_SIZE = 1024 * 1024
"""Maximum bytes of a line; longer lines are skipped."""

_BLOCK_SIZE = 256 * 1024
_WINDOW_SIZE = 64 * 1024


class LineBlock(NamedTuple):
    """Consecutive lines of the file.

    Attributes:
        position: Position of the first byte of `lines`.
        end: Position of the next line.
        lines: Complete lines with their line breaks; or the last line, if it has no line break. `None` stands
            for a line that is longer than `MAX_LINE_SIZE`.
        is_complete: Whether the lines have line breaks.
    """

    position: int
    end: int
    lines: bytes | None
    is_complete: bool


def read_blocks(file: FileIO, position: int) -> Iterator[LineBlock]:
    """Yield all lines of `file`, starting at the line that begins at `position`.

    Raises:
        OSError: The file cannot be read.
    """
    file.seek(position)
    rest, skipped = b"", 0
    while block := file.read(_BLOCK_SIZE):
        data = rest + block
        start, end = 0, data.rfind(b"\n") + 1
        if skipped and end:
            start = data.index(b"\n") + 1
            yield LineBlock(position, position + skipped + start, None, True)
            position, skipped = position + skipped, 0
        if end:
            yield LineBlock(position + start, position + end, data[start:end], True)
        position, rest = position + end, data[end:]
        if skipped or len(rest) > MAX_LINE_SIZE:
            rest, skipped = b"", skipped + len(rest)
    if rest or skipped:
        yield LineBlock(position, position + skipped + len(rest), None if skipped else rest, False)


class LineReader:
    """Reads single lines of a file to which lines are only appended.

    A part of the file is kept in memory, because lines are often read in their order.
    """

    def __init__(self) -> None:
        self._window = b""
        self._window_start = 0

    def read(self, file: FileIO, position: int) -> bytes:
        """Return the line that begins at `position`, or its beginning if it is longer than `MAX_LINE_SIZE`.

        Raises:
            OSError: The file cannot be read.
        """
        start = position - self._window_start
        end = self._window.find(b"\n", start) if start >= 0 else -1
        if end < 0:
            self._window, self._window_start = _read_window(file, position), position
            start, end = 0, self._window.find(b"\n")
        return self._window[start:end] if end >= 0 else self._window


def _read_window(file: FileIO, position: int) -> bytes:
    """Return the bytes from `position` on, at least up to the end of the line or `MAX_LINE_SIZE`."""
    file.seek(position)
    window = block = file.read(_WINDOW_SIZE) or b""
    while b"\n" not in block and len(window) <= MAX_LINE_SIZE and (block := file.read(len(window)) or b""):
        window += block
    return window
