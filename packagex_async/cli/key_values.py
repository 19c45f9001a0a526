"""Parse the filters of a new export: a JSON object, and `name=value` pairs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from packagex_async import ConfigurationError


def parse_key_values(text: str | None, key_values: Iterable[str]) -> dict[str, Any] | None:
    """Parse `text`, a JSON object, and `key_values`, each of the form `name=value`.

    A value that is valid JSON is decoded; any other value is a string. `key_values` override `text`.

    Returns:
        The combined mapping, or `None` if it is empty.

    Raises:
        ConfigurationError: The text is not a JSON object, or a pair has no name or no `=`.
    """
    mapping = {} if text is None else _parse_object(text)
    mapping |= map(_parse_pair, key_values)
    return mapping or None


def _parse_object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"--options must be a JSON object, but is not valid JSON: {error}") from None
    if not isinstance(value, dict):
        raise ConfigurationError(f"--options must be a JSON object, not {text}")
    return value


def _parse_pair(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise ConfigurationError(f"--option must have the form name=value, not {text!r}")
    try:
        return name, json.loads(value)
    except (ValueError, RecursionError):
        return name, value
