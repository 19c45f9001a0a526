"""A limit on how deeply JSON values are nested, so that no code that visits them recurses too deeply."""

from __future__ import annotations

from typing import Any

MAX_DEPTH = 32
"""Levels of arrays and objects that are kept."""

TOO_DEEP = "[nested too deeply]"
"""What replaces an array or object below that."""


def limit_depth(value: Any, depth: int = MAX_DEPTH) -> Any:
    """Return `value`, a JSON value, with everything below `depth` levels replaced by `TOO_DEEP`."""
    if not isinstance(value, (dict, list, tuple)):
        return value
    if depth == 0:
        return TOO_DEEP
    if isinstance(value, dict):
        return {key: limit_depth(item, depth - 1) for key, item in value.items()}
    return [limit_depth(item, depth - 1) for item in value]
