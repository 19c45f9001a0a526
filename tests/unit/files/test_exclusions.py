"""The patterns of files that are left out."""

from __future__ import annotations

from typing import Any

import pytest

from packagex_async import ConfigurationError
from packagex_async._files.exclusions import Exclusions


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("*.json", "a/b.json", True),
        ("*.json", "b.csv", False),
        ("exp_1*", "exp_12.csv", True),
        ("exp_1*", "a/exp_1.csv", False),
        ("contact/", "contact/2024/a.csv", True),
        ("*.JSON", "a.json", False),
    ],
)
def test_patterns(pattern: str, path: str, expected: bool) -> None:
    """A star matches slashes. A pattern of a directory matches everything in it."""
    exclusions = Exclusions.from_argument(pattern)
    assert exclusions is not None
    assert exclusions.match(path) is expected


@pytest.mark.parametrize("nothing", [None, [], ()])
def test_no_patterns(nothing: Any) -> None:
    """There is nothing to check."""
    assert Exclusions.from_argument(nothing) is None


@pytest.mark.parametrize("invalid", ["", ["*.csv", ""], [1]])
def test_invalid_pattern(invalid: Any) -> None:
    """The message contains an example."""
    with pytest.raises(ConfigurationError, match="exclude must consist of patterns"):
        Exclusions.from_argument(invalid)
