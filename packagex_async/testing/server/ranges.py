"""Which part of an object a request asks for: RFC 9110's single byte ranges, and no more."""

from __future__ import annotations

import re

_SINGLE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


class UnsatisfiableRangeError(Exception):
    """The range begins behind the end of the object."""


def requested_range(header: str | None, size: int) -> tuple[int, int] | None:
    """The first byte and the one after the last that `header` asks for, of an object of `size` bytes.

    Returns:
        The two, or `None` where the whole is to be sent: no header, several ranges, or no sense in it.

    Raises:
        UnsatisfiableRangeError: No byte of the object is in the range.
    """
    match = _SINGLE.fullmatch(header or "")
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
