"""Which bytes of a file are here and which are still to come, and which connection brings which of them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from operator import itemgetter

import attrs

ByteRange = tuple[int, int]
"""The first byte of a span and the one after its last."""


@attrs.define(repr=False)
class RangeSet:
    """Which bytes of a file are written."""

    _spans: list[ByteRange] = attrs.field(factory=list)

    @classmethod
    def from_gaps(cls, gaps: Iterable[ByteRange], length: int) -> RangeSet:
        """All of `length` bytes but the `gaps`.

        Raises:
            ValueError: The gaps are not in order, or not within the length.
        """
        covered, position = cls(), 0
        for start, end in (*gaps, (length, length)):
            if not position <= start <= end <= length:
                raise ValueError("no gaps of a file of this length")
            covered.add(position, start)
            position = end
        return covered

    @property
    def prefix_size(self) -> int:
        """How many bytes are written from the first on without a gap."""
        return self._spans[0][1] if self._spans and self._spans[0][0] == 0 else 0

    @property
    def end(self) -> int:
        """Where the last byte that is written stands, plus one."""
        return self._spans[-1][1] if self._spans else 0

    @property
    def size(self) -> int:
        """How many bytes are written."""
        return sum(end - start for start, end in self._spans)

    def add(self, start: int, end: int) -> None:
        """Take note that the bytes from `start` up to `end` are written."""
        if start == end:
            return
        # The spans that touch it become one with it.
        first = bisect_left(self._spans, start, key=itemgetter(1))
        last = bisect_right(self._spans, end, lo=first, key=itemgetter(0))
        if first < last:
            start, end = min(start, self._spans[first][0]), max(end, self._spans[last - 1][1])
        self._spans[first:last] = [(start, end)]

    def gaps(self, length: int) -> list[ByteRange]:
        """What of `length` bytes is not written."""
        starts = [0, *(end for _, end in self._spans)]
        ends = [*(start for start, _ in self._spans), length]
        return [(start, end) for start, end in zip(starts, ends, strict=True) if start < end]


Chunk = bytes | memoryview
"""Some bytes of a body."""
