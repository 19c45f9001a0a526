"""A fast check for CSV in which all quotes enclose fields. Most programs write such CSV.

Almost all files pass the check. The regular expressions of `csv_grammar` are exact, but four times slower,
and they hold the GIL.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

# `pa.scalar` imports pandas if it is installed, which takes longer than everything else.
_QUOTE = pa.Array.from_buffers(pa.uint8(), 1, [None, pa.py_buffer(b'"')])[0]
_SEPARATORS_AND_QUOTE = b',\r\n"'


def paired_size(data: bytes) -> int:
    """Return the number of bytes of the complete records at the start of `data`, if their quotes are paired.

    Returns:
        The size. It is 0 if there is no complete record, or if a quote may be an ordinary character.
    """
    end = _last_line_end(data, len(data))
    if data.find(b'"', 0, end) < 0:
        return end
    previous, following = _neighbors(data[:end])
    count = len(following)
    while count % 2:
        # The last line break is part of a field that begins at an earlier quote.
        start = _last_line_end(data, data.rfind(b'"', 0, end))
        count -= data.count(b'"', start, end)
        end = start
    return end if _are_separators(previous[:count:2]) and _are_separators(following[1:count:2]) else 0


def _neighbors(data: bytes) -> tuple[bytes, bytes]:
    """Return the byte before each quote, and the byte after it. `data` ends with a line break."""
    values = pa.Array.from_buffers(pa.uint8(), len(data), [None, pa.py_buffer(data)])
    is_quote = pc.call_function("equal", [values, _QUOTE])
    last = len(data) - 1
    previous = _to_bytes(values.slice(0, last).filter(is_quote.slice(1)))
    following = _to_bytes(values.slice(1).filter(is_quote.slice(0, last)))
    # A quote at the start of `data` has no previous byte.
    return previous.rjust(len(following), b","), following


def _to_bytes(values: pa.UInt8Array) -> bytes:
    _, buffer = values.buffers()
    return buffer.to_pybytes()[: len(values)] if buffer else b""


def _are_separators(values: bytes) -> bool:
    return not values.translate(None, _SEPARATORS_AND_QUOTE)


def _last_line_end(data: bytes, end: int) -> int:
    return max(data.rfind(b"\n", 0, end), data.rfind(b"\r", 0, end)) + 1
