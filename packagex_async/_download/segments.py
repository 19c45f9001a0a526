"""Segments of a file that are still to be transferred, and who transfers each."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from packagex_async._utils.byte_ranges import ByteRange

MIN_SEGMENT_SIZE = 2 * 1024 * 1024
"""Bytes that are worth a request of their own."""


@attrs.define(eq=False, repr=False)
class Segment:
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


class SegmentQueue:
    """What of a file is still to come, each byte brought by one connection.

    Args:
        gaps: The spans that are missing.

    Attributes:
        lead: How many bytes a connection brings in the time that another one needs to begin.
    """

    def __init__(self, gaps: Iterable[ByteRange]) -> None:
        self.lead = 0
        self._idle = [Segment(*gap) for gap in gaps]
        self._busy: list[Segment] = []

    @property
    def left(self) -> int:
        """How many bytes are still to come."""
        return sum(span.left for span in (*self._idle, *self._busy))

    @property
    def divisible(self) -> bool:
        """Whether there is something for one more connection to bring."""
        return bool(self._idle) or any(span.left >= 2 * MIN_SEGMENT_SIZE for span in self._busy)

    def claim(self) -> Segment | None:
        """A span that nobody brings, or the latter part of the largest one; `None` when none is worth it."""
        span = self._idle.pop(0) if self._idle else self._part()
        return span and self.hold(span)

    def hold(self, span: Segment) -> Segment:
        """Take note that `span` is being brought."""
        span.asked, span.flows = span.end, False
        self._busy.append(span)
        return span

    def release(self, span: Segment) -> None:
        """Leave what is left of `span` to others, if it is of this work."""
        if span in self._busy:
            self._busy.remove(span)
            if span.left and not self._given_back(span):
                self._idle.append(span)

    def _given_back(self, span: Segment) -> bool:
        """Whether who brings what is before `span` has asked for it, too, and is not beyond its beginning."""
        for giver in self._busy:
            # One with nothing left may have dropped bytes of `span` already.
            if giver.end == span.position and giver.left and giver.asked >= span.end:
                giver.end = span.end
                return True
        return False

    def _part(self) -> Segment | None:
        """The latter part of the largest span, so long that who brings the rest is done at the same time."""
        if not self.divisible:
            return None
        giver = max(self._busy, key=lambda span: span.left)
        size = max((giver.left - self.lead * giver.flows) // 2, MIN_SEGMENT_SIZE)
        giver.end -= size
        return Segment(giver.end, giver.end + size)
