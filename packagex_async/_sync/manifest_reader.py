"""The lines of a manifest, read in bounded memory and linear time, whatever the file holds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import FileIO
from typing import NamedTuple

MAX_LINE = 1024 * 1024
"""Bytes that a line may have; a longer one is passed over."""

MIN_LINE = 100
"""Bytes that an entry has at least; shorter lines are passed over."""

_LONG_LINE = rb"(?m)^[^\n]{%d,}" % MIN_LINE
_BLOCK_SIZE = 256 * 1024
_FIRST_READ = 8192


class RawLine(NamedTuple):
    """A line of the file.

    Attributes:
        position: Where it begins.
        end: Where the next one begins.
        text: Its text, without its end; `None` if it is longer than `MAX_LINE` bytes.
        is_complete: Whether it has an end.
    """

    position: int
    end: int
    text: bytes | None
    is_complete: bool


def read_lines(file: FileIO, position: int) -> Iterator[RawLine]:
    """Yield the lines of `file` that begin at `position` and later, without complete ones below `MIN_LINE`.

    An empty range, without a text, says how far the file was read.

    Raises:
        OSError: The file cannot be read.
    """
    file.seek(position)
    rest, dropped = b"", 0
    while block := file.read(_BLOCK_SIZE):
        data = rest + block
        start, end = 0, data.rfind(b"\n") + 1
        if dropped and end:
            start = data.index(b"\n") + 1
            yield RawLine(position, position + dropped + start, None, True)
            position, dropped = position + dropped, 0
        for line in re.compile(_LONG_LINE).finditer(data, start, end):
            yield RawLine(position + line.start(), position + line.end() + 1, _bounded(line[0]), True)
        position, rest = position + end, data[end:]
        yield RawLine(position, position, None, True)
        if dropped or len(rest) > MAX_LINE:
            rest, dropped = b"", dropped + len(rest)
    if rest or dropped:
        yield RawLine(position, position + dropped + len(rest), None if dropped else rest, False)


def line_at(file: FileIO, position: int) -> bytes:
    """Return the text of the line that begins at `position`, or its beginning if it is too long.

    Raises:
        OSError: The file cannot be read.
    """
    file.seek(position)
    text = block = file.read(_FIRST_READ) or b""
    while b"\n" not in block and len(text) <= MAX_LINE and (block := file.read(len(text)) or b""):
        text += block
    return text.partition(b"\n")[0]


def _bounded(text: bytes) -> bytes | None:
    return text if len(text) <= MAX_LINE else None
