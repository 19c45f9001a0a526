"""Read the lines of a manifest, in bounded memory and linear time for any file content."""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import FileIO
from typing import NamedTuple

MAX_LINE_SIZE = 1024 * 1024
"""Maximum bytes of a line; longer lines are skipped."""

MIN_LINE_SIZE = 100
"""Bytes of the shortest entry. Shorter lines are skipped."""

_LONG_LINE = rb"(?m)^[^\n]{%d,}" % MIN_LINE_SIZE
_BLOCK_SIZE = 256 * 1024
_FIRST_READ_SIZE = 8192


class RawLine(NamedTuple):
    """A line of the file.

    Attributes:
        position: Position of its first byte.
        end: Position of the next line.
        text: Its bytes without the line break; `None` if it is longer than `MAX_LINE_SIZE` bytes.
        is_complete: Whether it has a line break.
    """

    position: int
    end: int
    text: bytes | None
    is_complete: bool


def read_lines(file: FileIO, position: int) -> Iterator[RawLine]:
    """Yield the lines of `file`, starting at the line that begins at `position`.

    Complete lines that are shorter than `MIN_LINE_SIZE` are skipped. After each block, a line of length 0 and
    without text is yielded, which reports the progress.

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
            yield RawLine(position, position + skipped + start, None, True)
            position, skipped = position + skipped, 0
        for line in re.compile(_LONG_LINE).finditer(data, start, end):
            text = None if len(line[0]) > MAX_LINE_SIZE else line[0]
            yield RawLine(position + line.start(), position + line.end() + 1, text, True)
        position, rest = position + end, data[end:]
        yield RawLine(position, position, None, True)
        if skipped or len(rest) > MAX_LINE_SIZE:
            rest, skipped = b"", skipped + len(rest)
    if rest or skipped:
        yield RawLine(position, position + skipped + len(rest), None if skipped else rest, False)


def read_line_at(file: FileIO, position: int) -> bytes:
    """Return the line that begins at `position`, or its beginning if it is too long.

    Raises:
        OSError: The file cannot be read.
    """
    file.seek(position)
    text = block = file.read(_FIRST_READ_SIZE) or b""
    while b"\n" not in block and len(text) <= MAX_LINE_SIZE and (block := file.read(len(text)) or b""):
        text += block
    return text.partition(b"\n")[0]
