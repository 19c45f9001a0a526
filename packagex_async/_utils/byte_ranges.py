"""Sets of byte ranges: which bytes of a file are written, and which are missing."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from operator import itemgetter

import attrs

Chunk = bytes | memoryview
"""Some bytes of a body."""

ByteRange = tuple[int, int]
"""The position of the first byte of a range, and the position after its last byte."""


@attrs.define(eq=False, repr=False)
class RangeSet:
    """A set of bytes of a file, stored as sorted ranges that do not touch."""

    _ranges: list[ByteRange] = attrs.field(factory=list)

    @classmethod
    def from_gaps(cls, gaps: Iterable[ByteRange], length: int) -> RangeSet:
        """Return the set of all bytes of a file of `length` bytes, except the `gaps`.

        Raises:
            ValueError: The gaps are not sorted, or not within the length.
        """
        ranges, position = cls(), 0
        for start, end in (*gaps, (length, length)):
            if not position <= start <= end <= length:
                raise ValueError("the gaps are not sorted, or not within the length of the file")
            ranges.add(position, start)
            position = end
        return ranges

    @property
    def prefix_size(self) -> int:
        """The number of bytes from the start of the file to the first gap."""
        return self._ranges[0][1] if self._ranges and self._ranges[0][0] == 0 else 0

    @property
    def end(self) -> int:
        """The position after the last byte of the set."""
        return self._ranges[-1][1] if self._ranges else 0

    @property
    def size(self) -> int:
        """The number of bytes in the set."""
        return sum(end - start for start, end in self._ranges)

    def add(self, start: int, end: int) -> None:
        """Add the bytes from `start` up to, but not including, `end`."""
        if start == end:
            return
        # Merge all ranges that the new one touches.
        first = bisect_left(self._ranges, start, key=itemgetter(1))
        last = bisect_right(self._ranges, end, lo=first, key=itemgetter(0))
        if first < last:
            start, end = min(start, self._ranges[first][0]), max(end, self._ranges[last - 1][1])
        self._ranges[first:last] = [(start, end)]

    def gaps(self, length: int) -> list[ByteRange]:
        """Return the ranges of a file of `length` bytes that are not in the set."""
        starts = [0, *(end for _, end in self._ranges)]
        ends = [*(start for start, _ in self._ranges), length]
        return [(start, end) for start, end in zip(starts, ends, strict=True) if start < end]
