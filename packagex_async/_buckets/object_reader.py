"""A file object for reading an object of a bucket at any position."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, BinaryIO

ReadRange = Callable[[int, int], bytes]
"""Returns the bytes from a start up to an end."""

_BUFFER_SIZE = 256 * 1024


def open_reader(read_range: ReadRange, size: int) -> BinaryIO:
    """Return a file object that reads an object of `size` bytes in ranges."""
    return io.BufferedReader(_RangeReader(read_range, size), _BUFFER_SIZE)


class _RangeReader(io.RawIOBase):
    def __init__(self, read_range: ReadRange, size: int) -> None:
        self._read_range = read_range
        self._size = size
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = start + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        end = min(self._position + len(buffer), self._size)
        if end <= self._position:
            return 0
        content = self._read_range(self._position, end)
        buffer[: len(content)] = content
        self._position += len(content)
        return len(content)
