"""Parse the `Range` header: single byte ranges of RFC 9110 only."""

from __future__ import annotations

import re

_SINGLE_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


class UnsatisfiableRangeError(Exception):
    """The range starts after the end of the object."""


def parse_range(header: str | None, size: int) -> tuple[int, int] | None:
    """Parse the `Range` header of a request for an object of `size` bytes.

    Returns:
        The start and the end (exclusive) of the range. `None` means the complete object: the header is
        absent, invalid, or has several ranges.

    Raises:
        UnsatisfiableRangeError: The range contains no byte of the object.
    """
    match = _SINGLE_RANGE.fullmatch(header or "")
    if match is None or not any(match.groups()):
        return None
    first, last = match.groups()
    if not first:
        start, stop = max(size - int(last), 0), size
    else:
        start, stop = int(first), min(int(last) + 1, size) if last else size
        if last and int(last) < start:
            return None
    if start >= size:
        raise UnsatisfiableRangeError
    return start, stop
