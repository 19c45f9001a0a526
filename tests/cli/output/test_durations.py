"""Durations as text."""

from __future__ import annotations

import pytest

from packagex_async.cli.output.durations import format_duration


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (59.9, "59s"),
        (60, "1m"),
        (3599, "59m"),
        (3900, "1h05m"),
        (86_399, "23h59m"),
        (100_800, "1d04h"),
    ],
)
def test_at_most_two_units(seconds: float, text: str) -> None:
    """Smaller units are cut off."""
    assert format_duration(seconds) == text
