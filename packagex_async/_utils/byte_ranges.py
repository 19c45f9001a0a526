"""Which bytes of a file are here and which are still to come, and which connection brings which of them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from operator import itemgetter

import attrs

LEAST_SPAN = 2 * 1024 * 1024
"""Bytes that are worth a request of their own."""

Bounds = tuple[int, int]
"""The first byte of a span and the one after its last."""


@attrs.define(eq=False, repr=False)
class Span:
    """Bytes still to come, from `position` up to `end`, which may move as others take over the rest.

    Attributes:
        asked: Where it ended when it was asked for: the answer may hold the bytes up to there.
        flows: Whether its answer has begun.
    """

    position: int
    end: int
    asked: int = attrs.field(init=False, default=0)
    flows: bool = attrs.field(init=False, default=False)

    @property
    def left(self) -> int:
        """How many bytes are still to come."""
        return self.end - self.position


class Work:
    """What of a file is still to come, each byte brought by one connection.

    Args:
        gaps: The spans that are missing.

    Attributes:
        lead: How many bytes a connection brings in the time that another one needs to begin.
    """

    def __init__(self, gaps: Iterable[Bounds]) -> None:
        self.lead = 0
        self._idle = [Span(*gap) for gap in gaps]
        self._busy: list[Span] = []

    @property
    def left(self) -> int:
        """How many bytes are still to come."""
        return sum(span.left for span in (*self._idle, *self._busy))

    @property
    def divisible(self) -> bool:
        """Whether there is something for one more connection to bring."""
        return bool(self._idle) or any(span.left >= 2 * LEAST_SPAN for span in self._busy)

    def claim(self) -> Span | None:
        """A span that nobody brings, or the latter part of the largest one; `None` when none is worth it."""
        span = self._idle.pop(0) if self._idle else self._part()
        return span and self.hold(span)

    def hold(self, span: Span) -> Span:
        """Take note that `span` is being brought."""
        span.asked, span.flows = span.end, False
        self._busy.append(span)
        return span

    def release(self, span: Span) -> None:
        """Leave what is left of `span` to others, if it is of this work."""
        if span in self._busy:
            self._busy.remove(span)
            if span.left and not self._given_back(span):
                self._idle.append(span)

    def _given_back(self, span: Span) -> bool:
        """Whether who brings what is before `span` has asked for it, too, and is not beyond its beginning."""
        for giver in self._busy:
            # One with nothing left may have dropped bytes of `span` already.
            if giver.end == span.position and giver.left and giver.asked >= span.end:
                giver.end = span.end
                return True
        return False

    def _part(self) -> Span | None:
        """The latter part of the largest span, so long that who brings the rest is done at the same time."""
        if not self.divisible:
            return None
        giver = max(self._busy, key=lambda span: span.left)
        size = max((giver.left - self.lead * giver.flows) // 2, LEAST_SPAN)
        giver.end -= size
        return Span(giver.end, giver.end + size)


@attrs.define(repr=False)
class Coverage:
    """Which bytes of a file are written."""

    _spans: list[Bounds] = attrs.field(factory=list)

    @classmethod
    def without(cls, gaps: Iterable[Bounds], length: int) -> Coverage:
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
    def beginning(self) -> int:
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

    def gaps(self, length: int) -> list[Bounds]:
        """What of `length` bytes is not written."""
        starts = [0, *(end for _, end in self._spans)]
        ends = [*(start for start, _ in self._spans), length]
        return [(start, end) for start, end in zip(starts, ends, strict=True) if start < end]
