"""Segments of a file that are still to be transferred, each by one connection."""

from __future__ import annotations

from collections.abc import Iterable

from packagex_async._utils.byte_ranges import ByteRange


class Segment:
    """Bytes still to be received, from `position` up to `end`. Other connections may take over a part.

    Attributes:
        position: The position of the next byte.
        end: The position after the last byte.
        requested_end: The end when the segment was requested. The response may contain the bytes up to there.
        receiving: Whether the response has begun.
    """

    def __init__(self, position: int, end: int) -> None:
        self.position = position
        self.end = end
        self.requested_end = 0
        self.receiving = False

    @property
    def remaining(self) -> int:
        """The number of bytes still to be received."""
        return self.end - self.position

    def advance(self, size: int) -> int:
        """Record that `size` bytes were received; return the position of the first of them."""
        position = self.position
        self.position += size
        return position

    def finish(self) -> None:
        """End the segment at its position: the length was unknown, and the body is complete."""
        self.end = self.position


def new_queue(gaps: Iterable[ByteRange], min_size: int, window: int | None) -> SegmentQueue:
    """Return a queue for chunks in any order, or for chunks that have to stay within a window."""
    return SegmentQueue(gaps, min_size) if window is None else OrderedSegmentQueue(gaps, min_size, window)


class SegmentQueue:
    """The segments of a file that are still to be received.

    Args:
        gaps: The ranges that are missing.
        min_size: The smallest segment in bytes that is worth a request.

    Attributes:
        startup_bytes: The bytes that one connection receives while another one starts.
    """

    def __init__(self, gaps: Iterable[ByteRange], min_size: int) -> None:
        self._min_size = min_size
        self.startup_bytes = 0
        self._waiting = [Segment(*gap) for gap in gaps]
        self._active: list[Segment] = []

    def set_min_size(self, min_size: int) -> None:
        """Change the size in bytes of the smallest segment that is worth a request."""
        self._min_size = min_size

    @property
    def remaining(self) -> int:
        """The number of bytes still to be received."""
        return sum(segment.remaining for segment in (*self._waiting, *self._active))

    @property
    def is_divisible(self) -> bool:
        """Whether there is a segment, or a part of one, for another connection."""
        return bool(self._waiting) or any(segment.remaining >= 2 * self._min_size for segment in self._active)

    def claim(self) -> Segment | None:
        """Return a waiting segment, or the second part of the largest active one, or `None`."""
        segment = self._waiting.pop(0) if self._waiting else self._split_largest()
        return segment and self.activate(segment)

    def activate(self, segment: Segment) -> Segment:
        """Record that a connection receives `segment`."""
        segment.requested_end, segment.receiving = segment.end, False
        self._active.append(segment)
        return segment

    def release(self, segment: Segment) -> None:
        """Return the rest of `segment` to the queue, if it belongs to this queue."""
        if segment in self._active:
            self._active.remove(segment)
            if segment.remaining and not self._merge_into_previous(segment):
                self._waiting.append(segment)

    def _merge_into_previous(self, segment: Segment) -> bool:
        """Extend the active segment before `segment`, if its response contains these bytes."""
        for other in self._active:
            # A segment without remaining bytes may have discarded bytes of `segment` already.
            if other.end == segment.position and other.remaining and other.requested_end >= segment.end:
                other.end = segment.end
                return True
        return False

    def _split_largest(self) -> Segment | None:
        """Take the second part of the largest segment, so that both parts end at about the same time."""
        if not self.is_divisible:
            return None
        largest = max(self._active, key=lambda segment: segment.remaining)
        head_start = self.startup_bytes * largest.receiving
        size = max((largest.remaining - head_start) // 2, self._min_size)
        largest.end -= size
        return Segment(largest.end, largest.end + size)


class OrderedSegmentQueue(SegmentQueue):
    """The segments of a file that is written in order: all segments are near the first missing byte.

    Args:
        gaps: The ranges that are missing.
        min_size: The size of a segment in bytes.
        window: The maximum distance in bytes between the first missing byte and the end of a segment.
    """

    def __init__(self, gaps: Iterable[ByteRange], min_size: int, window: int) -> None:
        super().__init__(gaps, min_size)
        self._window = max(window, 2 * min_size)

    def set_min_size(self, min_size: int) -> None:
        """Do nothing: all segments have the same size, so that they fill the window."""

    @property
    def is_divisible(self) -> bool:
        """Whether there is a segment for another connection within the window."""
        return self._next_waiting() is not None or self._largest() is not None

    def claim(self) -> Segment | None:
        """Return the next segment within the window, or `None`."""
        segment = self._next_waiting()
        if segment is None:
            if (largest := self._largest()) is None:
                return None
            # The rest of the first response is divided among all connections.
            segment = Segment(largest.position + self._min_size, largest.end)
            largest.end = segment.position
            self._waiting.append(segment)
        self._waiting.remove(segment)
        # A single connection needs no more than one request.
        if self._active and segment.remaining >= 2 * self._min_size:
            self._waiting.append(Segment(segment.position + self._min_size, segment.end))
            segment.end = segment.position + self._min_size
        return self.activate(segment)

    def release(self, segment: Segment) -> None:
        """Return the rest of `segment` to the queue, if it belongs to this queue."""
        if segment in self._active:
            self._active.remove(segment)
            if segment.remaining:
                self._waiting.append(segment)

    def _next_waiting(self) -> Segment | None:
        segment = min(self._waiting, key=lambda waiting: waiting.position, default=None)
        first = min((active.position for active in self._active), default=0)
        if segment is None or (self._active and segment.position + self._min_size > first + self._window):
            return None
        return segment

    def _largest(self) -> Segment | None:
        """Return an active segment that is longer than others may be, if there is one."""
        return next((active for active in self._active if active.remaining >= 2 * self._min_size), None)
