"""The public names of `packagex_async.testing`."""

from __future__ import annotations

import pytest

from packagex_async import testing


def test_public_names_are_imported_on_access() -> None:
    """`dir()` lists all of them. Other names are an `AttributeError`."""
    assert dir(testing) == sorted(testing.__all__)
    assert all(getattr(testing, name).__name__ == name for name in testing.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Elevator'"):
        _ = testing.Elevator
