"""SegmentQueue and RangeSet: no byte is requested twice, and none is missed."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from packagex_async._download.segments import OrderedSegmentQueue, Segment, SegmentQueue, new_queue
from packagex_async._utils.byte_ranges import ByteRange, RangeSet
from tests.support import examples

MIN_SEGMENT_SIZE = 1024 * 1024
LENGTH = 10 * MIN_SEGMENT_SIZE
cuts = st.lists(st.integers(0, LENGTH), max_size=8).map(sorted)


def ranges_between(bounds: list[int]) -> list[ByteRange]:
    """Return disjoint ranges between sorted bounds."""
    return [(start, end) for start, end in zip(bounds[::2], bounds[1::2], strict=False) if start < end]


class ConnectionsMachine(RuleBasedStateMachine):
    """ConnectionsMachine that claim segments, receive a part of each, and release them, in any order."""

    @initialize(bounds=cuts)
    def start(self, bounds: list[int]) -> None:
        gaps = ranges_between(bounds)
        self.queue = SegmentQueue(gaps, MIN_SEGMENT_SIZE)
        self.missing = sum(end - start for start, end in gaps)
        self.received = RangeSet.from_gaps(gaps, LENGTH)
        self.claimed: list[Segment] = []

    @rule()
    def claim(self) -> None:
        if segment := self.queue.claim():
            self.claimed.append(segment)

    @precondition(lambda self: self.claimed)
    @rule(random=st.randoms(use_true_random=False), size=st.integers(1, 3 * MIN_SEGMENT_SIZE))
    def receive(self, random: object, size: int) -> None:
        segment = self.claimed[random.randrange(len(self.claimed))]  # type: ignore[attr-defined]
        start, end = segment.position, min(segment.position + size, segment.end)
        before = self.received.size
        self.received.add(start, end)
        assert self.received.size == before + end - start, "a byte was received twice"
        segment.position = end
        self.missing -= end - start

    @precondition(lambda self: self.claimed)
    @rule(random=st.randoms(use_true_random=False))
    def release(self, random: object) -> None:
        segment = self.claimed.pop(random.randrange(len(self.claimed)))  # type: ignore[attr-defined]
        self.queue.release(segment)
        self.queue.release(segment)

    @invariant()
    def no_byte_is_lost(self) -> None:
        assert self.queue.remaining == self.missing == LENGTH - self.received.size

    def teardown(self) -> None:
        """One connection can receive all remaining bytes."""
        while self.claimed:
            self.queue.release(self.claimed.pop())
        while segment := self.queue.claim():
            self.received.add(segment.position, segment.end)
            segment.position = segment.end
            self.queue.release(segment)
        assert (self.received.size, self.queue.remaining) == (LENGTH, 0)


TestConnections = ConnectionsMachine.TestCase
TestConnections.settings = settings(max_examples=examples(60))


def test_largest_segment_is_halved() -> None:
    """Unclaimed segments come first; then the largest one is divided."""
    gaps = [(0, 2 * MIN_SEGMENT_SIZE), (3 * MIN_SEGMENT_SIZE, 9 * MIN_SEGMENT_SIZE)]
    queue = SegmentQueue(gaps, MIN_SEGMENT_SIZE)
    one, two = queue.claim(), queue.claim()
    assert one is not None
    assert two is not None
    assert (one.end, two.position) == (2 * MIN_SEGMENT_SIZE, 3 * MIN_SEGMENT_SIZE)
    second_half = queue.claim()
    assert second_half is not None
    assert (two.end, second_half.position, second_half.end) == (
        6 * MIN_SEGMENT_SIZE,
        6 * MIN_SEGMENT_SIZE,
        9 * MIN_SEGMENT_SIZE,
    )
    assert queue.is_divisible


def test_active_segment_keeps_bytes_received_during_startup() -> None:
    """Both halves end at the same time; a segment that is not receiving yet keeps one half."""
    queue = SegmentQueue([(0, 10 * MIN_SEGMENT_SIZE)], MIN_SEGMENT_SIZE)
    queue.startup_bytes = 2 * MIN_SEGMENT_SIZE
    first = queue.claim()
    assert first is not None
    first.receiving = True
    second, third = queue.claim(), queue.claim()
    assert second is not None
    assert third is not None
    assert (second.position, second.end) == (6 * MIN_SEGMENT_SIZE, 10 * MIN_SEGMENT_SIZE)
    assert (third.position, third.end) == (4 * MIN_SEGMENT_SIZE, 6 * MIN_SEGMENT_SIZE)
    first.position = 2 * MIN_SEGMENT_SIZE
    fourth = queue.claim()
    assert fourth is not None
    assert (second.end, fourth.position, fourth.end) == (
        8 * MIN_SEGMENT_SIZE,
        8 * MIN_SEGMENT_SIZE,
        10 * MIN_SEGMENT_SIZE,
    )


def test_segment_is_never_smaller_than_minimum() -> None:
    """The minimum applies, however many bytes are received during the startup."""
    queue = SegmentQueue([(0, 3 * MIN_SEGMENT_SIZE)], MIN_SEGMENT_SIZE)
    queue.startup_bytes = 100 * MIN_SEGMENT_SIZE
    first = queue.claim()
    assert first is not None
    first.receiving = True
    second = queue.claim()
    assert second is not None
    assert (first.end, second.position, second.end) == (
        2 * MIN_SEGMENT_SIZE,
        2 * MIN_SEGMENT_SIZE,
        3 * MIN_SEGMENT_SIZE,
    )


def test_unused_segment_returns_to_its_source() -> None:
    """The connection that requested the range before receives it after all."""
    queue = SegmentQueue([(0, 4 * MIN_SEGMENT_SIZE)], MIN_SEGMENT_SIZE)
    first, second_half = queue.claim(), queue.claim()
    assert first is not None
    assert second_half is not None
    queue.release(second_half)
    assert first.end == 4 * MIN_SEGMENT_SIZE
    second_half, quarter = queue.claim(), queue.claim()
    assert second_half is not None
    assert quarter is not None
    assert (first.end, quarter.end, second_half.end) == (
        MIN_SEGMENT_SIZE,
        2 * MIN_SEGMENT_SIZE,
        4 * MIN_SEGMENT_SIZE,
    )
    queue.release(second_half)
    assert quarter.end == 2 * MIN_SEGMENT_SIZE
    queue.release(quarter)
    assert first.end == 2 * MIN_SEGMENT_SIZE
    assert queue.remaining == 4 * MIN_SEGMENT_SIZE


def test_partly_received_segment_does_not_return() -> None:
    """The source would receive those bytes twice."""
    queue = SegmentQueue([(0, 4 * MIN_SEGMENT_SIZE)], MIN_SEGMENT_SIZE)
    first, second_half = queue.claim(), queue.claim()
    assert first is not None
    assert second_half is not None
    second_half.position += 5
    queue.release(second_half)
    assert (first.end, queue.remaining) == (2 * MIN_SEGMENT_SIZE, 4 * MIN_SEGMENT_SIZE - 5)


def test_segment_does_not_return_to_finished_source() -> None:
    """The finished connection has discarded the rest of its response."""
    queue = SegmentQueue([(0, 4 * MIN_SEGMENT_SIZE)], MIN_SEGMENT_SIZE)
    first, second_half = queue.claim(), queue.claim()
    assert first is not None
    assert second_half is not None
    first.position = first.end
    queue.release(second_half)
    assert (first.remaining, queue.remaining) == (0, 2 * MIN_SEGMENT_SIZE)


def test_small_segment_is_not_divided() -> None:
    """A segment below twice the minimum stays undivided."""
    queue = SegmentQueue([(0, 2 * MIN_SEGMENT_SIZE - 1)], MIN_SEGMENT_SIZE)
    assert queue.is_divisible
    assert queue.claim() is not None
    assert not queue.is_divisible
    assert queue.claim() is None


def test_segment_of_other_queue_is_ignored() -> None:
    """Its bytes belong to another object."""
    queue = SegmentQueue((), MIN_SEGMENT_SIZE)
    queue.release(Segment(0, 5))
    assert (queue.remaining, queue.claim()) == (0, None)


def test_ordered_segments_stay_within_the_window() -> None:
    """Segments begin near the first missing byte; a single connection needs no division."""
    queue = OrderedSegmentQueue([(0, 100)], 10, 40)
    first = queue.claim()
    assert first is not None
    assert (first.position, first.end) == (0, 100)
    assert queue.is_divisible
    others = [queue.claim() for _ in range(4)]
    assert [(other.position, other.end) for other in others if other] == [(10, 20), (20, 30), (30, 40)]
    assert not queue.is_divisible
    first.advance(10)
    queue.release(first)
    following = queue.claim()
    assert following is not None
    assert (following.position, following.end) == (40, 50)
    assert queue.remaining == 90


def test_ordered_segments_are_returned() -> None:
    """The rest of a failed segment is claimed next."""
    queue = new_queue([(0, 100)], 10, 40)
    first = queue.activate(Segment(0, 5))
    second = queue.claim()
    assert second is not None
    queue.release(second)
    queue.release(second)
    first.advance(5)
    queue.release(first)
    following = queue.claim()
    assert following is not None
    assert following.position == 0
    assert isinstance(new_queue([], 10, None), SegmentQueue)
