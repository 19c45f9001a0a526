"""Sizes as text."""

from __future__ import annotations

import pytest

from packagex_async.cli.output.sizes import format_bytes, format_size


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1536, "1.5 KiB"),
        (2**20 - 1, "1.0 MiB"),
        (2.5 * 2**30, "2.5 GiB"),
        (2**60, "1,048,576.0 TiB"),
    ],
)
def test_format_size(size: float, text: str) -> None:
    """The unit is a power of 1024. No number below the largest unit has more than four digits."""
    assert format_size(size) == text


def test_format_bytes() -> None:
    """There is no larger unit."""
    assert format_bytes(2**20) == "1048576 B"
