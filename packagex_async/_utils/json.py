"""JSON text to Python values: by orjson where it is installed, and with the same outcome where it is not."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from functools import cache
from typing import Any

_EXACT_TYPES = frozenset({str, int, bool, type(None)})
_MIN_ROUNDED = 2.0**63
"""From here on a float may be what orjson makes of an integer that needs more than 64 bits."""


@cache
def orjson_loads() -> Callable[[bytes], Any] | None:
    """What reads JSON fast, or `None` without the extra `speed`."""
    try:
        library = importlib.import_module("orjson")
    except ImportError:
        return None
    loads: Callable[[bytes], Any] = library.loads
    return loads


def loads(body: bytes) -> Any:
    """The value that `body` is the JSON of, as the standard library reads it.

    Except that an integer of thousands of digits, which the standard library refuses, becomes a float.

    Raises:
        ValueError: It is not JSON in UTF-8.
        RecursionError: It is nested too deeply.
    """
    fast = orjson_loads()
    if fast is not None:
        try:
            value = fast(body)
            if not _may_be_rounded(value):
                return value
        except (ValueError, RecursionError):
            pass  # It is the stricter of the two: the standard library has the last word.
    text = body.decode("utf-8-sig")
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise
    except ValueError:
        return json.loads(text, parse_int=parse_integer)


def parse_integer(digits: str) -> int | float:
    """Return the integer that `digits` are; one of more digits than Python reads becomes a float."""
    try:
        return int(digits)
    except ValueError:
        return float(digits)


def _may_be_rounded(value: Any) -> bool:
    if isinstance(value, float):
        return abs(value) >= _MIN_ROUNDED
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return not _EXACT_TYPES.issuperset(map(type, inner)) and any(map(_may_be_rounded, inner))
