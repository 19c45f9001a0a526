"""A `RangeSet` behaves like a set of bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packagex_async._utils.byte_ranges import ByteRange, RangeSet

positions = st.integers(0, 60)


@given(st.lists(st.tuples(positions, positions).map(sorted).map(tuple)), positions)
def test_ranges_are_merged(added: list[ByteRange], length: int) -> None:
    """Whether they overlap, touch or repeat."""
    ranges, model = RangeSet(), set[int]()
    for start, end in added:
        ranges.add(start, end)
        model |= set(range(start, end))
    assert ranges.size == len(model)
    assert ranges.end == max(model, default=-1) + 1
    assert ranges.prefix_size == next(byte for byte in range(100) if byte not in model)
    whole = max(length, ranges.end)
    gaps = ranges.gaps(whole)
    assert set().union(*(range(start, end) for start, end in gaps)) == set(range(whole)) - model
    assert RangeSet.from_gaps(gaps, whole).gaps(whole) == gaps


@given(st.lists(st.tuples(positions, positions)), positions)
def test_gaps_must_be_sorted_and_within_the_length(gaps: list[ByteRange], length: int) -> None:
    """Valid gaps are exactly the bytes that are not in the set."""
    bounds = [bound for gap in gaps for bound in gap]
    if bounds == sorted(bounds) and max(bounds, default=0) <= length:
        missing = set().union(*(range(start, end) for start, end in gaps))
        assert RangeSet.from_gaps(gaps, length).size == length - len(missing)
    else:
        with pytest.raises(ValueError, match="the gaps are not sorted, or not within the length"):
            RangeSet.from_gaps(gaps, length)
