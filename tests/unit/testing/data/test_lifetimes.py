"""The status of an export over time."""

from __future__ import annotations

import math

import pytest

from packagex_async.testing import Life


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        (0.0, ("queued", 0.0)),
        (1.9, ("queued", 0.0)),
        (2.0, ("processing", 2.0)),
        (6.9, ("processing", 2.0)),
        (7.0, ("failed", 7.0)),
        (9999.0, ("failed", 7.0)),
    ],
)
def test_status_at_an_age(age: float, expected: tuple[str, float]) -> None:
    """The second value is the age at which the status was reached."""
    assert Life(queued=2, processing=5, outcome="failed").status_at(age) == expected


def test_infinite_phases_never_end() -> None:
    """The export stays queued or in progress."""
    assert Life(queued=math.inf).status_at(1e9)[0] == "queued"
    assert Life(processing=math.inf).status_at(1e9)[0] == "processing"
