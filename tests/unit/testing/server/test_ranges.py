"""Parsing the `Range` header."""

from __future__ import annotations

import pytest

from packagex_async.testing.server.ranges import UnsatisfiableRangeError, parse_range


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-", (0, 2048)),
        ("bytes=10-19", (10, 20)),
        ("bytes=2000-9999", (2000, 2048)),
        ("bytes=-48", (2000, 2048)),
        ("bytes=-9999", (0, 2048)),
    ],
)
def test_single_range(header: str, expected: tuple[int, int]) -> None:
    """The end is exclusive and limited by the size."""
    assert parse_range(header, 2048) == expected


@pytest.mark.parametrize("header", [None, "", "bytes=0-1,5-6", "bytes=9-3", "bytes=-", "lines=1-2"])
def test_other_headers_mean_the_complete_object(header: str | None) -> None:
    """A missing or invalid header, and several ranges."""
    assert parse_range(header, 2048) is None


@pytest.mark.parametrize(("header", "size"), [("bytes=2048-", 2048), ("bytes=0-", 0), ("bytes=-0", 2048)])
def test_unsatisfiable_range(header: str, size: int) -> None:
    """The range contains no byte of the object."""
    with pytest.raises(UnsatisfiableRangeError):
        parse_range(header, size)
