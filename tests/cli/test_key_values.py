"""Parse the filters of a new export."""

from __future__ import annotations

from typing import Any

import pytest

from packagex_async import ConfigurationError
from packagex_async.cli.key_values import parse_key_values


@pytest.mark.parametrize(
    ("text", "pairs", "expected"),
    [
        (None, [], None),
        ("{}", [], None),
        ('{"a": 1}', [], {"a": 1}),
        (None, ["a=1", "b=true", "c=x", "d=a=b", "e="], {"a": 1, "b": True, "c": "x", "d": "a=b", "e": ""}),
        ('{"a": 1, "b": 2}', ["a=3"], {"a": 3, "b": 2}),
        (None, ["a=" + "[" * 100_000], {"a": "[" * 100_000}),
    ],
)
def test_parse(text: str | None, pairs: list[str], expected: dict[str, Any] | None) -> None:
    """Values that are valid JSON are decoded, and pairs override the object."""
    assert parse_key_values(text, pairs) == expected


@pytest.mark.parametrize(
    ("text", "pairs", "message"),
    [
        ("{", [], "--options must be a JSON object"),
        ("[1]", [], r"--options must be a JSON object, not \[1\]"),
        (None, ["limit"], "--option must have the form name=value, not 'limit'"),
        (None, ["=7"], "name=value"),
    ],
)
def test_invalid_text(text: str | None, pairs: list[str], message: str) -> None:
    """The message names the option."""
    with pytest.raises(ConfigurationError, match=message):
        parse_key_values(text, pairs)
