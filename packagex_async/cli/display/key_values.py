"""Names with values, as they are typed: a JSON object, and pairs of `name=value` that add to it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from packagex_async import ConfigurationError


def mapping_of(text: str | None, pairs: Iterable[str]) -> dict[str, Any] | None:
    """The mapping that `text` and `pairs` give, a pair before the text; `None` when both are empty.

    Raises:
        ConfigurationError: The text is no JSON object, or a pair no pair.
    """
    told = {} if text is None else _object(text)
    told |= map(_pair, pairs)
    return told or None


def _object(text: str) -> dict[str, Any]:
    try:
        told = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"--options takes a JSON object, and cannot be read: {error}") from None
    if not isinstance(told, dict):
        raise ConfigurationError(f"--options takes a JSON object, not {text}")
    return told


def _pair(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise ConfigurationError(f"--option takes name=value, not {text!r}")
    try:
        return name, json.loads(value)
    except (ValueError, RecursionError):
        return name, value
