"""Which bytes are here and which are still to come: never one twice, never one lost."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from packagex_async._download.segments import MIN_SEGMENT_SIZE, Segment, SegmentQueue
from packagex_async._utils.byte_ranges import ByteRange, RangeSet
from tests.support import examples

LENGTH = 10 * MIN_SEGMENT_SIZE
cuts = st.lists(st.integers(0, LENGTH), max_size=8).map(sorted)


def pairs(bounds: list[int]) -> list[ByteRange]:
    """Spans that do not meet, from sorted bounds."""
    return [(start, end) for start, end in zip(bounds[::2], bounds[1::2], strict=False) if start < end]


class Connections(RuleBasedStateMachine):
    """Connections that claim spans, bring some of each, and let go of them, in any order."""

    @initialize(bounds=cuts)
    def begin(self, bounds: list[int]) -> None:
        gaps = pairs(bounds)
        self.work = SegmentQueue(gaps)
        self.missing = sum(end - start for start, end in gaps)
        self.brought = RangeSet.from_gaps(gaps, LENGTH)
        self.held: list[Segment] = []

    @rule()
    def claim(self) -> None:
        if span := self.work.claim():
            self.held.append(span)

    @precondition(lambda self: self.held)
    @rule(which=st.randoms(use_true_random=False), size=st.integers(1, 3 * MIN_SEGMENT_SIZE))
    def bring(self, which: object, size: int) -> None:
        span = self.held[which.randrange(len(self.held))]  # type: ignore[attr-defined]
        start, end = span.position, min(span.position + size, span.end)
        before = self.brought.size
        self.brought.add(start, end)
        assert self.brought.size == before + end - start, "a byte was brought twice"
        span.position = end
        self.missing -= end - start

    @precondition(lambda self: self.held)
    @rule(which=st.randoms(use_true_random=False))
    def release(self, which: object) -> None:
        span = self.held.pop(which.randrange(len(self.held)))  # type: ignore[attr-defined]
        self.work.release(span)
        self.work.release(span)

    @invariant()
    def nothing_is_lost(self) -> None:
        assert self.work.left == self.missing == LENGTH - self.brought.size

    def teardown(self) -> None:
        """One connection alone can bring whatever the others have left."""
        while self.held:
            self.work.release(self.held.pop())
        while span := self.work.claim():
            self.brought.add(span.position, span.end)
            span.position = span.end
            self.work.release(span)
        assert (self.brought.size, self.work.left) == (LENGTH, 0)


TestConnections = Connections.TestCase
TestConnections.settings = settings(max_examples=examples(200))


def test_a_span_is_halved_where_both_halves_are_worth_a_request() -> None:
    """The largest one first; what nobody brings comes before that."""
    work = SegmentQueue([(0, 2 * MIN_SEGMENT_SIZE), (3 * MIN_SEGMENT_SIZE, 9 * MIN_SEGMENT_SIZE)])
    one, two = work.claim(), work.claim()
    assert one is not None
    assert two is not None
    assert (one.end, two.position) == (2 * MIN_SEGMENT_SIZE, 3 * MIN_SEGMENT_SIZE)
    half = work.claim()
    assert half is not None
    assert (two.end, half.position, half.end) == (
        6 * MIN_SEGMENT_SIZE,
        6 * MIN_SEGMENT_SIZE,
        9 * MIN_SEGMENT_SIZE,
    )
    assert work.divisible


def test_who_brings_already_keeps_what_it_brings_while_the_other_gets_going() -> None:
    """So both are done at the same time; who has yet to begin itself keeps just a half."""
    work = SegmentQueue([(0, 10 * MIN_SEGMENT_SIZE)])
    work.lead = 2 * MIN_SEGMENT_SIZE
    first = work.claim()
    assert first is not None
    first.flows = True
    second, third = work.claim(), work.claim()
    assert second is not None
    assert third is not None
    assert (second.position, second.end) == (6 * MIN_SEGMENT_SIZE, 10 * MIN_SEGMENT_SIZE)
    assert (third.position, third.end) == (4 * MIN_SEGMENT_SIZE, 6 * MIN_SEGMENT_SIZE)
    first.position = 2 * MIN_SEGMENT_SIZE
    fourth = work.claim()
    assert fourth is not None
    assert (second.end, fourth.position, fourth.end) == (
        8 * MIN_SEGMENT_SIZE,
        8 * MIN_SEGMENT_SIZE,
        10 * MIN_SEGMENT_SIZE,
    )


def test_no_part_is_smaller_than_is_worth_a_request() -> None:
    """However much the one that brings already would bring meanwhile."""
    work = SegmentQueue([(0, 3 * MIN_SEGMENT_SIZE)])
    work.lead = 100 * MIN_SEGMENT_SIZE
    first = work.claim()
    assert first is not None
    first.flows = True
    second = work.claim()
    assert second is not None
    assert (first.end, second.position, second.end) == (
        2 * MIN_SEGMENT_SIZE,
        2 * MIN_SEGMENT_SIZE,
        3 * MIN_SEGMENT_SIZE,
    )


def test_a_span_goes_back_to_where_it_was_taken_from() -> None:
    """Who has asked for it before brings it after all; who has not, does not."""
    work = SegmentQueue([(0, 4 * MIN_SEGMENT_SIZE)])
    first, half = work.claim(), work.claim()
    assert first is not None
    assert half is not None
    work.release(half)
    assert first.end == 4 * MIN_SEGMENT_SIZE
    half, quarter = work.claim(), work.claim()
    assert half is not None
    assert quarter is not None
    assert (first.end, quarter.end, half.end) == (
        MIN_SEGMENT_SIZE,
        2 * MIN_SEGMENT_SIZE,
        4 * MIN_SEGMENT_SIZE,
    )
    work.release(half)
    assert quarter.end == 2 * MIN_SEGMENT_SIZE
    work.release(quarter)
    assert first.end == 2 * MIN_SEGMENT_SIZE
    assert work.left == 4 * MIN_SEGMENT_SIZE


def test_a_span_of_which_some_was_brought_does_not_go_back() -> None:
    """Who was before it would bring that twice."""
    work = SegmentQueue([(0, 4 * MIN_SEGMENT_SIZE)])
    first, half = work.claim(), work.claim()
    assert first is not None
    assert half is not None
    half.position += 5
    work.release(half)
    assert (first.end, work.left) == (2 * MIN_SEGMENT_SIZE, 4 * MIN_SEGMENT_SIZE - 5)


def test_a_span_is_not_given_back_to_one_that_is_done() -> None:
    """It has dropped what followed in its answer."""
    work = SegmentQueue([(0, 4 * MIN_SEGMENT_SIZE)])
    first, half = work.claim(), work.claim()
    assert first is not None
    assert half is not None
    first.position = first.end
    work.release(half)
    assert (first.left, work.left) == (0, 2 * MIN_SEGMENT_SIZE)


def test_what_is_too_little_is_not_divided() -> None:
    """A request costs more than it."""
    work = SegmentQueue([(0, 2 * MIN_SEGMENT_SIZE - 1)])
    assert work.divisible
    assert work.claim() is not None
    assert not work.divisible
    assert work.claim() is None


def test_a_span_of_other_work_is_not_taken_back() -> None:
    """Its bytes are of another object."""
    work = SegmentQueue(())
    work.release(Segment(0, 5))
    assert (work.left, work.claim()) == (0, None)
