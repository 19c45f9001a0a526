"""The fast check for CSV in which all quotes enclose fields."""

from __future__ import annotations

import pytest

from packagex_async._arrow.quote_check import paired_size


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (b"", 0),
        (b"a\r\nb", 3),
        (b"a\rb", 2),
        (b'"a\r\nb",c\nd', 9),
        (b'"a""b"\n', 7),
        (b'"",""\n"', 6),
        (b'a\n"b\n', 2),
        (b'"a\n', 0),
        (b'5" pipe\n', 0),
        (b'"a"b\n', 0),
        (b'a,5",b,6"\n', 0),
    ],
)
def test_paired_size(data: bytes, size: int) -> None:
    """The size is 0 if a quote may be an ordinary character."""
    assert paired_size(data) == size
